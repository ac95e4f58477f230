/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/subscription.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/catalog/capture.h"

enum {
    IDLE_WAIT_MS = 30000, /* until a worker that was told to end has ended */
    NAP_US = 50000,
};

#define MARK "pghaul run "

/* ---- look ---- */

/*
 * The connection string is the superusers' to see, so no row is asked for as a
 * whole.  A worker that serves another one, or copies a table, is none that
 * applies.
 */
static const char look_sql[] =
    "SELECT coalesce(pg_catalog.obj_description(s.oid, 'pg_subscription'), '')"
    "  = '" MARK "' || $2, s.subenabled,"
    " s.subslotname IS NOT DISTINCT FROM $3"
    "  AND s.subpublications = ARRAY[$4], 'pg_' || s.oid::text,"
    " coalesce((SELECT pg_catalog.max(w.pid)"
    "  FROM pg_catalog.pg_stat_subscription w WHERE w.subid = s.oid"
    "  AND w.relid IS NULL"
    "  AND pg_catalog.to_jsonb(w) ->> 'leader_pid' IS NULL), 0),"
    " CASE WHEN pg_catalog.has_function_privilege("
    "   'pg_catalog.pg_replication_origin_progress(text, boolean)', 'EXECUTE')"
    "  THEN coalesce(pg_catalog.pg_replication_origin_progress("
    "   'pg_' || s.oid::text, true), '0/0') ELSE '0/0' END, %s"
    " FROM pg_catalog.pg_subscription s WHERE s.subname = $1"
    "  AND s.subdbid = (SELECT oid FROM pg_catalog.pg_database"
    "   WHERE datname = pg_catalog.current_database())";

static const char errors_sql[] =
    "coalesce((SELECT t.apply_error_count"
    " FROM pg_catalog.pg_stat_subscription_stats t WHERE t.subid = s.oid), 0)";

enum { STATS_VERSION = 150000 };

static enum subscription_state
state_of(const PGresult *res, uint64_t position)
{
    if (PQgetvalue(res, 0, 0)[0] != 't')
        return SUBSCRIPTION_FOREIGN;
    if (PQgetvalue(res, 0, 1)[0] == 't')
        return SUBSCRIPTION_ENABLED;
    return position ? SUBSCRIPTION_PLACED : SUBSCRIPTION_MADE;
}

static void
read_look(const PGresult *res, struct subscription_look *ret)
{
    capture_parse_lsn(PQgetvalue(res, 0, 5), &ret->position);
    ret->state = state_of(res, ret->position);
    ret->fits = PQgetvalue(res, 0, 2)[0] == 't';
    snprintf(ret->origin, sizeof ret->origin, "%s", PQgetvalue(res, 0, 3));
    ret->worker_pid = atoi(PQgetvalue(res, 0, 4));
    ret->n_errors = strtoull(PQgetvalue(res, 0, 6), NULL, 10);
}

int
subscription_look(struct session *s, const struct subscription *x,
                  struct subscription_look *ret, struct err *err)
{
    const char *const values[] = {x->name, x->run_id, x->slot, x->publication};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[sizeof look_sql + sizeof errors_sql];
    int r;

    snprintf(sql, sizeof sql, look_sql,
             session_server_version(s) < STATS_VERSION ? "0" : errors_sql);
    r = session_query_params(s, sql, 4, values, &res, err);
    if (r)
        return r;
    *ret = (struct subscription_look){0};
    if (PQntuples(res) > 0)
        read_look(res, ret);
    return 0;
}

/* ---- options ---- */

/* Those that may be chosen.  What a server makes of a value is its own. */
static const struct {
    const char *name;
    int version; /* the first that knows it */
} known_options[] = {
    {"binary", 140000},
    {"disable_on_error", 150000},
    {"failover", 170000},
    {"origin", 160000},
    {"password_required", 160000},
    {"run_as_owner", 160000},
    {"streaming", 140000},
    {"synchronous_commit", 100000},
    {"two_phase", 150000},
};

