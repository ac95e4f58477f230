/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/verify.h"
#include "loader/bag/seal.h"
#include "loader/cli/copying.h"
#include "loader/cli/verdict.h"

enum { RANGE_SIZE = 128 << 20 };

static int
drive(struct workplace *w, const struct proof_pair *pair,
      struct verdict *verdict, struct err *err)
{
    const struct proof_listener listener = {
        .table = verdict_table,
        .arg = verdict,
    };
    const struct verify_params p = {
        .pair = pair,
        .jobs = w->ctx->options->jobs,
        .listener = &listener,
    };
    cleanup_(verify_freep) struct verify *v = NULL;
    struct drive_result done;
    struct lane lane;
    int r;

    r = verify_begin(&v, &p, err);
    if (r)
        return r;
    lane = verify_lane(v);
    /* A table that could not be read is part of the verdict. */
    return workplace_run(w, &lane, 1, &done, err);
}

static int
verify_against(struct workplace *w, const struct facts *f,
               struct verdict *verdict, struct err *err)
{
    const struct proof_side_params bag = {
        .name = "bag",
        .dir = w->dir,
        .catalog = w->catalog,
        .facts = f,
    };
    const struct proof_side_params target = {
        .name = "target",
        .conninfo = w->ctx->options->target,
        .side = SESSION_TARGET,
        .encoding = f->encoding,
        .plan = {.chunk_size = RANGE_SIZE},
        .stop = w->ctx->stop,
    };
    cleanup_(proof_side_freep) struct proof_side *left = NULL;
    cleanup_(proof_side_freep) struct proof_side *right = NULL;
    int r;

    r = proof_side_open(&left, &bag, err);
    if (!r)
        r = proof_side_open(&right, &target, err);
    return r ? r : drive(w, &(struct proof_pair){{left, right}}, verdict, err);
}

static int
verify_run(struct workplace *w, struct err *err)
{
    struct verdict verdict = {0};
    struct facts f = {0};
    int r;

    r = facts_read(&f, w->catalog, err);
    if (!r)
        r = facts_require_staged(&f, err);
    if (!r)
        r = seal_check(w->dir, err);
    if (!r)
        r = verdict_begin(&verdict, w, err);
    if (!r)
        r = verify_against(w, &f, &verdict, err);
    if (!r)
        r = verdict_end(&verdict, &f, err);
    verdict_clear(&verdict);
    facts_clear(&f);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, verify_run, err);
}

const struct command command_verify = {
    .name = "verify",
    .summary = "prove that every row of the run is in the target",
    .description =
        "Reads every table of the target in one snapshot and compares the "
        "number of rows, and the sum of the digests of all rows, with what "
        "was computed when they were exported.  The order of rows does not "
        "matter; a missing, doubled or changed row does.\n\n"
        "The exit status is 0 only when every table was read and is equal.",
    .requires = OPTION_SET(target) | OPTION_SET(dir),
    .takes = OPTION_SET(jobs) | COPYING_TALK_OPTIONS,
    .run = run,
};
