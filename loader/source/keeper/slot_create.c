/* SPDX-License-Identifier: PostgreSQL */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "loader/catalog/capture.h"
#include "loader/source/keeper/slot.h"
#include "loader/source/keeper/slot_private.h"

enum {
    BEAT_MS = 100,
    SAY_AFTER_MS = 3000, /* most are made at once */
    SAY_EVERY_MS = 10000,
    TRY_MS = 1000,
};

struct making {
    const struct slot_params *params;
    struct session *session;     /* the replication connection */
    struct session *questions;   /* another one */
    uint64_t say_ms, timeout_ms; /* when */
    int is_try;
};

/* ---- what is in the way ---- */

/*
 * Words only, so that no value of a statement is shown.  Those that hold a
 * transaction id stand in the way, whatever their database; whose they are may
 * be hidden from us, but not whom we wait for.
 */
static const char blockers_sql[] =
    "SELECT pg_catalog.format('pid %s (%s%s), %s, %s%s', a.pid,"
    "  coalesce(nullif(a.application_name, ''), 'no name'),"
    "  coalesce(', user ' || a.usename, ''),"
    "  coalesce('open for ' || pg_catalog.date_trunc('second',"
    "   pg_catalog.clock_timestamp() - a.xact_start), 'of unknown age'),"
    "  coalesce(a.state, 'state unknown'),"
    "  coalesce(': ' || pg_catalog.substring(a.query,"
    "   '^\\s*(\\w+(?:\\s+\\w+){0,2})'), '')), 0, a.xact_start"
    " FROM pg_catalog.pg_stat_activity a WHERE a.pid <> $1 AND"
    "  (a.pid = ANY (pg_catalog.pg_blocking_pids($1))"
    "   OR a.backend_xid IS NOT NULL AND a.xact_start < (SELECT b.query_start"
    "     FROM pg_catalog.pg_stat_activity b WHERE b.pid = $1)) "
    "UNION ALL SELECT pg_catalog.format('prepared transaction %L (user %s,"
    " database %s), prepared %s ago', gid, owner, database,"
    "  pg_catalog.date_trunc('second',"
    "   pg_catalog.clock_timestamp() - prepared)), 1, prepared"
    " FROM pg_catalog.pg_prepared_xacts "
    "ORDER BY 2, 3 NULLS FIRST LIMIT 5";

/* "pid 7 (psql), ...; prepared transaction 'x', ..." or "". */
static void
name_blockers(struct making *m, char *to, size_t size)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char pid[16];
    const char *const values[] = {pid};
    struct err ignored;
    size_t len = 0;

    to[0] = '\0';
    snprintf(pid, sizeof pid, "%d", PQbackendPID(session_conn(m->session)));
    if (session_query_params(m->questions, blockers_sql, 1, values, &res,
                             &ignored))
        return;
    for (int i = 0; i < PQntuples(res) && len < size; i++)
        len += (size_t)snprintf(to + len, size - len, "%s%s", i ? "; " : "",
                                PQgetvalue(res, i, 0));
}

static int
in_recovery(struct session *s)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    struct err ignored;

    return session_query(s, "SELECT pg_catalog.pg_is_in_recovery()", &res,
                         &ignored) == 0 &&
           PQgetvalue(res, 0, 0)[0] == 't';
}

static int
time_is_up(struct making *m, struct err *err)
{
    char who[900];

    name_blockers(m, who, sizeof who);
    err_set(err, ERR_REFUSED,
            "replication slot \"%s\" could not be made within %u s",
            m->params->name, m->params->timeout_s);
    if (who[0]) {
        err_detail(err, "Older transactions have to end first: %s", who);
        return err_hint(err, "Wait for them or end them (a prepared one with "
                             "COMMIT PREPARED or ROLLBACK PREPARED), or give "
                             "a longer --slot-timeout.");
    }
    if (in_recovery(m->questions))
        return err_hint(err, "A standby waits for its primary: run SELECT "
                             "pg_log_standby_snapshot() there.");
    return err_hint(err, "Give a longer --slot-timeout.");
}

/* ---- waiting ---- */

static int
say(struct making *m, struct err *err)
{
    char who[900], what[1000];

    m->say_ms = clock_ms() + SAY_EVERY_MS;
    name_blockers(m, who, sizeof who);
    snprintf(what, sizeof what, "the replication slot waits for %s",
             who[0] ? who : "the server");
    return m->params->waiting(m->params->arg, what, err);
}

/* <0: it is not to be waited for any longer. */
static int
beat(struct making *m, struct err *err)
{
    if (stop_level(m->params->stop) != STOP_RUN)
        return err_set(err, ERR_CANCELLED, "interrupted");
    if (clock_ms() >= m->timeout_ms)
        return m->is_try ? 1 : time_is_up(m, err);
    if (m->is_try)
        return 0;
    return clock_ms() >= m->say_ms
               ? say(m, err)
               : m->params->waiting(m->params->arg, NULL, err);
}

/* 0: the answer is there.  Waits in small steps, for what ends it is more than
   the socket and the stop that a session knows of. */