static int
refuse_option(const char *option, const char *why, struct err *err)
{
    err_set(err, ERR_USAGE, "invalid option \"%s\" of a subscription", option);
    err_detail(err, "%s", why);
    return err_hint(err, "There are binary, disable_on_error, failover, "
                         "origin, password_required, run_as_owner, streaming, "
                         "synchronous_commit and two_phase: "
                         "\"streaming=on\".");
}

int
subscription_option_check(const char *option, int version, struct err *err)
{
    size_t len = strcspn(option, "=");
    char why[80];

    if (!option[len] || !option[len + 1])
        return refuse_option(option, "It is no NAME=VALUE.", err);
    for (unsigned i = 0; i < sizeof known_options / sizeof *known_options;
         i++) {
        if (strlen(known_options[i].name) != len ||
            memcmp(known_options[i].name, option, len) != 0)
            continue;
        if (version == 0 || version >= known_options[i].version)
            return 0;
        snprintf(why, sizeof why, "It came with PostgreSQL %d, this is %d.",
                 known_options[i].version / 10000, version / 10000);
        return refuse_option(option, why, err);
    }
    return refuse_option(option, "It is not one that can be chosen.", err);
}

static int
add_options(FILE *to, struct session *s, const struct subscription *x,
            struct err *err)
{
    for (unsigned i = 0; i < x->n_options; i++) {
        const char *o = x->options[i];
        size_t len = strcspn(o, "=");
        int r = subscription_option_check(o, session_server_version(s), err);
        cleanup_(session_freememp) char *value =
            r ? NULL : session_literal(s, o + len + 1);

        if (r)
            return r;
        fprintf(to, ", %.*s = %s", (int)len, o, value ? value : "");
    }
    return 0;
}

/* ---- make ---- */

/* The statement holds what may be a password.  Who may not change what is
   logged changes nothing. */
static const char hush[] =
    "SELECT pg_catalog.set_config(name, CASE WHEN name = 'log_statement'"
    "  THEN 'none' WHEN name = 'log_min_error_statement' THEN 'panic'"
    "  ELSE '-1' END, true) FROM pg_catalog.pg_settings"
    " WHERE name IN ('log_statement', 'log_min_error_statement',"
    "  'log_min_duration_statement', 'log_min_duration_sample')"
    " AND pg_catalog.current_setting('is_superuser') = 'on'";

static int
write_statement(FILE *to, struct session *s, const struct subscription *x,
                struct err *err)
{
    cleanup_(session_freememp) char *name = session_ident(s, x->name);
    cleanup_(session_freememp) char *conninfo = session_literal(s, x->conninfo);
    cleanup_(session_freememp) char *pub = session_ident(s, x->publication);
    cleanup_(session_freememp) char *slot = session_literal(s, x->slot);
    cleanup_(session_freememp) char *mark = NULL;
    char whose[80];

    snprintf(whose, sizeof whose, MARK "%s", x->run_id);
    mark = session_literal(s, whose);
    if (!name || !conninfo || !pub || !slot || !mark)
        return err_nomem(err);
    fprintf(to,
            "CREATE SUBSCRIPTION %s CONNECTION %s PUBLICATION %s WITH"
            " (connect = true, create_slot = false, copy_data = false,"
            " enabled = false, slot_name = %s",
            name, conninfo, pub, slot);
    if (add_options(to, s, x, err))
        return -1;
    fprintf(to, "); COMMENT ON SUBSCRIPTION %s IS %s", name, mark);
    return 0;
}

static int
statement(char **ret, struct session *s, const struct subscription *x,
          struct err *err)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);
    int r;

    if (!f)
        return err_nomem(err);
    r = write_statement(f, s, x, err);
    if (fclose(f) != 0 && !r)
        r = err_nomem(err);
    if (r)
        free(sql);
    else
        *ret = sql;
    return r;
}

