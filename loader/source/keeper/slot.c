/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/slot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/catalog/capture.h"
#include "loader/source/keeper/slot_private.h"

enum {
    DROP_WAIT_MS = 10000,
    NAP_US = 20000,
};

/* wal_status came with 13, the other words with 14, 16 and 17: so the row is
   looked into as JSON, where what is missing is null. */
static const char look_sql[] =
    "SELECT coalesce(s.active_pid, 0), s.plugin,"
    " s.database = pg_catalog.current_database(), s.confirmed_flush_lsn,"
    " coalesce(a.application_name = " SLOT_APPLICATION ", false),"
    " CASE WHEN coalesce((j.o ->> 'conflicting')::boolean, false)"
    "   OR j.o ->> 'invalidation_reason' IS NOT NULL"
    "   OR j.o ->> 'wal_status' = 'lost'"
    "  THEN coalesce(j.o ->> 'invalidation_reason',"
    "    CASE WHEN j.o ->> 'wal_status' = 'lost' THEN 'wal_removed'"
    "     ELSE 'conflict with recovery' END) ELSE '' END,"
    " s.restart_lsn, coalesce(j.o ->> 'wal_status', ''),"
    " coalesce(j.o ->> 'safe_wal_size', '-1'),"
    " coalesce((j.o ->> 'failover')::boolean, false)"
    " FROM pg_catalog.pg_replication_slots s"
    " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid,"
    " LATERAL (SELECT pg_catalog.to_jsonb(s)) AS j (o)"
    " WHERE s.slot_name = $1";

int
slot_look(struct session *s, const char *name, struct slot_look *ret,
          struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {name};
    struct slot_look look = {0};
    int r = session_query_params(s, look_sql, 1, values, &res, err);

    if (r)
        return r;
    if (PQntuples(res) == 0)
        return SLOT_E_NONE;
    look.active_pid = atoi(PQgetvalue(res, 0, 0));
    snprintf(look.plugin, sizeof look.plugin, "%s", PQgetvalue(res, 0, 1));
    look.here = PQgetvalue(res, 0, 2)[0] == 't';
    capture_parse_lsn(PQgetvalue(res, 0, 3), &look.confirmed);
    look.ours = PQgetvalue(res, 0, 4)[0] == 't';
    snprintf(look.lost, sizeof look.lost, "%s", PQgetvalue(res, 0, 5));
    capture_parse_lsn(PQgetvalue(res, 0, 6), &look.restart);
    snprintf(look.wal_status, sizeof look.wal_status, "%s",
             PQgetvalue(res, 0, 7));
    look.safe_wal_size = strtoll(PQgetvalue(res, 0, 8), NULL, 10);
    look.failover = PQgetvalue(res, 0, 9)[0] == 't';
    *ret = look;
    return 0;
}

static int
drop_now(struct session *s, const char *name, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {name};

    return session_query_params(
        s, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, values, &res,
        err);
}

/* With the session that makes it, a slot that is not complete goes. */
static int
end_maker(struct session *s, int pid, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char number[16];
    const char *const values[] = {number};

    snprintf(number, sizeof number, "%d", pid);
    return session_query_params(s, "SELECT pg_catalog.pg_terminate_backend($1)",
                                1, values, &res, err);
}

static int
refuse_active(const char *name, int pid, struct err *err)
{
    err_set(err, ERR_REFUSED, "replication slot \"%s\" is in use by process %d",
            name, pid);
    return err_hint(err, "Stop the consumer that reads from it.");
}

/* 1: it is gone, or never was. */
static int
drop_step(struct session *s, const char *name, struct err *err)
{
    struct slot_look look;
    int r = slot_look(s, name, &look, err);

    if (r)
        return r;
    if (look.active_pid == 0)
        r = drop_now(s, name, err);
    else if (look.ours)
        r = end_maker(s, look.active_pid, err);
    else
        return refuse_active(name, look.active_pid, err);
    /* It went, or was taken up, meanwhile: look again. */
    if (r && (strcmp(err->sqlstate, "42704") == 0 ||
              strcmp(err->sqlstate, "55006") == 0))
        return 0;
    return r;
}

int
slot_drop(struct session *s, const char *name, struct err *err)
{
    uint64_t deadline = clock_ms() + DROP_WAIT_MS;
    int r;

    while ((r = drop_step(s, name, err)) == 0) {
        if (clock_ms() >= deadline)
            return err_set(err, ERR_SERVER,
                           "replication slot \"%s\" does not go away", name);
        clock_nap_us(NAP_US);
    }
    return r == SLOT_E_NONE ? 0 : r;
}

/* Up to where it stands already: it decodes what lies between its oldest
   needed record and that, which is little, and returns nothing. */
int
slot_touch(struct session *s, const char *name, const char *publication,
           struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {name, publication};

    return session_query_params(
        s,
        publication
            ? "SELECT pg_catalog.count(*)"
              " FROM pg_catalog.pg_logical_slot_peek_binary_changes($1,"
              " (SELECT confirmed_flush_lsn FROM"
              "  pg_catalog.pg_replication_slots WHERE slot_name = $1), NULL,"
              " 'proto_version', '1', 'publication_names',"
              " pg_catalog.quote_ident($2))"
            : "SELECT pg_catalog.count(*)"
              " FROM pg_catalog.pg_logical_slot_peek_binary_changes($1,"
              " (SELECT confirmed_flush_lsn FROM"
              "  pg_catalog.pg_replication_slots WHERE slot_name = $1), NULL)",
        publication ? 2 : 1, values, &res, err);
}