static int
wait_for_answer(struct making *m, struct err *err)
{
    PGconn *conn = session_conn(m->session);
    int r;

    while (PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

        r = beat(m, err);
        if (r)
            return r;
        if (fd.fd >= 0)
            poll(&fd, 1, BEAT_MS);
        if (!PQconsumeInput(conn))
            return 0; /* the result will say why */
    }
    return 0;
}

/* ---- the command ---- */

static int
send_command(struct making *m, struct err *err)
{
    const struct slot_params *p = m->params;
    int old = session_server_version(m->session) < 150000;
    cleanup_(session_freememp) char *name = session_ident(m->session, p->name);
    cleanup_(session_freememp) char *plugin =
        session_ident(m->session, p->plugin);
    char sql[512];

    if (!name || !plugin)
        return err_nomem(err);
    snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT %s%s LOGICAL %s %s",
             name, m->is_try ? " TEMPORARY" : "", plugin,
             m->is_try ? old ? "NOEXPORT_SNAPSHOT" : "(SNAPSHOT 'nothing')"
             : old     ? "EXPORT_SNAPSHOT"
                       : "(SNAPSHOT 'export')");
    return session_send(m->session, sql, err);
}

/* Refusals of the server's that another try would meet again.  Who was let in
   may make a slot: what is denied after that is the plugin. */
static int
judge(int connected, struct err *err)
{
    static const char other_plugin[] = "Choose another one with --plugin.";
    static const struct {
        const char *sqlstate, *hint;
    } known[] = {
        {"42710", "Choose another name with --slot, or drop it with SELECT "
                  "pg_drop_replication_slot(...)."}, /* duplicate_object */
        {"53300", "Raise max_wal_senders, or stop a consumer that nobody "
                  "needs."}, /* too_many_connections */
        {"53400", "Raise max_replication_slots, or drop a slot that nobody "
                  "needs."}, /* configuration_limit_exceeded */
        {"55000", "Set wal_level = logical and restart the server."},
        {"42501", "Grant REPLICATION to the role, or use another role."},
        {"58P01", "Install the plugin on the source's server, or choose "
                  "another one with --plugin."}, /* undefined_file */
        {"42704", other_plugin},
        {"42883", other_plugin},
    };

    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(err->sqlstate, known[i].sqlstate) == 0) {
            err->class = ERR_REFUSED;
            return err_hint(err, "%s",
                            connected && strcmp(err->sqlstate, "42501") == 0
                                ? other_plugin
                                : known[i].hint);
        }
    return -1;
}

static int
take_answer(struct making *m, struct slot_made *made, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_finish(m->session, &res, err);

    if (r)
        return judge(1, err);
    if (PQntuples(res) != 1 || PQnfields(res) < 4 ||
        capture_parse_lsn(PQgetvalue(res, 0, 1), &made->lsn))
        return err_set(err, ERR_SERVER,
                       "unexpected answer to CREATE_REPLICATION_SLOT on the "
                       "source");
    snprintf(made->snapshot, sizeof made->snapshot, "%s",
             PQgetvalue(res, 0, 2));
    return 0;
}

static int
run_command(struct making *m, struct slot_made *made, struct err *err)
{
    int r = send_command(m, err);

    if (!r)
        r = wait_for_answer(m, err);
    if (r) {
        session_abandon(m->session);
        return r;
    }
    return take_answer(m, made, err);
}

static int
open_maker(struct making *m, struct err *err)
{
    const struct session_params params = {
        .conninfo = m->params->conninfo,
        .side = SESSION_SOURCE,
        .purpose = SLOT_PURPOSE,
        .stop = m->params->stop,
        .replication = 1,
    };
    int r = session_open(&m->session, &params, err);

    return r ? judge(0, err) : 0;
}

/* What was cancelled may have been made in the same instant. */
static void
leave_nothing(struct making *m, const struct err *why)
{
    struct err ignored;

    /* It was there before, and is somebody else's. */
    if (strcmp(why->sqlstate, "42710") != 0)
        slot_drop(m->questions, m->params->name, &ignored);
}

int
slot_create(struct session **ret, struct session *s,
            const struct slot_params *p, struct slot_made *made,
            struct err *err)
{
    struct making m = {
        .params = p,
        .questions = s,
        .say_ms = clock_ms() + SAY_AFTER_MS,
        .timeout_ms = clock_ms() + p->timeout_s * UINT64_C(1000),
    };
    int r = open_maker(&m, err);

    if (r)
        return r;
    r = run_command(&m, made, err);
    if (r) {
        session_free(m.session);
        leave_nothing(&m, err);
        return r;
    }
    *ret = m.session;
    return 0;
}

int
slot_try(struct session *s, const struct slot_params *p, struct err *err)
{
    struct making m = {
        .params = p,
        .questions = s,
        .timeout_ms = clock_ms() + TRY_MS,
        .is_try = 1,
    };
    struct slot_made ignored;
    int r = open_maker(&m, err);

    if (!r && strcmp(p->plugin, "pgoutput") != 0)
        r = run_command(&m, &ignored, err);
    session_free(m.session);
    return r > 0 ? 0 : r; /* it waits: so it could be loaded */
}