static int
judge(const struct session *s, struct err *err)
{
    static const struct {
        const char *sqlstate, *hint;
    } known[] = {
        {"08006", "The target's server itself connects to the source: give a "
                  "string that is right from there, and see to it that its "
                  "pg_hba.conf lets it in and its password is known there "
                  "(a passfile of the server's, or --store-password)."},
        {"55P03", "Another session holds a lock on one of the tables: wait "
                  "until it is done and run this again."},
        {"2F003", "A password must be in the subscription: give "
                  "--store-password, or let a superuser set "
                  "password_required=false."},
    };

    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(err->sqlstate, known[i].sqlstate) == 0) {
            err->class = ERR_REFUSED;
            return err_hint(err, "%s", known[i].hint);
        }
    if (strcmp(err->sqlstate, "42501") == 0) { /* insufficient_privilege */
        err->class = ERR_REFUSED;
        return session_server_version(s) < 160000
                   ? err_hint(err, "Before PostgreSQL 16 only a superuser may "
                                   "make a subscription.")
                   : err_hint(err, "GRANT pg_create_subscription, and CREATE "
                                   "on the database, to the role.");
    }
    return -1;
}

static int
create(struct session *s, const struct subscription *x, const char *end,
       struct err *err)
{
    cleanup_(freep) char *sql = NULL;
    struct err ignored;
    int r = statement(&sql, s, x, err);

    if (r)
        return r;
    r = session_exec(s, "BEGIN; SET LOCAL lock_timeout = '10s'", err);
    if (!r)
        r = session_exec(s, hush, err);
    if (!r && session_exec(s, sql, err))
        r = judge(s, err);
    if (!r)
        return session_exec(s, end, err);
    session_exec(s, "ROLLBACK", &ignored);
    return r;
}

static int
refuse_foreign(const struct subscription *x, struct err *err)
{
    err_set(err, ERR_REFUSED, "subscription \"%s\" is not this run's", x->name);
    return err_hint(err, "Drop it, or choose another name with "
                         "--subscription.");
}

static int
refuse_misfit(const struct subscription *x, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "subscription \"%s\" has another slot or publication than \"%s\" "
            "and \"%s\"",
            x->name, x->slot, x->publication);
    return err_hint(err, "Somebody has altered it: drop it after setting its "
                         "slot_name to NONE, or alter it back.");
}

/* Look, and refuse to touch what is somebody else's. */
static int
look_at_ours(struct session *s, const struct subscription *x,
             struct subscription_look *ret, struct err *err)
{
    int r = subscription_look(s, x, ret, err);

    if (r || ret->state == SUBSCRIPTION_NONE)
        return r;
    if (ret->state == SUBSCRIPTION_FOREIGN)
        return refuse_foreign(x, err);
    return ret->fits ? 0 : refuse_misfit(x, err);
}

int
subscription_make(struct session *s, const struct subscription *x,
                  struct err *err)
{
    struct subscription_look look;
    int r = look_at_ours(s, x, &look, err);

    return r || look.state != SUBSCRIPTION_NONE ? r
                                                : create(s, x, "COMMIT", err);
}

int
subscription_try(struct session *s, const struct subscription *x,
                 struct err *err)
{
    struct subscription_look look;
    int r = look_at_ours(s, x, &look, err);

    return r || look.state != SUBSCRIPTION_NONE ? r
                                                : create(s, x, "ROLLBACK", err);
}

/* ---- place ---- */

static int
may_place(struct session *s, int *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(
        s,
        "SELECT pg_catalog.has_function_privilege("
        " 'pg_catalog.pg_replication_origin_advance(text, pg_lsn)', 'EXECUTE')",
        &res, err);

    if (!r)
        *ret = PQgetvalue(res, 0, 0)[0] == 't';
    return r;
}

static int
advance(struct session *s, const char *origin, uint64_t lsn, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char at[CAPTURE_LSN];
    const char *const values[] = {origin, capture_lsn(at, lsn)};

    return session_query_params(
        s,
        "SELECT pg_catalog.pg_replication_origin_advance($1::text,"
        " $2::pg_catalog.pg_lsn)",
        2, values, &res, err);
}

static int
refuse_gone(const struct subscription *x, struct err *err)
{
    return err_set(err, ERR_REFUSED, "there is no subscription \"%s\" any more",
                   x->name);
}

int
subscription_place(struct session *s, const struct subscription *x,
                   struct err *err)
{
    struct subscription_look look;
    int may = 0, r = look_at_ours(s, x, &look, err);

