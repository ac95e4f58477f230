/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/page.h"

#include <inttypes.h>

#include "loader/report/lines.h"

/* Nothing is fetched from elsewhere, and no script runs, whatever a name in
   the database may be. */
static void
head(struct page *p)
{
    const struct facts *f = p->r->params.facts;

    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" "
          "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" "
          "content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
          p->to);
    html_attribute(p->to, f->database ? f->database : "a run");
    fprintf(p->to, ": %s</title>\n<style>\n",
            report_verdict_name(p->r->verdict));
    for (const char *const *piece = page_style; *piece; piece++)
        fputs(*piece, p->to);
    fputs("</style>\n</head>\n<body><main>\n", p->to);
}

static void
foot(struct page *p)
{
    const struct report *r = p->r;
    const struct facts *f = r->params.facts;

    fputs("<footer><dl class=\"t\">", p->to);
    page_term(p, "Run", f->run_id);
    page_term(p, "Directory", run_dir_path(r->params.dir));
    page_term(p, "Seal",
              *r->seal ? r->seal : "none: the directory is not sealed");
    if (r->history.n_torn)
        fprintf(p->to, "<dt>Log</dt><dd>%" PRIu64 " torn line%s</dd>",
                r->history.n_torn, r->history.n_torn == 1 ? "" : "s");
    page_term(p, "Made by pghaul", r->params.version);
    fputs("</dl></footer>\n</main></body>\n</html>\n", p->to);
}

int
report_html(struct report *r, FILE *to, struct err *err)
{
    static int (*const parts[])(struct page * p, struct err * err) = {
        page_differences, page_findings, page_failures, page_missing,
        page_tables,      page_charts,   page_slowest,  page_trouble,
        page_sequences,   page_intended, page_commands,
    };
    struct page p = {.to = to, .r = r};
    int e = 0;

    head(&p);
    page_verdict(&p);
    page_sides(&p);
    page_rules(&p);
    for (unsigned i = 0; !e && i < sizeof parts / sizeof *parts; i++)
        e = parts[i](&p, err);
    page_servers(&p);
    foot(&p);
    return e;
}
