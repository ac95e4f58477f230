/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/cutover/cutover_private.h"
#include "loader/progress/quantity.h"
#include "loader/source/check/question.h"

/* ---- one row, or a list ---- */

static const struct question about_source[] = {
    {
        .name = "source",
        .sql = "SELECT CASE WHEN pg_has_role(datdba, 'USAGE') THEN 0 ELSE 2"
               " END, format('owner of database %I is %s', datname,"
               " datdba::regrole) FROM pg_database"
               " WHERE datname = current_database()",
        .advice = "ALTER DATABASE ... SET is the owner's: connect as a member "
                  "of that role.",
    },
    {
        .name = "others' sessions",
        .sql = "SELECT CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE')"
               " THEN 0 ELSE 2 END, CASE WHEN pg_has_role('pg_read_all_stats',"
               " 'USAGE') THEN 'can be seen' ELSE 'cannot be seen' END",
        .advice = "GRANT pg_monitor to the role: who can still write has to be "
                  "known.",
    },
    {
        .name = "prepared transactions",
        .sql = "SELECT format('%s of %s, %s', gid, owner,"
               " date_trunc('second', now() - prepared))"
               " FROM pg_prepared_xacts WHERE database = current_database()",
        .none = "none",
        .what = "waiting to be committed",
        .level = FINDING_WARNING,
        .advice = "The cut-over waits for them, and is given up when they stay "
                  "(--writers-timeout): COMMIT PREPARED or ROLLBACK PREPARED.",
    },
    {
        .name = "roles",
        .sql = "SELECT setrole::regrole::text FROM pg_db_role_setting,"
               " unnest(setconfig) AS x (c) WHERE setrole <> 0"
               " AND setdatabase IN (0, (SELECT oid FROM pg_database"
               "  WHERE datname = current_database()))"
               " AND c LIKE 'default\\_transaction\\_read\\_only=%'"
               " AND NOT split_part(c, '=', 2)::boolean",
        .none = "none writes whatever the database says",
        .what = "write whatever the database says",
        .level = FINDING_WARNING,
        .advice = "Their own default_transaction_read_only is off.  When one "
                  "of them writes meanwhile, the cut-over is given up.",
    },
    {
        .name = "large objects",
        .sql = "SELECT CASE WHEN n > 0 THEN 1 ELSE 0 END, CASE WHEN n > 0 THEN"
               " n || ' are in the target as in the snapshot, and without what"
               " was written since' ELSE 'none' END"
               " FROM (SELECT count(*) AS n FROM pg_largeobject_metadata) AS x",
        .advice = "No log has their changes for a subscription: copy them by "
                  "other means when the source is read only, in the hook.",
    },
    {
        .name = "other sources",
        .sql = "SELECT subname FROM pg_subscription WHERE subenabled"
               " AND subname <> $1 AND subdbid = (SELECT oid FROM pg_database"
               "  WHERE datname = current_database())",
        .none = "the source has no subscription of its own",
        .what = "subscriptions write to the source",
        .level = FINDING_ERROR,
        .advice = "Their rows go on coming in while nobody else may write: "
                  "disable them.",
    },
    {.name = NULL},
};

static const struct question may_terminate = {
    .name = "--writers terminate",
    .sql = "SELECT CASE WHEN pg_has_role('pg_signal_backend', 'USAGE') THEN 0"
           " ELSE 2 END, CASE WHEN pg_has_role('pg_signal_backend', 'USAGE')"
           " THEN 'this role may end sessions' ELSE 'this role may not end"
           " sessions' END",
    .advice = "GRANT pg_signal_backend to the role.",
};

static const struct question about_way_back_at_source[] = {
    {
        .name = "workers",
        .sql = "SELECT CASE WHEN n > 0 THEN 0 ELSE 2 END, format('%s of %s are"
               " free at the source', n, current_setting("
               " 'max_logical_replication_workers')) FROM (SELECT"
               " current_setting('max_logical_replication_workers')::int -"
               " (SELECT count(*) FROM pg_stat_subscription"
               "  WHERE pid IS NOT NULL AND subname <> $1) AS n) AS x",
        .advice = "Raise max_logical_replication_workers, or give "
                  "--no-reverse and do without a way back.",
    },
    {
        .name = "origins",
        .sql = "SELECT CASE WHEN n > 0 THEN 0 ELSE 2 END,"
               " format('%s are free at the source', n)"
               " FROM (SELECT coalesce(current_setting("
               "  'max_active_replication_origins', true),"
               "  current_setting('max_replication_slots'))::int - (SELECT"
               "  count(*) FROM pg_replication_origin_status) AS n) AS x",
        .advice = "Raise max_replication_slots (from PostgreSQL 18 on "
                  "max_active_replication_origins), or give --no-reverse.",
    },
    {
        .name = "triggers",
        .sql = "SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger t"
               " WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal"
               " AND NOT EXISTS (SELECT FROM pg_db_role_setting s,"
               "  unnest(s.setconfig) AS x (c) WHERE s.setrole ="
               "   current_user::regrole AND s.setdatabase = (SELECT oid FROM"
               "    pg_database WHERE datname = current_database())"
               "  AND c = 'default_transaction_read_only=off')",
        .none = "none fires at the source for what comes from the target",
        .what = "tables of the source have some that fire for replicated rows",
        .level = FINDING_ERROR,
        .advice = "While the database is read only by default they cannot "
                  "write, and the way back would stop: disable them, or ALTER "
                  "ROLE ... IN DATABASE ... SET default_transaction_read_only "
                  "= off for this role (which no client may use), or give "
                  "--no-reverse.",
    },
    {.name = NULL},
};