    if (!r && look.state == SUBSCRIPTION_NONE)
        r = refuse_gone(x, err);
    if (r || look.state == SUBSCRIPTION_ENABLED || x->lsn == 0 ||
        look.position >= x->lsn)
        return r;
    r = may_place(s, &may, err);
    if (r || !may)
        return r ? r : SUBSCRIPTION_E_BY_SLOT;
    return advance(s, look.origin, x->lsn, err);
}

/* ---- enable, disable, drop ---- */

static int
alter(struct session *s, const struct subscription *x, const char *how,
      struct err *err)
{
    cleanup_(session_freememp) char *name = session_ident(s, x->name);

    if (!name)
        return err_nomem(err);
    return session_execf(s, err, how, name, name, name);
}

int
subscription_enable(struct session *s, const struct subscription *x,
                    struct err *err)
{
    struct subscription_look look;
    int r = look_at_ours(s, x, &look, err);

    if (!r && look.state == SUBSCRIPTION_NONE)
        r = refuse_gone(x, err);
    if (r || look.state == SUBSCRIPTION_ENABLED)
        return r;
    return alter(s, x, "ALTER SUBSCRIPTION %s ENABLE", err);
}

static int
wait_until_idle(struct session *s, const struct subscription *x,
                struct err *err)
{
    uint64_t deadline = clock_ms() + IDLE_WAIT_MS;
    struct subscription_look look;
    int r;

    while (!(r = subscription_look(s, x, &look, err)) && look.worker_pid) {
        if (clock_ms() >= deadline)
            return err_set(err, ERR_SERVER,
                           "subscription \"%s\" is disabled, but process %d "
                           "still applies its changes",
                           x->name, look.worker_pid);
        clock_nap_us(NAP_US);
    }
    return r;
}

int
subscription_disable(struct session *s, const struct subscription *x,
                     struct err *err)
{
    struct subscription_look look;
    int r = look_at_ours(s, x, &look, err);

    if (r || look.state == SUBSCRIPTION_NONE)
        return r;
    if (look.state == SUBSCRIPTION_ENABLED)
        r = alter(s, x, "ALTER SUBSCRIPTION %s DISABLE", err);
    return r ? r : wait_until_idle(s, x, err);
}

/* Whatever slot it has been given meanwhile: it stays, and so it may be ours
   without fitting. */
int
subscription_drop(struct session *s, const struct subscription *x,
                  struct err *err)
{
    struct subscription_look look;
    int r = subscription_look(s, x, &look, err);

    if (r || look.state == SUBSCRIPTION_NONE)
        return r;
    if (look.state == SUBSCRIPTION_FOREIGN)
        return refuse_foreign(x, err);
    return alter(s, x,
                 "ALTER SUBSCRIPTION %s DISABLE; "
                 "ALTER SUBSCRIPTION %s SET (slot_name = NONE); "
                 "DROP SUBSCRIPTION %s",
                 err);
}

static int
names_of_run(struct session *s, const char *run_id, PGresult **ret,
             struct err *err)
{
    return session_query_params(
        s,
        "SELECT s.subname FROM pg_catalog.pg_subscription s WHERE s.subdbid ="
        "  (SELECT oid FROM pg_catalog.pg_database"
        "   WHERE datname = pg_catalog.current_database())"
        " AND pg_catalog.obj_description(s.oid, 'pg_subscription')"
        "  = '" MARK "' || $1",
        1, &run_id, ret, err);
}

int
subscription_drop_of_run(struct session *s, const char *run_id,
                         void (*tell)(void *arg, const char *what), void *arg,
                         struct err *err)
{
    cleanup_(session_clearp) PGresult *names = NULL;
    int r = names_of_run(s, run_id, &names, err);

    for (int i = 0; !r && i < PQntuples(names); i++) {
        const struct subscription x = {.name = PQgetvalue(names, i, 0),
                                       .run_id = run_id,
                                       .slot = "",
                                       .publication = ""};
        char text[256];

        r = subscription_drop(s, &x, err);
        snprintf(text, sizeof text, "subscription \"%s\" is dropped", x.name);
        if (!r)
            tell(arg, text);
    }
    return r;
}
