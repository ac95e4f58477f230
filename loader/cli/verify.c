/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/verify.h"
#include "loader/cli/copying.h"
#include "loader/cli/guarding.h"
#include "loader/cli/proof_record.h"
#include "loader/cli/proving.h"
#include "loader/cli/proving_layers.h"
#include "loader/cli/recording.h"
#include "loader/cli/repair.h"
#include "loader/cli/verdict.h"
#include "loader/cli/verifying.h"
#include "loader/proof/accept.h"
#include "loader/proof/sampling.h"

/* What the options ask for, made ready. */
struct asked {
    struct accept *accept;
    struct guarding guarding;
    FILE *repair;
    struct recording recording;
};

static int
read_rules(struct accept **ret, const struct options *o, struct err *err)
{
    int r = accept_new(ret, err);

    for (unsigned i = 0; i < o->accept.n && !r; i++)
        r = accept_add(*ret, o->accept.texts[i], err);
    return r;
}

static int
prepare(struct asked *a, const struct workplace *w,
        const struct proof_pair *pair, struct err *err)
{
    const struct options *o = w->ctx->options;
    int r = guarding_begin(&a->guarding, w, pair, err);

    if (!r && o->repair_sql)
        r = repair_open(&a->repair, o->repair_sql,
                        proof_side_name(pair->at[PROOF_LEFT]),
                        proof_side_name(pair->at[PROOF_RIGHT]), err);
    return r;
}

static void
asked_clear(struct asked *a)
{
    accept_free(a->accept);
    guarding_end(&a->guarding);
    recording_clear(&a->recording);
    if (a->repair)
        fclose(a->repair);
}

static int
end_repair(struct asked *a, const struct workplace *w, const struct verify *v,
           struct err *err)
{
    FILE *f = a->repair;

    a->repair = NULL;
    return f ? repair_close(f, w->ctx->options->repair_sql,
                            verify_n_partly_repaired(v), err)
             : 0;
}

static int
drive(struct workplace *w, const struct proof_pair *pair, struct asked *a,
      struct verdict *verdict, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct proof_listener heard = {
        .table = verdict_table,
        .row = verdict_row,
        .finding = verdict_finding,
        .arg = verdict,
    };
    const struct proof_listener listener =
        recording_listener(&a->recording, &heard);
    const struct verify_params p = {
        .pair = pair,
        .jobs = o->jobs,
        .deep = o->deep,
        .counts_only = !(o->layers & OPTION_LAYER_ROWS),
        .aggregates = (o->layers & OPTION_LAYER_AGGREGATES) != 0,
        .distinct = o->distinct,
        .sample_ppm = o->sample < SAMPLING_ALL ? o->sample : 0,
        .n_shown = (unsigned)o->show,
        .repair = a->repair,
        .accept = a->accept,
        .watch = a->guarding.watch,
        .listener = &listener,
    };
    cleanup_(verify_freep) struct verify *v = NULL;
    struct drive_result done;
    struct lane lane;
    int r;

    r = proving_layers(w, pair, &listener, err);
    if (r || !proving_layers_has_rows(o))
        return r;
    r = verify_begin(&v, &p, err);
    if (r)
        return r;
    lane = verify_lane(v);
    /* A table that could not be read is part of the verdict. */
    r = workplace_run(w, &lane, 1, &done, err);
    return r ? r : end_repair(a, w, v, err);
}

/* All of the bag's rows against the target's is what a hand-off asks for.  r is
   the verdict's, and stays the answer. */
static int
record(struct workplace *w, const struct verdict *v, int r, struct err *err)
{
    static const option_set less = OPTION_SET(source) | OPTION_SET(other_dir) |
                                   OPTION_SET(sample) | SELECTING_OPTIONS;
    const struct options *o = w->ctx->options;
    uint64_t n = v->n[PROOF_EQUAL] + v->n[PROOF_ACCEPTED];
    struct err ignored;

    if (!o->dir || !o->target || o->given & less ||
        (r && err->class != ERR_DIFFERS))
        return r;
    if (r == 0)
        return proof_record(w, 1, n, v->n_rows, err);
    proof_record(w, 0, n, v->n_rows, &ignored);
    return r;
}

