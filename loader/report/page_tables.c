/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/page.h"

#include <inttypes.h>
#include <string.h>

#include "loader/report/lines.h"

enum {
    LARGEST = 100,   /* shown of those that are well */
    TROUBLED = 1000, /* and of the others */
    ROWS = 400,
    FINDINGS = 400,
};

/* ---- tables ---- */

static const struct mark {
    const char *class, *words;
} marks[REPORT_N_TROUBLES] = {
    [REPORT_TABLE_DIFFERS] = {"bad", "differs"},
    [REPORT_TABLE_MISSING] = {"bad", "on one side"},
    [REPORT_TABLE_UNCOMPARED] = {"part", "not compared"},
    [REPORT_TABLE_FAILED] = {"bad", "failed"},
    [REPORT_TABLE_UNFINISHED] = {"part", "not complete"},
    [REPORT_TABLE_ACCEPTED] = {"part", "accepted"},
    [REPORT_TABLE_FINE] = {"none", ""},
};

static struct mark
mark_of(const struct report_table *t)
{
    if (t->trouble != REPORT_TABLE_FINE)
        return marks[t->trouble];
    if (t->proved)
        return (struct mark){"good", "equal"};
    return (struct mark){"none", t->n_chunks && t->n_unloaded == 0 ? "loaded"
                                                                   : "staged"};
}

static void
put_name(FILE *to, const struct report_table *t)
{
    html_name(to, t->schema, t->name);
    if (t->n_tables > 1)
        fprintf(to, "<small>%" PRIu64 " partitions</small>", t->n_tables);
    if (t->why) {
        fputs("<small class=\"x\">", to);
        html_text(to, t->why);
        fputs("</small>", to);
    } else if (t->trouble != REPORT_TABLE_FINE && t->proved) {
        fprintf(to, "<small%s>",
                t->trouble == REPORT_TABLE_ACCEPTED ? "" : " class=\"x\"");
        html_text(to, lines_text(t->proved, "reason"));
        if (*lines_text(t->proved, "accepted")) {
            fputs("; accepted by ", to);
            html_text(to, lines_text(t->proved, "accepted"));
        }
        fputs("</small>", to);
    }
}

/* What was found where it is not what was exported. */
static void
put_rows(FILE *to, const struct report_table *t)
{
    const json_t *left = json_object_get(t->proved, "left");
    const json_t *right = json_object_get(t->proved, "right");
    uint64_t n = left ? lines_u64(left, "rows") : t->n_rows;

    html_number(to, n);
    if (!right || lines_u64(right, "rows") == n)
        return;
    fputs("<small class=\"x\">found ", to);
    html_number(to, lines_u64(right, "rows"));
    fputs("</small>", to);
}

static void
put_digests(FILE *to, const struct report_table *t)
{
    const char *left = lines_text(json_object_get(t->proved, "left"), "digest");
    const char *right =
        lines_text(json_object_get(t->proved, "right"), "digest");

    html_text(to, *left ? left : t->digest);
    if (!*right || strcmp(left, right) == 0)
        return;
    fputs("<br><span class=\"x\">", to);
    html_text(to, right);
    fputs("</span>", to);
}

static int
put_table(void *arg, const struct report_table *t, struct err *err)
{
    FILE *to = arg;
    struct mark mark = mark_of(t);

    (void)err;
    fputs("<tr><th scope=\"row\">", to);
    put_name(to, t);
    fputs("</th><td class=\"n\">", to);
    put_rows(to, t);
    fputs("</td><td class=\"n\">", to);
    html_bytes(to, t->n_raw);
    fputs("</td><td class=\"n\">", to);
    html_bytes(to, t->n_stored);
    fputs("</td><td class=\"m\">", to);
    put_digests(to, t);
    fprintf(to, "</td><td><span class=\"v %s\">%s</span></td></tr>\n",
            mark.class, mark.words);
    return 0;
}

static void
put_sums(struct page *p, uint64_t n_left_out)
{
    const struct report_sums *s = &p->r->sums;

    if (page_is_comparison(p)) {
        fputs("</tbody></table></div>\n", p->to);
        return;
    }
    fputs("</tbody>\n<tfoot><tr><th scope=\"row\">", p->to);
    html_number(p->to, s->n_tables);
    fprintf(p->to, " table%s", s->n_tables == 1 ? "" : "s");
    if (n_left_out) {
        fputs("<small>", p->to);
        html_number(p->to, n_left_out);
        fputs(" smaller ones, all well, are not listed</small>", p->to);
    }
    fputs("</th><td class=\"n\">", p->to);
    html_number(p->to, s->n_rows);
    fputs("</td><td class=\"n\">", p->to);
    html_bytes(p->to, s->n_raw);
    fputs("</td><td class=\"n\">", p->to);
    html_bytes(p->to, s->n_stored);
    fputs("</td><td></td><td></td></tr></tfoot></table></div>\n", p->to);
}

int
page_tables(struct page *p, struct err *err)
{
    const struct report_sums *s = &p->r->sums;
    uint64_t n_troubled = s->n_troubled < TROUBLED ? s->n_troubled : TROUBLED;
    uint64_t n_shown = n_troubled + LARGEST;
    int r;

    if (s->n_lines == 0)
        return 0;
    page_begin(p, "tables", "Tables");
    fputs("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Table</th>"
          "<th scope=\"col\" class=\"n\">Rows</th>"
          "<th scope=\"col\" class=\"n\">Data</th>"
          "<th scope=\"col\" class=\"n\">Staged</th>"
          "<th scope=\"col\">Digest of all rows</th>"
          "<th scope=\"col\">Verdict</th></tr></thead>\n<tbody>\n",
          p->to);
    r = report_each_table(p->r, REPORT_TABLES, n_shown, put_table, p->to, err);
    put_sums(p, s->n_troubled <= TROUBLED && s->n_lines > n_shown
                    ? s->n_lines - n_shown
                    : 0);
    if (s->n_troubled > TROUBLED)
        page_more(p, s->n_troubled - TROUBLED, "tables that are not well");
    page_end(p);
    return r;
}