static const struct question about_way_back_at_target[] = {
    {
        .name = "wal_level",
        .sql = "SELECT CASE current_setting('wal_level') WHEN 'logical'"
               " THEN 0 ELSE 2 END, current_setting('wal_level') ||"
               " ' at the target'",
        .advice = "Set wal_level = logical there and restart it, or give "
                  "--no-reverse and do without a way back.",
    },
    {
        .name = "slots",
        .sql = "SELECT CASE WHEN n > 0 THEN 0 ELSE 2 END,"
               " format('%s are free at the target', n)"
               " FROM (SELECT current_setting('max_replication_slots')::int -"
               " (SELECT count(*) FROM pg_replication_slots"
               "  WHERE slot_name <> $1) AS n) AS x",
        .advice = "Raise max_replication_slots, or give --no-reverse.",
    },
    {
        .name = "target",
        .sql = "SELECT CASE WHEN pg_has_role(datdba, 'USAGE') THEN 0 ELSE 2"
               " END, format('owner of database %I is %s', datname,"
               " datdba::regrole) FROM pg_database"
               " WHERE datname = current_database()",
        .advice = "For a rollback: ALTER DATABASE ... SET is the owner's.",
    },
    {.name = NULL},
};

/* Of the tables that $1, as JSON, names. */
static const struct question identities = {
    .name = "replica identity",
    .sql = "SELECT l.relid::regclass::text"
           " FROM json_array_elements($1::json) AS e (v)"
           " JOIN pg_namespace s ON s.nspname = e.v ->> 0"
           " JOIN pg_class c ON c.relnamespace = s.oid"
           "  AND c.relname = e.v ->> 1,"
           " LATERAL (SELECT c.oid AS relid WHERE c.relkind = 'r' UNION ALL"
           "  SELECT p.relid FROM pg_partition_tree(c.oid) p"
           "   WHERE c.relkind = 'p' AND p.isleaf) AS l"
           " JOIN pg_class k ON k.oid = l.relid"
           " WHERE k.relreplident = 'n' OR (k.relreplident = 'd' AND NOT"
           "  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.oid"
           "   AND i.indisprimary AND i.indisvalid))",
    .none = "every table of the target has one",
    .what = "tables of the target have none",
    .level = FINDING_ERROR,
    .advice = "Once published, UPDATE and DELETE on them fail: ALTER TABLE ... "
              "REPLICA IDENTITY FULL there, or give --no-reverse and do "
              "without a way back.",
};

/* ---- what SQL alone does not say ---- */

static int
add(struct findings *f, const char *name, enum finding_level level,
    const char *seen, const char *advice, struct err *err)
{
    return findings_add(f, &(struct finding){name, level, seen, advice}, err);
}

