/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/page.h"

#include <inttypes.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"
#include "loader/report/lines.h"

enum { SEQUENCES = 60, SKIPS = 300, FAILURES = 300, TROUBLES = 60, NOTES = 60 };

/* ---- sequences ---- */

int
page_sequences(struct page *p, struct err *err)
{
    uint64_t cursor = 0, n = 0, n_all = p->r->sums.n_sequences;
    int r = 0;

    if (n_all == 0)
        return 0;
    page_begin(p, "sequences", "Sequences");
    fputs("<div class=\"scroll\"><table><thead><tr>"
          "<th scope=\"col\">Sequence</th>"
          "<th scope=\"col\" class=\"n\">Value at the source</th>"
          "<th scope=\"col\">Was it given out</th></tr></thead>\n<tbody>\n",
          p->to);
    while (n++ < SEQUENCES) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(p->r->params.catalog, &cursor, &q, err);
        if (r)
            break;
        fputs("<tr><th scope=\"row\">", p->to);
        html_name(p->to, q->schema, q->name);
        fprintf(p->to,
                "</th><td class=\"n\">%" PRId64 "</td><td>%s</td></tr>\n",
                q->last_value, q->is_called ? "yes" : "no");
    }
    fputs("</tbody></table></div>\n", p->to);
    page_more(p, n_all > SEQUENCES ? n_all - SEQUENCES : 0, "sequences");
    page_end(p);
    return r == CATALOG_E_NONE ? 0 : r;
}

/* ---- what is not copied ---- */

static int
put_skips(struct page *p, int harmless, uint64_t *n, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;

        r = catalog_next_skip(p->r->params.catalog, &cursor, &s, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        if (s->harmless != harmless || (*n)++ >= SKIPS)
            continue;
        fputs("<tr><th scope=\"row\">", p->to);
        html_name(p->to, s->schema, s->name);
        fputs("<small>", p->to);
        html_text(p->to, s->kind);
        fputs("</small></th><td class=\"w\">", p->to);
        html_text(p->to, s->reason);
        fprintf(p->to, "</td><td><span class=\"v %s\">%s</span></td></tr>\n",
                harmless ? "none" : "part",
                harmless ? "as intended" : "missing in the copy");
    }
}

static int
put_all_skips(struct page *p, struct err *err)
{
    uint64_t n = 0;
    int r;

    page_begin(p, "skipped", "Not copied");
    fputs(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Object</th>"
        "<th scope=\"col\">Why</th><th scope=\"col\">Does it matter</th>"
        "</tr></thead>\n<tbody>\n",
        p->to);
    r = put_skips(p, 0, &n, err);
    if (!r)
        r = put_skips(p, 1, &n, err);
    fputs("</tbody></table></div>\n", p->to);
    page_more(p, n > SKIPS ? n - SKIPS : 0, "objects");
    page_end(p);
    return r;
}

/* What is missing stands above the tables, what is meant so below. */
int
page_missing(struct page *p, struct err *err)
{
    return p->r->counts.n_skipped_harmful ? put_all_skips(p, err) : 0;
}

int
page_intended(struct page *p, struct err *err)
{
    return p->r->counts.n_skipped && !p->r->counts.n_skipped_harmful
               ? put_all_skips(p, err)
               : 0;
}

/* ---- failures of the copy ---- */

int
page_failures(struct page *p, struct err *err)
{
    const struct catalog_counts *c = &p->r->counts;
    uint64_t cursor = 0, n = 0,
             n_all = c->n_tables_failed + c->n_entries_failed;
    char *what, *why;
    int r = 0;

    if (n_all == 0)
        return 0;
    page_begin(p, "failed", "Failed");
    fputs("<ul class=\"plain\">\n", p->to);
    while (n++ < FAILURES &&
           (r = catalog_next_failure(p->r->params.catalog, &cursor, &what, &why,
                                     err)) == 0) {
        fputs("<li><b>", p->to);
        html_text(p->to, what);
        fputs("</b><br><span class=\"x\">", p->to);
        html_text(p->to, why);
        fputs("</span></li>\n", p->to);
        free(what);
        free(why);
    }
    fputs("</ul>\n", p->to);
    page_more(p, n_all > FAILURES ? n_all - FAILURES : 0, "failures");
    page_end(p);
    return r == CATALOG_E_NONE ? 0 : r;
}

/* ---- what was tried again, what was said ---- */