static int
compare(struct workplace *w, struct proving *p, struct asked *a,
        struct err *err)
{
    struct verdict verdict = {0};
    int r;

    r = verdict_begin(&verdict, w, &p->pair, a->accept, err);
    if (!r)
        r = recording_begin(&a->recording, w, &p->facts, &p->pair, err);
    if (!r)
        r = drive(w, &p->pair, a, &verdict, err);
    if (!r)
        r = recording_end(
            &a->recording, &p->facts,
            record(w, &verdict, verdict_end(&verdict, &p->facts, err), err),
            err);
    verdict_clear(&verdict);
    return r;
}

int
verifying(struct workplace *w, struct err *err)
{
    struct proving p = {0};
    struct asked a = {0};
    int r;

    r = read_rules(&a.accept, w->ctx->options, err);
    if (!r)
        r = proving_open(&p, w, err);
    if (!r)
        r = prepare(&a, w, &p.pair, err);
    if (!r)
        r = compare(w, &p, &a, err);
    asked_clear(&a);
    proving_close(&p);
    return r;
}

/* Between servers the directory is looked at only: the export may be at work
   in it. */
static int
run(const struct command_context *ctx, struct err *err)
{
    const struct options *o = ctx->options;
    int r = proving_check_options(o, err);

    return r ? r
             : workplace_do(
                   ctx, o->source && o->target ? RUN_DIR_LOOK : RUN_DIR_OPEN,
                   verifying, err);
}

const struct command command_verify = {
    .name = "verify",
    .summary = "prove that two have the same rows, every one",
    .description =
        "Compares two of these: what a run has staged (--dir), the source, the "
        "target; or what two runs have staged (--dir, --other-dir).  Every "
        "table is read in one snapshot a server, and the number of rows and "
        "the sum of the digests of all rows are compared.  What a run has "
        "staged need not be read: it was digested then.\n\n"
        "Neither the order of rows nor that of columns matters; a missing, "
        "doubled or changed row does.  The rows that differ are looked for "
        "and counted, and of each table some are shown (--show).  With "
        "--repair-sql the statements that would mend the target are written "
        "to a file.\n\n"
        "With --source, --target and --dir, the source is seen in the run's "
        "own snapshot for as long as its keeper lives.\n\n"
        "--layers aggregates compares NULLs, lengths, sums, minima and maxima "
        "of each column, and with --distinct how many values there are, about. "
        " --layers schema compares what both consist of: "
        "tables, columns and "
        "their types and defaults, constraints, indexes, triggers and their "
        "states, functions, views, types, policies, owners, rights.  "
        "--layers sequences looks whether each sequence is as far as it was, "
        "and past the column that owns it.  --drift, with --dir and --source, "
        "compares the source's definitions with those that were exported.\n\n"
        "Limits (--max-rate, --max-replica-lag and their like) are on the "
        "source, or on the target when it alone is read.\n\n"
        "The exit status is 0 only when all was read and is equal, or differs "
        "by no more than --accept allows.",
    .takes = OPTION_SET(target) | OPTION_SET(dir) | OPTION_SET(source) |
             OPTION_SET(other_dir) | OPTION_SET(deep) | OPTION_SET(sample) |
             OPTION_SET(show) | OPTION_SET(repair_sql) | OPTION_SET(accept) |
             OPTION_SET(layers) | OPTION_SET(distinct) | OPTION_SET(report) |
             OPTION_SET(drift) | OPTION_SET(no_owner) | OPTION_SET(no_acl) |
             OPTION_SET(max_rate) | OPTION_SET(jobs) |
             OPTION_SET(max_replica_lag) | OPTION_SET(max_active_sessions) |
             OPTION_SET(on_limit) | OPTION_SET(max_snapshot_age) |
             OPTION_SET(config) | KEYING_IDENTITY_OPTIONS | SELECTING_OPTIONS |
             COPYING_TALK_OPTIONS,
    .run = run,
};
