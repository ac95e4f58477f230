/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/workplace.h"

#include <inttypes.h>
#include <stdlib.h>

#include "formats/manifest.h"
#include "io/clock.h"
#include "io/printable.h"
#include "loader/bag/catalog_json.h"
#include "loader/bag/seal.h"
#include "loader/cli/options_json.h"
#include "loader/run/audit.h"

static enum progress_style
style_of(const struct options *o)
{
    if (o->quiet || o->progress == OPTION_PROGRESS_NONE)
        return PROGRESS_QUIET;
    return o->progress == OPTION_PROGRESS_PLAIN ? PROGRESS_PLAIN
                                                : PROGRESS_AUTO;
}

static int
open_parts(struct workplace *w, enum run_dir_mode mode, struct err *err)
{
    const struct options *o = w->ctx->options;
    int r;

    if (!o->dir)
        return progress_new(&w->progress, style_of(o), err);
    r = run_dir_open(&w->dir, o->dir, mode, err);
    if (!r)
        r = catalog_open(&w->catalog, w->dir, mode != RUN_DIR_LOOK, err);
    if (!r && mode != RUN_DIR_LOOK)
        r = catalog_json_restore(w->catalog, w->dir, err);
    return r ? r : progress_new(&w->progress, style_of(o), err);
}

/* A run goes on without its log. */
static void
begin_log(struct workplace *w, enum run_dir_mode mode)
{
    const struct command_context *ctx = w->ctx;
    struct err err;

    if (mode == RUN_DIR_LOOK || !w->dir)
        return;
    if (events_open(&w->events, run_dir_fd(w->dir), &err))
        progress_note(w->progress, "there will be no log: %s", err.message);
    progress_log(w->progress, w->events);
    events_begin(w->events, ctx->command->name, PGHAUL_VERSION,
                 options_json(ctx->options));
}

static void
end_log(struct workplace *w, const struct err *why)
{
    const char *trouble;

    events_end(w->events, why);
    trouble = events_trouble(w->events);
    if (trouble)
        progress_note(w->progress, "the log is not complete: %s", trouble);
    progress_log(w->progress, NULL);
    w->events = events_free(w->events);
}

/* ---- the audit ---- */

static json_t *
operands_json(const struct options *o)
{
    json_t *list = json_array();
    char shown[PRINTABLE_SIZE(1024)];

    for (char *const *at = o->operands; at && *at; at++)
        json_array_append_new(list,
                              json_string(printable(shown, sizeof shown, *at)));
    return list;
}

static int
audit_begin(struct workplace *w, struct err *err)
{
    const struct command_context *ctx = w->ctx;
    json_t *o =
        json_pack("{s:s,s:s,s:o,s:o*}", "entry", "begin", "command",
                  ctx->command->name, "operands", operands_json(ctx->options),
                  "options", options_json(ctx->options));

    return o ? audit_add(run_dir_fd(w->dir), o, 0, err) : err_nomem(err);
}

/* What the run is now. */
static int
add_sums(struct workplace *w, json_t *o, struct err *err)
{
    struct catalog_counts n;
    struct seal_marks marks = {0};
    int r = catalog_count(w->catalog, &n, err);

    if (!r)
        r = seal_read_marks(&marks, w->dir, err);
    if (r)
        return r;
    json_object_set_new(o, "tables", manifest_u64_json(n.n_tables));
    json_object_set_new(o, "rows", manifest_u64_json(n.n_rows));
    json_object_set_new(o, "chunks", manifest_u64_json(n.n_chunks));
    json_object_set_new(o, "chunks_staged",
                        manifest_u64_json(n.n_chunks_staged));
    json_object_set_new(o, "chunks_loaded",
                        manifest_u64_json(n.n_chunks_loaded));
    json_object_set_new(o, "bag",
                        *marks.bag ? json_string(marks.bag) : json_null());
    json_object_set_new(o, "root",
                        *marks.root ? json_string(marks.root) : json_null());
    return 0;
}

