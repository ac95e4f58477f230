/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/page.h"

#include <inttypes.h>
#include <string.h>

#include "loader/report/lines.h"

/* ---- pieces ---- */

void
page_begin(struct page *p, const char *id, const char *title)
{
    fprintf(p->to, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>\n",
            id, id, title);
}

void
page_end(struct page *p)
{
    fputs("</section>\n", p->to);
}

void
page_term(struct page *p, const char *term, const char *value)
{
    if (!value || !*value)
        return;
    fprintf(p->to, "<dt>%s</dt><dd>", term);
    html_text(p->to, value);
    fputs("</dd>", p->to);
}

void
page_more(struct page *p, uint64_t n, const char *of_what)
{
    if (!n)
        return;
    fputs("<p class=\"note\" style=\"margin-top:10px\">And ", p->to);
    html_number(p->to, n);
    fprintf(p->to, " more %s: all of them are in report.json.</p>\n", of_what);
}

/* ---- the verdict ---- */

static const struct look {
    const char *words;
    const char *icon; /* drawn on 24 by 24 */
} looks[REPORT_N_VERDICTS] = {
    [REPORT_EQUAL] = {"Proved equal", "M6.5 12.5l3.8 3.8 7.4-8.3"},
    [REPORT_DIFFERS] = {"Differs", "M7 9.5h10M7 14.5h10M15 6L9 18"},
    [REPORT_INCOMPLETE] = {"Not complete", "M12 6.5v7M12 17v.4"},
    [REPORT_UNVERIFIED] = {"Not verified",
                           "M9 9.3a3 3 0 1 1 4.4 2.7c-1 .6-1.4 1.1-1.4 2.2"
                           "M12 17.2v.4"},
};

static void
figure(struct page *p, const char *term)
{
    fprintf(p->to, "<div><dt>%s</dt><dd>", term);
}

static void
end_figure(struct page *p)
{
    fputs("</dd></div>\n", p->to);
}

/* How long a lane was at work, in its last command. */
static void
time_figure(struct page *p, const char *lane, const char *term)
{
    const struct history_command *k = history_last(&p->r->history, lane);

    if (!k)
        return;
    figure(p, term);
    html_duration(p->to, history_ms(k));
    end_figure(p);
}

static void
staged_figure(struct page *p)
{
    const struct report_sums *s = &p->r->sums;
    char term[64] = "staged on disk";

    if (s->n_stored && s->n_raw)
        snprintf(term, sizeof term, "staged, %.1f : 1",
                 (double)s->n_raw / (double)s->n_stored);
    figure(p, term);
    html_bytes(p->to, s->n_stored);
    end_figure(p);
}

static void
figures(struct page *p)
{
    const struct report_sums *s = &p->r->sums;

    fputs("<dl class=\"figures\">\n", p->to);
    figure(p, "tables");
    html_number(p->to, s->n_tables);
    end_figure(p);
    figure(p, "rows");
    html_number(p->to, s->n_rows);
    end_figure(p);
    figure(p, "of data, as COPY");
    html_bytes(p->to, s->n_raw);
    end_figure(p);
    staged_figure(p);
    time_figure(p, "export", "to export");
    time_figure(p, "load", "to load");
    time_figure(p, "verify", "to verify");
    fputs("</dl>\n", p->to);
}

int
page_is_comparison(const struct page *p)
{
    return p->r->params.facts->state == FACTS_NEW && p->r->proved.is_there;
}

void
page_verdict(struct page *p)
{
    const struct report *r = p->r;
    const struct facts *f = r->params.facts;
    const struct look *look = &looks[r->verdict];

    fprintf(p->to,
            "<div class=\"top\"><span><b>pghaul</b> report of a %s</span>"
            "<span>",
            page_is_comparison(p) ? "comparison" : "run");
    html_time(p->to, r->made_at);
    fprintf(p->to,
            " UTC</span></div>\n<header class=\"verdict %s\"><h1>"
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
            "<circle cx=\"12\" cy=\"12\" r=\"11\" fill=\"currentColor\"/>"
            "<path d=\"%s\" fill=\"none\" stroke=\"var(--ground)\" "
            "stroke-width=\"2.2\" stroke-linecap=\"round\" "
            "stroke-linejoin=\"round\"/></svg>%s</h1>\n<p class=\"why\">",
            report_verdict_name(r->verdict), look->icon, look->words);
    html_text(p->to, r->because);
    fputs("</p></header>\n", p->to);
    if (f->state != FACTS_NEW)
        figures(p);
}

/* ---- the two sides ---- */

static void
version_term(struct page *p, const json_t *server, int version)
{
    const json_t *settings = json_object_get(server, "settings");
    const char *text = lines_text(settings, "server_version");

    if (*text || version)
        fputs("<dt>PostgreSQL</dt><dd>", p->to);
    if (*text)
        html_text(p->to, text);
    else if (version)
        fprintf(p->to, "%d.%d", version / 10000, version % 10000);
    if (*text || version)
        fputs("</dd>", p->to);
}

static void
time_term(struct page *p, const char *term, uint64_t at)
{
    if (!at)
        return;
    fprintf(p->to, "<dt>%s</dt><dd>", term);
    html_time(p->to, at);
    fputs(" UTC</dd>", p->to);
}

static uint64_t
ended_at(const struct report *r, const char *lane)
{
    const struct history_command *k = history_last(&r->history, lane);

    return k ? k->at + history_ms(k) : 0;
}

