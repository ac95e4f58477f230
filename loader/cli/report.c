/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "loader/cli/reporting.h"

static int
write_report(struct workplace *w, const struct facts *f, struct err *err)
{
    const struct options *o = w->ctx->options;
    cleanup_(report_freep) struct report *r = NULL;
    int e = reporting_make(&r, w, f, err);

    if (e)
        return e;
    if (o->json)
        return reporting_json_to(r, o->output ? o->output : "-", err);
    e = reporting_html_to(r, o->output, err);
    if (!e && !o->quiet && strcmp(o->output, "-") != 0)
        printf("%s: %s\n", report_verdict_name(report_verdict(r)),
               report_because(r));
    return e;
}

static int
report_run(struct workplace *w, struct err *err)
{
    struct facts f = {0};
    int r;

    if (!w->ctx->options->output && !w->ctx->options->json)
        return err_set(err, ERR_USAGE, "missing required option \"--output\"");
    r = facts_read(&f, w->catalog, err);
    if (!r)
        r = write_report(w, &f, err);
    facts_clear(&f);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_LOOK, report_run, err);
}

const struct command command_report = {
    .name = "report",
    .summary = "write a page that shows what a run did and what was proved",
    .description =
        "Puts the run's verdict, what was compared with what, every difference "
        "that was found, the tables, and where the time went into one page of "
        "HTML, which needs nothing but itself: it can be sent, kept and "
        "printed.  With --json the same as one object.\n\n"
        "It looks at the run directory only, also while another command is at "
        "work in it.  \"pghaul verify\" leaves the report as of its end in "
        "report.html and report.json.\n\n"
        "The exit status says whether the page was written, not what is in "
        "it.",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(output) | OPTION_SET(json) | OPTION_SET(quiet),
    .run = run,
};