static const char *
word_for(const char *outcome)
{
    if (strcmp(outcome, "again") == 0)
        return "tried again";
    if (strcmp(outcome, "unable") == 0)
        return "could not begin";
    if (strcmp(outcome, "redo") == 0)
        return "staged again";
    return "failed";
}

static int
put_troubles(struct page *p, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    struct catalog *c = p->r->params.catalog;
    int r = catalog_db_query(
        c, err, &q,
        SQL("SELECT at, lane, outcome, why, label, n FROM report_trouble"
            " ORDER BY n DESC, at LIMIT ?"),
        INT(TROUBLES));

    if (r == CATALOG_E_NONE)
        return 0;
    fputs("<div class=\"scroll\"><table><thead><tr>"
          "<th scope=\"col\">First</th><th scope=\"col\">Lane</th>"
          "<th scope=\"col\" class=\"n\">Times</th>"
          "<th scope=\"col\">What became of it</th>"
          "<th scope=\"col\">Why</th></tr></thead>\n<tbody>\n",
          p->to);
    for (; r == 0; r = catalog_db_next(c, err, q)) {
        fputs("<tr><td>", p->to);
        html_time(p->to, catalog_db_u64(q, 0));
        fputs("</td><td>", p->to);
        html_text(p->to, (const char *)sqlite3_column_text(q, 1));
        fputs("</td><td class=\"n\">", p->to);
        html_number(p->to, catalog_db_u64(q, 5));
        fprintf(p->to, "</td><td>%s</td><td class=\"w\">",
                word_for((const char *)sqlite3_column_text(q, 2)));
        html_text(p->to, (const char *)sqlite3_column_text(q, 3));
        fputs("<small>", p->to);
        html_text(p->to, (const char *)sqlite3_column_text(q, 4));
        fputs("</small></td></tr>\n", p->to);
    }
    fputs("</tbody></table></div>\n", p->to);
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
put_notes(struct page *p, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    struct catalog *c = p->r->params.catalog;
    int r = catalog_db_query(
        c, err, &q,
        SQL("SELECT at, text FROM (SELECT * FROM report_notes ORDER BY id DESC"
            " LIMIT ?) ORDER BY id"),
        INT(NOTES));

    if (r == CATALOG_E_NONE)
        return 0;
    fputs("<h3>What was said meanwhile</h3><ul class=\"plain\">\n", p->to);
    for (; r == 0; r = catalog_db_next(c, err, q)) {
        fputs("<li>", p->to);
        html_time(p->to, catalog_db_u64(q, 0));
        html_text(p->to, (const char *)sqlite3_column_text(q, 1));
        fputs("</li>\n", p->to);
    }
    fputs("</ul>\n", p->to);
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
has_troubles(const struct history *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        const struct history_command *k = &h->commands[i];

        if (k->n_notes || k->n_limits)
            return 1;
        for (unsigned j = 0; j < k->n_lanes; j++)
            if (k->lanes[j].n_again || k->lanes[j].n_failed)
                return 1;
    }
    return 0;
}

int
page_trouble(struct page *p, struct err *err)
{
    int r;

    if (!has_troubles(&p->r->history))
        return 0;
    page_begin(p, "trouble", "Retries, limits, notes");
    r = put_troubles(p, err);
    if (!r)
        r = put_notes(p, err);
    page_end(p);
    return r;
}

/* ---- the servers ---- */

static void
setting(struct page *p, const char *name, const json_t *source,
        const json_t *target)
{
    const char *s = lines_text(source, name), *t = lines_text(target, name);

    fputs("<tr><th scope=\"row\"><code>", p->to);
    html_text(p->to, name);
    fputs("</code></th><td>", p->to);
    html_text(p->to, s);
    fputs("</td><td>", p->to);
    html_text(p->to, t);
    fputs("</td></tr>\n", p->to);
}

void
page_servers(struct page *p)
{
    const struct history *h = &p->r->history;
    json_t *source = json_object_get(h->source, "settings");
    json_t *target = json_object_get(h->target, "settings");
    const char *name;
    json_t *ignored;

    if (!source && !target)
        return;
    page_begin(p, "servers", "Servers");
    fputs(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Setting</th>"
        "<th scope=\"col\">Source</th><th scope=\"col\">Target</th></tr>"
        "</thead>\n<tbody>\n",
        p->to);
    json_object_foreach(source ? source : target, name, ignored)
        setting(p, name, source, target);
    fputs("</tbody></table></div>\n", p->to);
    page_end(p);
}
