/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/still.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"

enum {
    NAP_US = 20000,
    TELL_MS = 2000,
    DYING_MS = 10000, /* for a session that was told to end */
};

/* ---- the setting ---- */

int
still_let_write(struct session *s, struct err *err)
{
    return session_exec(s, "SET default_transaction_read_only = off", err);
}

int
still_look(struct session *s, char ret[STILL_VALUE], struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(
        s,
        "SELECT pg_catalog.substr(x.c, 31) FROM pg_catalog.pg_db_role_setting"
        " s, pg_catalog.unnest(s.setconfig) AS x (c) WHERE s.setrole = 0"
        " AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database"
        "  WHERE datname = pg_catalog.current_database())"
        " AND x.c LIKE 'default\\_transaction\\_read\\_only=%'",
        &res, err);

    if (!r)
        snprintf(ret, STILL_VALUE, "%s",
                 PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : STILL_UNSET);
    return r;
}

char *
still_put_back_sql(struct session *s, const char *was)
{
    cleanup_(session_freememp) char *name =
        session_ident(s, PQdb(session_conn(s)));
    cleanup_(session_freememp) char *value = session_literal(s, was);
    char *sql = NULL;
    int n;

    if (!name || !value)
        return NULL;
    if (strcmp(was, STILL_UNSET) == 0)
        n = asprintf(&sql,
                     "ALTER DATABASE %s RESET default_transaction_read_only",
                     name);
    else
        n = asprintf(&sql,
                     "ALTER DATABASE %s SET default_transaction_read_only = %s",
                     name, value);
    return n < 0 ? NULL : sql;
}

int
still_put_back(struct session *s, const char *was, struct err *err)
{
    cleanup_(freep) char *sql = still_put_back_sql(s, was);

    return sql ? session_exec(s, sql, err) : err_nomem(err);
}

/* The clock is read after the commit: who is older may have seen the default
   as it was before. */
int
still_set(struct session *s, char since[STILL_VALUE], struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = still_put_back(s, "on", err);

    if (!r)
        r = session_query(s, "SELECT pg_catalog.clock_timestamp()", &res, err);
    if (!r)
        snprintf(since, STILL_VALUE, "%s", PQgetvalue(res, 0, 0));
    return r;
}

/* ---- who could write ---- */

/* Where it is not ours to see when a session began, it counts as old. */
#define OTHERS                                                                 \
    " FROM pg_catalog.pg_stat_activity a"                                      \
    " WHERE a.datname = pg_catalog.current_database()"                         \
    " AND a.pid <> pg_catalog.pg_backend_pid()"                                \
    " AND coalesce(a.backend_type, '') NOT IN"                                 \
    "  ('autovacuum worker', 'walsender', 'parallel worker')"                  \
    " AND coalesce(a.backend_type, '') NOT LIKE 'logical replication %'"       \
    " AND (a.backend_start <= $1::timestamptz OR a.backend_start IS NULL)"

static const char others_sql[] =
    "SELECT a.pid, coalesce(a.state, '') = 'idle',"
    " pg_catalog.format('pid %s (%s, user %s), %s%s', a.pid,"
    "  coalesce(nullif(a.application_name, ''), a.backend_type, '?'),"
    "  coalesce(a.usename, '?'), coalesce(a.state, 'state unknown'),"
    "  coalesce(' for ' || pg_catalog.date_trunc('second',"
    "   pg_catalog.clock_timestamp() - a.state_change)::text, ''))" OTHERS
    " ORDER BY a.pid";

static const char prepared_sql[] =
    "SELECT pg_catalog.format('prepared transaction %L of user %s', gid, owner)"
    " FROM pg_catalog.pg_prepared_xacts"
    " WHERE database = pg_catalog.current_database() ORDER BY prepared";

int
still_count(struct session *s, struct still_count *ret, struct err *err)
{
    const char *const values[] = {"infinity"};
    cleanup_(session_clearp) PGresult *res = NULL, *prepared = NULL;
    int r = session_query_params(
        s,
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER"
        " (WHERE coalesce(a.state, '') <> 'idle')" OTHERS,
        1, values, &res, err);

    if (!r)
        r = session_query(s, prepared_sql, &prepared, err);
    if (r)
        return r;
    *ret = (struct still_count){
        .n_sessions = (unsigned)atoi(PQgetvalue(res, 0, 0)),
        .n_busy = (unsigned)atoi(PQgetvalue(res, 0, 1)),
        .n_prepared = (unsigned)PQntuples(prepared),
    };
    return 0;
}

