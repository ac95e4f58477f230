/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loader/catalog/proven.h"
#include "loader/handoff/check.h"
#include "loader/handoff/finding.h"
#include "loader/progress/quantity.h"
#include "loader/source/check/question.h"
#include "loader/target/ledger.h"

static int
check_load(const struct check_params *p, struct findings *f, struct err *err)
{
    static const char load[] = "Repeat the command that loads it.";
    const struct ledger l = {.schema = p->ledger_schema,
                             .run = p->facts->run_id};
    enum ledger_progress progress;
    int r = ledger_look(&l, p->target, &progress, err);

    if (r)
        return question_failed(f, "load", FINDING_ERROR, err);
    switch (progress) {
    case LEDGER_FINISHED:
        return finding_ok(f, err, "load", "complete, says the target's ledger");
    case LEDGER_BEGUN:
        /* A foreign key between epochs holds when both have caught up.  That
           nothing else is missing is for the proof to say. */
        if (p->n_epochs > 1 && !p->unproven)
            return finding_warning(f, err, "load",
                                   "Repeat the command that loads it when the "
                                   "subscriptions have caught up.",
                                   "not complete: a foreign key may wait for "
                                   "the changes of another epoch");
        return finding_error(f, err, "load", load, "not complete");
    default:
        return finding_error(f, err, "load", load,
                             "the target knows nothing of this run");
    }
}

/* What is handed to itself is not handed over. */
static int
check_other(const struct check_params *p, struct findings *f, struct err *err)
{
    const struct capture *m = p->epochs[0].capture;
    struct place target;
    int r = place_ask(&target, p->target, err);

    if (!r && place_is(&target, m->system_id, m->database))
        return finding_error(f, err, "target",
                             "Give the database that the run was loaded into.",
                             "it is the source itself");
    return r ? r : check_load(p, f, err);
}

/* ---- proof ---- */

static int
unproven(const struct check_params *p, struct findings *f, struct err *err,
         const char *seen)
{
    static const char verify[] = "Run \"pghaul verify\" before the target is "
                                 "written to, or give --unproven.";

    return p->unproven ? finding_warning(f, err, "proof", verify, "%s", seen)
                       : finding_error(f, err, "proof", verify, "%s", seen);
}

static int
judge_proof(const struct check_params *p, const struct proven *x,
            const struct place *target, struct findings *f, struct err *err)
{
    time_t at = (time_t)x->at;
    char when[32];
    struct tm tm;

    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &tm));
    if (!x->equal)
        return unproven(p, f, err,
                        "the last verification has found differences");
    if (target && !place_is(target, x->system_id, x->database))
        return unproven(p, f, err, "it was another target that was verified");
    return finding_ok(f, err, "proof",
                      "equal: %" PRIu64 " rows in %" PRIu64
                      " tables of \"%s\", at %s",
                      x->n_rows, x->n_tables, x->database, when);
}

static int
check_proof(const struct check_params *p, struct findings *f, struct err *err)
{
    struct proven x = {0};
    struct place target;
    int r = p->target ? place_ask(&target, p->target, err) : 0;

    if (!r)
        r = proven_read(&x, p->catalog, err);
    if (r == PROVEN_E_NONE)
        return unproven(p, f, err, "nothing was verified so far");
    if (!r)
        r = judge_proof(p, &x, p->target ? &target : NULL, f, err);
    proven_clear(&x);
    return r;
}

/* ---- a subscription ---- */

static const struct question about_subscriber[] = {
    {
        .name = "apply workers",
        .sql = "SELECT CASE WHEN free < $1::int THEN 2 ELSE 0 END,"
               " format('%s of max_logical_replication_workers are free',"
               "  greatest(free, 0)) FROM (SELECT least("
               "  current_setting('max_logical_replication_workers')::int"
               "   - (SELECT count(*) FROM pg_stat_activity WHERE backend_type"
               "    LIKE 'logical replication % worker'),"
               "  current_setting('max_worker_processes')::int - 1) AS free)"
               " AS x",
        .advice = "Raise max_logical_replication_workers (and "
                  "max_worker_processes) at the target, and restart it.",
    },
    {
        .name = "replication origins",
        .sql = "SELECT CASE WHEN n + $1::int > most THEN 2 ELSE 0 END,"
               " format('%s of %s are in use', n, most) FROM (SELECT"
               "  (SELECT count(*) FROM pg_replication_origin) AS n,"
               "  coalesce("
               "   current_setting('max_active_replication_origins', true),"
               "   current_setting('max_replication_slots'))::int AS most)"
               " AS x",
        .advice = "Raise max_active_replication_origins (before PostgreSQL "
                  "18: max_replication_slots) at the target, and restart it.",
    },
};

static int
check_room(const struct check_params *p, struct findings *f, struct err *err)
{
    char wanted[16];
    unsigned n = 0;
    int r = 0;

    for (unsigned i = 0; i < p->n_epochs; i++)
        n += p->epochs[i].subscription && !p->epochs[i].follows;
    if (n == 0)
        return 0;
    snprintf(wanted, sizeof wanted, "%u", n);

    for (unsigned i = 0;
         i < sizeof about_subscriber / sizeof *about_subscriber && !r; i++)
        r = question_ask(&about_subscriber[i], p->target, wanted, f, err);
    return r;
}

static int
check_reach(const struct check_params *p, const struct check_epoch *e,
            struct findings *f, struct err *err)
{
    if (p->by_localhost)
        return finding_error(f, err, "subscription",
                             "Give --subscription-conninfo: how the target's "
                             "server reaches the source.",
                             "the source is called \"localhost\", which is "
                             "another machine for the target");
    if (subscription_try(p->target, e->subscription, err))
        return question_failed(f, "subscription", FINDING_ERROR, err);
    return finding_ok(f, err, "subscription",
                      "\"%s\" can be made, the target reaches the source",
                      e->subscription->name);
}

static int
check_lag(const struct check_params *p, const struct check_epoch *e,
          struct findings *f, struct err *err)
{
    char text[QUANTITY_SIZE];
    uint64_t lag;

    if (subscription_lag(p->source, e->subscription->slot, &lag, err))
        return question_failed(f, "subscription", FINDING_ERROR, err);
    return finding_ok(f, err, "subscription", "\"%s\" follows, %s behind",
                      e->subscription->name, quantity_bytes(text, lag));
}

int
check_subscription(const struct check_params *p, const struct check_epoch *e,
                   struct findings *f, struct err *err)
{
    return e->follows ? check_lag(p, e, f, err) : check_reach(p, e, f, err);
}

/* ---- all of it ---- */

static int
any_follows(const struct check_params *p)
{
    for (unsigned i = 0; i < p->n_epochs; i++)
        if (p->epochs[i].follows)
            return 1;
    return 0;
}

int
check_target(const struct check_params *p, struct findings *f, struct err *err)
{
    int r = p->target ? check_other(p, f, err)
                      : finding_warning(f, err, "load",
                                        "With --target its ledger is looked "
                                        "at.",
                                        "nobody was asked");

    if (!r && !any_follows(p))
        r = check_proof(p, f, err);
    return r || !p->target ? r : check_room(p, f, err);
}