/* why NULL: it has done what it was asked for. */
static int
audit_end(struct workplace *w, const struct err *why, struct err *err)
{
    char shown[PRINTABLE_SIZE(sizeof why->message)];
    json_t *o =
        json_pack("{s:s,s:s,s:i}", "entry", "end", "command",
                  w->ctx->command->name, "status", why ? (int)why->class : 0);
    struct err ignored;

    if (!o)
        return err_nomem(err);
    if (why)
        json_object_set_new(
            o, "error",
            json_string(printable(shown, sizeof shown, why->message)));
    add_sums(w, o, &ignored); /* of a run that is damaged they are missing */
    return audit_add(run_dir_fd(w->dir), o, 1, err);
}

/* Nothing is done with a run that could not be written down. */
static int
do_audited(struct workplace *w, enum run_dir_mode mode,
           int (*work)(struct workplace *w, struct err *err), struct err *err)
{
    struct err ignored;
    int r;

    if (mode == RUN_DIR_LOOK || !w->dir)
        return work(w, err);
    r = audit_begin(w, err);
    if (r)
        return r;
    r = work(w, err);
    if (!r)
        return audit_end(w, NULL, err);
    audit_end(w, err, &ignored);
    return r;
}

static int
do_work(struct workplace *w, enum run_dir_mode mode,
        int (*work)(struct workplace *w, struct err *err), struct err *err)
{
    int r;

    begin_log(w, mode);
    r = do_audited(w, mode, work, err);
    end_log(w, r ? err : NULL);
    return r;
}

int
workplace_do(const struct command_context *ctx, enum run_dir_mode mode,
             int (*work)(struct workplace *w, struct err *err), struct err *err)
{
    struct workplace w = {.ctx = ctx, .begun_ms = clock_ms()};
    int r;

    r = open_parts(&w, mode, err);
    if (!r)
        r = do_work(&w, mode, work, err);
    progress_free(w.progress);
    catalog_free(w.catalog);
    run_dir_free(w.dir);
    age_recipients_free(w.recipients);
    age_identities_free(w.identities);
    return r;
}

uint64_t
workplace_elapsed_ms(const struct workplace *w)
{
    return clock_ms() - w->begun_ms;
}

/* ---- driving ---- */

static int
name_failures(struct workplace *w, struct err *err)
{
    uint64_t cursor = 0;
    char *what, *why;
    int r;

    while ((r = catalog_next_failure(w->catalog, &cursor, &what, &why, err)) ==
           0) {
        progress_note(w->progress, "%s failed: %s", what, why);
        free(what);
        free(why);
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

int
workplace_run(struct workplace *w, const struct lane *lanes, unsigned n_lanes,
              struct drive_result *ret, struct err *err)
{
    const struct drive_params p = {
        .lanes = lanes,
        .n_lanes = n_lanes,
        .stop = w->ctx->stop,
        .progress = w->progress,
    };

    return drive_run(&p, ret, err);
}

int
workplace_drive(struct workplace *w, const struct lane *lanes, unsigned n_lanes,
                struct err *err)
{
    struct drive_result done;
    int r;

    r = workplace_run(w, lanes, n_lanes, &done, err);
    if (r)
        return r;
    r = name_failures(w, err);
    if (r || done.n_failed == 0)
        return r;
    *err = done.first;
    return -1;
}

int
workplace_check_skips(struct workplace *w, struct err *err)
{
    uint64_t cursor = 0, n = 0;
    int r;

    for (;;) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;

        r = catalog_next_skip(w->catalog, &cursor, &s, err);
        if (r)
            break;
        if (s->harmless)
            continue;
        n++;
        progress_note(w->progress, "not copied: %s %s%s%s: %s", s->kind,
                      s->schema, s->schema[0] ? "." : "", s->name, s->reason);
    }
    if (r != CATALOG_E_NONE)
        return r;
    if (n == 0)
        return 0;
    err_set(err, ERR_DIFFERS, "the copy is not complete");
    return err_detail(err, "%" PRIu64 " object%s of the source %s not copied.",
                      n, n > 1 ? "s" : "", n > 1 ? "were" : "was");
}