/* ---- waiting ---- */

struct wait {
    struct session *session;
    const struct still_params *params;
    const char *since;
    uint64_t begun_ms, told_ms;
    unsigned n; /* left, in the last look */
    char who[512];
};

static void
name(struct wait *w, const char *who)
{
    size_t len = strlen(w->who);

    if (w->n++ < 3)
        snprintf(w->who + len, sizeof w->who - len, "%s%s", len ? "; " : "",
                 who);
}

static int
is_over(const struct wait *w)
{
    return w->params->writers == STILL_REFUSE ||
           clock_ms() - w->begun_ms >= w->params->timeout_ms;
}

static int
judge_terminate(struct err *err)
{
    if (strcmp(err->sqlstate, "42501") != 0)
        return -1;
    err->class = ERR_REFUSED;
    return err_hint(err, "GRANT pg_signal_backend to the role; sessions of "
                         "superusers are for superusers to end.");
}

static int
terminate(struct wait *w, const char *pid, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;

    return session_query_params(w->session,
                                "SELECT pg_catalog.pg_terminate_backend($1)", 1,
                                &pid, &res, err)
               ? judge_terminate(err)
               : 0;
}

static int
look_at_sessions(struct wait *w, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r =
        session_query_params(w->session, others_sql, 1, &w->since, &res, err);

    for (int i = 0; !r && i < PQntuples(res); i++) {
        name(w, PQgetvalue(res, i, 2));
        if (w->params->writers == STILL_TERMINATE &&
            (PQgetvalue(res, i, 1)[0] == 't' || is_over(w)))
            r = terminate(w, PQgetvalue(res, i, 0), err);
    }
    return r;
}

static int
look_at_prepared(struct wait *w, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(w->session, prepared_sql, &res, err);

    for (int i = 0; !r && i < PQntuples(res); i++)
        name(w, PQgetvalue(res, i, 0));
    return r;
}

static int
refuse(const struct wait *w, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "%u session%s or prepared transaction%s can "
            "still write to database \"%s\"",
            w->n, w->n == 1 ? "" : "s", w->n == 1 ? "" : "s",
            PQdb(session_conn(w->session)));
    err_detail(err, "%s%s.", w->who, w->n > 3 ? "; ..." : "");
    return err_hint(err, "End them, or wait longer with --writers-timeout; "
                         "\"--writers terminate\" ends sessions, but not "
                         "prepared transactions.");
}

/* 1: nobody is left. */
static int
look(struct wait *w, struct err *err)
{
    uint64_t grace =
        w->params->writers == STILL_TERMINATE ? (uint64_t)DYING_MS : 0;
    int r;

    w->n = 0;
    w->who[0] = '\0';
    r = look_at_sessions(w, err);
    if (!r)
        r = look_at_prepared(w, err);
    if (r || w->n == 0)
        return r ? r : 1;
    if (is_over(w) && clock_ms() - w->begun_ms >= w->params->timeout_ms + grace)
        return refuse(w, err);
    return w->params->writers == STILL_REFUSE ? refuse(w, err) : 0;
}

static void
tell(struct wait *w)
{
    char text[600];

    if (!w->params->tell || clock_ms() - w->told_ms < TELL_MS)
        return;
    w->told_ms = clock_ms();
    snprintf(text, sizeof text, "%u left that can write: %s%s", w->n, w->who,
             w->n > 3 ? "; ..." : "");
    w->params->tell(w->params->arg, text);
}

int
still_wait(struct session *s, const struct still_params *p, const char *since,
           struct err *err)
{
    struct wait w = {.session = s,
                     .params = p,
                     .since = since,
                     .begun_ms = clock_ms(),
                     .told_ms = clock_ms()};
    int r;

    while ((r = look(&w, err)) == 0) {
        if (p->stop && stop_level(p->stop) != STOP_RUN)
            return err_set(err, ERR_CANCELLED, "interrupted");
        tell(&w);
        clock_nap_us(NAP_US);
    }
    return r < 0 ? r : 0;
}