static int
look_at_load(struct cutover *c, struct findings *f, struct err *err)
{
    cleanup_(session_freememp) char *schema =
        session_ident(c->target, c->ledger.schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int finished, r;

    if (!schema)
        return err_nomem(err);
    snprintf(sql, sizeof sql,
             "SELECT FROM %s.run WHERE run = $1 AND finished IS NOT NULL",
             schema);
    r = session_query_params(c->target, sql, 1, &c->ledger.run, &res, err);
    if (r)
        return r;
    finished = PQntuples(res) > 0;
    return add(f, "load", finished ? FINDING_OK : FINDING_ERROR,
               finished ? "complete" : "not complete",
               "Go on with \"pghaul load\".", err);
}

/* A turn that was begun has disabled it. */
static int
look_at_leg(struct cutover *c, const struct cutover_leg *leg,
            struct findings *f, struct err *err)
{
    struct subscription_look look = {0};
    int r = leg->name[0]
                ? subscription_look(c->target, &leg->subscription, &look, err)
                : 0;

    if (r)
        return r;
    if (look.state == SUBSCRIPTION_ENABLED ||
        (look.state > SUBSCRIPTION_FOREIGN &&
         c->steps.rows[STEP_TURN].state != STEP_PENDING))
        return add(f, "subscription", FINDING_OK, leg->name, NULL, err);
    return add(
        f, "subscription", FINDING_ERROR,
        look.state == SUBSCRIPTION_NONE
            ? "the target does not follow the source"
        : look.state == SUBSCRIPTION_FOREIGN ? "the target's is not this run's"
                                             : "the target's is disabled",
        "\"pghaul handoff --to subscription\" makes and enables it.", err);
}

static int
look_at_lag(struct cutover *c, const struct cutover_leg *leg,
            struct findings *f, struct survey_estimate *e, struct err *err)
{
    char now[QUANTITY_SIZE], limit[QUANTITY_SIZE], seen[160];
    struct err failed;
    uint64_t lag;

    if (subscription_lag(c->source, leg->subscription.slot, &lag, &failed)) {
        *err = failed;
        return question_failed(f, "slot", FINDING_ERROR, err);
    }
    if (lag > e->lag)
        e->lag = lag;
    snprintf(seen, sizeof seen, "%s, the limit is %s", quantity_bytes(now, lag),
             quantity_bytes(limit, c->params->max_lag));
    return add(f, "lag",
               lag <= c->params->max_lag ? FINDING_OK : FINDING_WARNING, seen,
               "The cut-over waits until it is less (--lag-timeout).", err);
}

static int
look_at_sessions(struct cutover *c, struct findings *f,
                 struct survey_estimate *e, struct err *err)
{
    int refused = c->params->writers == STILL_REFUSE;
    struct still_count n;
    char seen[160];
    int r = still_count(c->source, &n, err);

    if (r)
        return r;
    e->n_sessions = n.n_sessions;
    e->n_busy = n.n_busy;
    snprintf(seen, sizeof seen, "%u of others in the source, %u of them busy",
             n.n_sessions, n.n_busy);
    return add(f, "sessions",
               refused && n.n_sessions > 0 ? FINDING_ERROR : FINDING_OK, seen,
               "Stop the clients, or give \"--writers wait\" or \"--writers "
               "terminate\".",
               err);
}

/* Of an epoch; the first one's name. */
static int
count_left_out(struct cutover *c, unsigned epoch, char *first, size_t size,
               uint64_t *n, struct err *err)
{
    uint32_t last = 0;
    int r = 0;

    while (!r) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;

        r = capture_next_table(c->catalog, epoch, last, &t, err);
        if (r)
            break;
        last = t->oid;
        if (t->member == 0 && (*n)++ == 0)
            snprintf(first, size, "%s.%s", t->schema, t->name);
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

/* Tables that were copied, and have stayed as they were in the snapshot. */
static int
look_at_left_out(struct cutover *c, struct findings *f, struct err *err)
{
    char seen[512] = "";
    uint64_t n = 0;
    int r = 0;

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = count_left_out(c, c->legs[i].capture->epoch, seen, sizeof seen / 2,
                           &n, err);
    if (r)
        return r;
    if (n == 0)
        return add(f, "tables", FINDING_OK, "all are followed", NULL, err);
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen),
             ": %" PRIu64 " table%s in the target as in the snapshot, and "
             "without what was written since",
             n, n == 1 ? " is" : "s are");
    return add(f, "tables", FINDING_WARNING, seen,
               "No log has their changes (unlogged, or without a replica "
               "identity): copy them by other means when the source is read "
               "only, in the hook.",
               err);
}

/* The source's server itself connects to the target: it is let try. */
static int
try_way_back(struct cutover *c, struct findings *f, struct err *err)
{
    if (subscription_try(c->source, &c->reverse, err))
        return question_failed(f, "way back", FINDING_ERROR, err);
    return add(f, "way back", FINDING_OK,
               "the source's server can connect to the target", NULL, err);
}

/* ---- all of it ---- */

static int
ask_all(const struct question *q, struct session *s, const char *parameter,
        struct findings *f, struct err *err)
{
    int r = 0;

    for (; q->name && !r; q++)
        r = question_ask(q, s, strstr(q->sql, "$1") ? parameter : NULL, f, err);
    return r;
}

static int
survey_way_back(struct cutover *c, struct findings *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *members = NULL;
    int r =
        ask_all(about_way_back_at_source, c->source, c->reverse_name, f, err);

    if (!r)
        r = ask_all(about_way_back_at_target, c->target, c->reverse_name, f,
                    err);
    if (!r)
        r = reverse_members(c, &members, err);
    if (!r)
        r = question_ask(&identities, c->target, PQgetvalue(members, 0, 0), f,
                         err);
    return r ? r : try_way_back(c, f, err);
}

int
survey(struct cutover *c, struct findings *f, struct survey_estimate *ret,
       struct err *err)
{
    int r = look_at_load(c, f, err);

    *ret = (struct survey_estimate){0};
    for (unsigned i = 0; i < c->n_legs && !r; i++) {
        r = look_at_leg(c, &c->legs[i], f, err);
        if (!r)
            r = look_at_lag(c, &c->legs[i], f, ret, err);
    }
    if (!r)
        r = ask_all(about_source, c->source, c->reverse_name, f, err);
    if (!r && c->params->writers == STILL_TERMINATE)
        r = question_ask(&may_terminate, c->source, NULL, f, err);
    if (!r)
        r = look_at_sessions(c, f, ret, err);
    if (!r)
        r = look_at_left_out(c, f, err);
    if (!r && !c->params->no_reverse)
        r = survey_way_back(c, f, err);
    return r ? r : survey_measure(c, ret, err);
}