/* ---- rows that differ ---- */

static void
put_value(FILE *to, const json_t *column, const char *end)
{
    const json_t *v = json_object_get(column, end);

    if (json_is_string(v))
        html_text(to, json_string_value(v));
    else
        fputs("<span class=\"d\">NULL</span>", to);
}

static void
put_columns(FILE *to, const json_t *columns)
{
    const json_t *column;
    size_t i;

    json_array_foreach(columns, i, column)
    {
        fputs("<div><b>", to);
        html_text(to, lines_text(column, "column"));
        fputs("</b> <code>", to);
        put_value(to, column, "left");
        fputs("</code> → <code class=\"x\">", to);
        put_value(to, column, "right");
        fputs("</code></div>", to);
    }
}

static int
put_row(void *arg, const json_t *o, struct err *err)
{
    FILE *to = arg;

    (void)err;
    fputs("<tr><th scope=\"row\">", to);
    html_name(to, lines_text(o, "schema"), lines_text(o, "name"));
    fputs("</th><td><span class=\"v bad\">", to);
    html_text(to, lines_text(o, "kind"));
    fputs("</span>", to);
    if (lines_u64(o, "n") > 1) {
        fputs("<small>", to);
        html_number(to, lines_u64(o, "n"));
        fputs(" like it</small>", to);
    }
    fputs("</td><td class=\"w\"><code>", to);
    html_text(to, lines_text(o, "key"));
    fputs("</code></td><td class=\"w\">", to);
    put_columns(to, json_object_get(o, "columns"));
    fputs("</td></tr>\n", to);
    return 0;
}

int
page_differences(struct page *p, struct err *err)
{
    const struct proved *v = &p->r->proved;
    char sql[96];
    int r;

    if (!report_proved_at(p->r) || v->n_rows_wrong == 0)
        return 0;
    page_begin(p, "rows", "Rows that differ");
    fputs("<p class=\"note\">", p->to);
    html_number(p->to, v->n_rows_wrong);
    fprintf(p->to,
            " row%s: missing or extra in the target, or with other values "
            "than on the left.</p>\n<div class=\"scroll\"><table><thead><tr>"
            "<th scope=\"col\">Table</th><th scope=\"col\">Row is</th>"
            "<th scope=\"col\">Key</th>"
            "<th scope=\"col\">Columns: should be → is</th></tr></thead>\n"
            "<tbody>\n",
            v->n_rows_wrong == 1 ? "" : "s");
    snprintf(sql, sizeof sql,
             "SELECT line FROM report_rows ORDER BY id LIMIT %d", ROWS);
    r = report_each_line(p->r, sql, put_row, p->to, err);
    fputs("</tbody></table></div>\n", p->to);
    page_end(p);
    return r;
}

/* ---- what is no table ---- */

static int
put_finding(void *arg, const json_t *o, struct err *err)
{
    FILE *to = arg;
    const char *verdict = lines_text(o, "verdict");
    int good = strcmp(verdict, "equal") == 0;
    int part =
        strcmp(verdict, "accepted") == 0 || strcmp(verdict, "failed") == 0;

    (void)err;
    fputs("<tr><th scope=\"row\">", to);
    html_name(to, NULL, lines_text(o, "object"));
    fputs("<small>", to);
    html_text(to, lines_text(o, "kind"));
    fputs("</small></th><td class=\"w\">", to);
    html_text(to, lines_text(o, "what"));
    if (*lines_text(o, "left") || *lines_text(o, "right")) {
        fputs("<small><code>", to);
        html_text(to, lines_text(o, "left"));
        fputs("</code></small><small><code class=\"x\">", to);
        html_text(to, lines_text(o, "right"));
        fputs("</code></small>", to);
    }
    fputs("</td><td>", to);
    html_text(to, lines_text(o, "layer"));
    fprintf(to, "</td><td><span class=\"v %s\">",
            good   ? "good"
            : part ? "part"
                   : "bad");
    html_text(to, verdict);
    fputs("</span></td></tr>\n", to);
    return 0;
}

static uint64_t
count_findings(const struct proved *v)
{
    uint64_t n = 0;

    for (int i = 0; i < PROVED_EQUAL; i++)
        n += v->n_findings[i];
    return n;
}

int
page_findings(struct page *p, struct err *err)
{
    uint64_t n = count_findings(&p->r->proved);
    char sql[128];
    int r;

    if (!report_proved_at(p->r) || n == 0)
        return 0;
    page_begin(p, "findings", "Schema, sequences, constraints, indexes");
    fputs("<div class=\"scroll\"><table><thead><tr>"
          "<th scope=\"col\">Object</th><th scope=\"col\">What was found</th>"
          "<th scope=\"col\">Looked at</th><th scope=\"col\">Verdict</th></tr>"
          "</thead>\n<tbody>\n",
          p->to);
    snprintf(sql, sizeof sql,
             "SELECT line FROM report_findings WHERE rank < %d"
             " ORDER BY rank, id LIMIT %d",
             PROVED_EQUAL, FINDINGS);
    r = report_each_line(p->r, sql, put_finding, p->to, err);
    fputs("</tbody></table></div>\n", p->to);
    page_more(p, n > FINDINGS ? n - FINDINGS : 0, "findings");
    page_end(p);
    return r;
}