static void
where_terms(struct page *p, const json_t *server)
{
    page_term(p, "Host", lines_text(server, "host"));
    page_term(p, "Port", lines_text(server, "port"));
    page_term(p, "User", lines_text(server, "user"));
}

static void
source(struct page *p)
{
    const struct facts *f = p->r->params.facts;
    char lsn[REPORT_LSN];

    fputs("<div class=\"side\"><h3>Source</h3><p class=\"who\">", p->to);
    html_text(p->to, f->database ? f->database : "");
    fputs("</p><dl class=\"t\">", p->to);
    if (p->r->history.source)
        where_terms(p, p->r->history.source);
    else
        page_term(p, "Where", f->source);
    version_term(p, p->r->history.source, f->version);
    page_term(p, "Cluster", f->system_id);
    page_term(p, "Encoding", f->encoding);
    page_term(p, "Snapshot", f->snapshot);
    page_term(p, "Log position",
              f->lsn ? report_lsn(lsn, f->lsn) : "none was promised");
    page_term(p, "Selection", f->selection ? f->selection : "everything");
    time_term(p, "Exported", ended_at(p->r, "export"));
    fputs("</dl></div>\n", p->to);
}

/* As the last proof names it, or the load. */
static const char *
target_name(const struct report *r)
{
    const json_t *right = json_object_get(r->proved.head, "right");
    const char *name = lines_text(right, "database");

    return *name ? name : lines_text(r->history.target, "database");
}

static void
target(struct page *p)
{
    const struct report *r = p->r;
    const json_t *t = r->history.target;
    const char *name = target_name(r);

    fputs("<div class=\"side\"><h3>Target</h3><p class=\"who\">", p->to);
    html_text(p->to, *name ? name : "none yet");
    fputs("</p><dl class=\"t\">", p->to);
    where_terms(p, t);
    version_term(p, t, 0);
    page_term(p, "Encoding",
              lines_text(json_object_get(t, "settings"), "server_encoding"));
    time_term(p, "Loaded", ended_at(r, "load"));
    if (report_proved_at(r))
        time_term(p, "Verified", report_proved_at(r));
    fputs("</dl></div>\n", p->to);
}

/* One of any two, as the proof names it. */
static void
compared(struct page *p, const char *which)
{
    const json_t *side = json_object_get(p->r->proved.head, which);

    fputs("<div class=\"side\"><h3>", p->to);
    html_text(p->to, lines_text(side, "name"));
    fputs("</h3><p class=\"who\">", p->to);
    html_text(p->to, lines_text(side, "database"));
    fputs("</p><dl class=\"t\">", p->to);
    where_terms(p, side);
    page_term(p, "PostgreSQL", lines_text(side, "server_version"));
    if (!*lines_text(side, "host"))
        page_term(p, "What", lines_text(side, "what"));
    fputs("</dl></div>\n", p->to);
}

static void
say_what_was_compared(struct page *p)
{
    const json_t *head = p->r->proved.head;

    if (!report_proved_at(p->r))
        return;
    fputs("<p class=\"note\">Compared: ", p->to);
    html_text(p->to, lines_text(json_object_get(head, "left"), "what"));
    fputs(" with ", p->to);
    html_text(p->to, lines_text(json_object_get(head, "right"), "what"));
    fputs(json_array_size(json_object_get(head, "accept"))
              ? ".</p>\n"
              : ".  Nothing was accepted beforehand: every difference "
                "counts.</p>\n",
          p->to);
}

void
page_sides(struct page *p)
{
    page_begin(p, "sides", "What was compared");
    say_what_was_compared(p);
    fputs("<div class=\"sides\">", p->to);
    if (page_is_comparison(p))
        compared(p, "left");
    else
        source(p);
    fputs(
        "<div class=\"arrow\" aria-hidden=\"true\"><svg viewBox=\"0 0 28 12\">"
        "<path d=\"M1 6h24M20 1.5L25.5 6 20 10.5\" fill=\"none\" "
        "stroke=\"currentColor\" stroke-width=\"1.5\" "
        "stroke-linecap=\"round\" stroke-linejoin=\"round\"/></svg></div>",
        p->to);
    if (page_is_comparison(p))
        compared(p, "right");
    else
        target(p);
    fputs("</div>\n", p->to);
    page_end(p);
}

/* ---- the rules that were set before ---- */

static void
rule(struct page *p, const json_t *rule)
{
    cleanup_(freep) char *text = NULL;

    fputs("<li>", p->to);
    if (json_is_string(rule))
        html_text(p->to, json_string_value(rule));
    else if ((text = json_dumps(rule, JSON_COMPACT | JSON_ENCODE_ANY)))
        html_text(p->to, text);
    fputs("</li>\n", p->to);
}

void
page_rules(struct page *p)
{
    const json_t *head = p->r->proved.head;
    const json_t *rules = json_object_get(head, "accept"), *one;
    size_t i;

    if (!report_proved_at(p->r) || json_array_size(rules) == 0)
        return;
    page_begin(p, "rules", "What was accepted beforehand");
    fputs("<ul class=\"plain\">", p->to);
    json_array_foreach(rules, i, one) rule(p, one);
    fputs("</ul>\n", p->to);
    if (*lines_text(head, "config_sha256")) {
        fputs("<dl class=\"t\" style=\"margin-top:10px\">", p->to);
        page_term(p, "Set in", lines_text(head, "config"));
        page_term(p, "Its SHA-256", lines_text(head, "config_sha256"));
        fputs("</dl>\n", p->to);
    }
    page_end(p);
}
