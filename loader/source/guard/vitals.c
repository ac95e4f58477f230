/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/vitals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/clock.h"
#include "loader/run/notice.h"

#define FILE_NAME "vitals.json"

#define LSN                                                                    \
    "CASE WHEN pg_catalog.pg_is_in_recovery()"                                 \
    " THEN pg_catalog.pg_last_wal_replay_lsn()"                                \
    " ELSE pg_catalog.pg_current_wal_lsn() END"

/* The names of old: they are in every version that we know. */
#define XMIN "pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())"
#define XMAX "pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())"

#define BYTES(from, to) "(pg_catalog.pg_wal_lsn_diff(" to ", " from "))::bigint"

#define MS(interval) "(1000 * extract(epoch FROM " interval "))::bigint"

#define MAY_SEE                                                                \
    "pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"

/* ---- the origin ---- */

static uint64_t
number(const PGresult *res, int column)
{
    const char *text = PQgetvalue(res, 0, column);

    return text[0] == '-' ? 0 : strtoull(text, NULL, 10);
}

int
vitals_begin(struct vitals_origin *ret, struct session *s, const char *slot,
             struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r =
        session_query(s, "SELECT " XMIN ", " BYTES("'0/0'", LSN), &res, err);

    if (r)
        return r;
    *ret = (struct vitals_origin){
        .xmin = number(res, 0),
        .lsn = number(res, 1),
        .taken_ms = clock_ms(),
        .slot = slot,
    };
    return 0;
}

/* ---- one measurement ---- */

/*
 * Not everybody who reads our log is a standby: consumers of a logical slot
 * and pg_receivewal, which replays nothing, are not.
 *
 * A server that does not know for how long a standby is behind says NULL.  On
 * a standby the time since the last commit that was replayed says too much
 * when the primary is idle, so it counts only when there is more to replay, or
 * when nobody brings more.
 */
/* clang-format off */
static const char question[] =
    "WITH here AS (SELECT " LSN " AS lsn), standby AS ("
    " SELECT " BYTES("r.replay_lsn", "h.lsn") " AS bytes,"
    "  " MS("r.replay_lag") " AS ms, true AS other"
    "  FROM here h, pg_catalog.pg_stat_replication r"
    "  WHERE r.replay_lsn IS NOT NULL AND NOT EXISTS ("
    "   SELECT FROM pg_catalog.pg_replication_slots l"
    "   WHERE l.active_pid = r.pid AND l.slot_type = 'logical')"
    " UNION ALL SELECT coalesce("
    "  " BYTES("h.lsn", "pg_catalog.pg_last_wal_receive_lsn()") ", 0),"
    "  CASE WHEN pg_catalog.pg_last_wal_receive_lsn() <= h.lsn AND EXISTS ("
    "   SELECT FROM pg_catalog.pg_stat_wal_receiver) THEN 0 ELSE "
    MS("pg_catalog.clock_timestamp()"
       " - pg_catalog.pg_last_xact_replay_timestamp()") " END, false"
    "  FROM here h WHERE pg_catalog.pg_is_in_recovery())"
    " SELECT " XMAX ", " BYTES("'0/0'", "here.lsn") ","
    " (SELECT " BYTES("restart_lsn", "here.lsn")
    "  FROM pg_catalog.pg_replication_slots WHERE slot_name = $1), " MAY_SEE ","
    " (SELECT pg_catalog.count(*) FROM standby WHERE other),"
    " (SELECT coalesce(pg_catalog.max(bytes), 0) FROM standby),"
    " (SELECT coalesce(pg_catalog.max(ms), 0) FROM standby"
    "  WHERE bytes > 0 OR NOT other),"
    " (SELECT pg_catalog.count(*) FROM standby"
    "  WHERE bytes > 0 AND ms IS NULL),"
    " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity"
    "  WHERE backend_type = 'client backend'"
    "   AND state IN ('active', 'fastpath function call')"
    "   AND application_name NOT LIKE 'pghaul: %')"
    " FROM here";
/* clang-format on */

/* The columns of its answer. */
enum {
    NEXT_XID,
    NOW_LSN,
    BY_SLOT,
    SEES,
    N_STANDBYS,
    BYTES_BEHIND,
    MS_BEHIND,
    N_SILENT,
    N_SESSIONS
};

static void
know(struct vitals *v, enum vital which, uint64_t value)
{
    v->known |= 1u << which;
    v->value[which] = value;
}

static uint64_t
since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static void
take_own(const struct vitals_origin *o, const PGresult *res, struct vitals *v)
{
    know(v, VITAL_SNAPSHOT_AGE, since(clock_ms(), o->taken_ms));
    know(v, VITAL_XMIN_AGE, since(number(res, NEXT_XID), o->xmin));
    v->has_slot = o->slot != NULL;
    if (!o->slot)
        know(v, VITAL_WAL, since(number(res, NOW_LSN), o->lsn));
    else if (!PQgetisnull(res, 0, BY_SLOT))
        know(v, VITAL_WAL, number(res, BY_SLOT));
}

/* A standby that has just connected and is stuck does not say for how long:
   then it is since we have noticed. */
static uint64_t
lag_ms(struct vitals_origin *o, const PGresult *res)
{
    uint64_t said = number(res, MS_BEHIND), noticed;

    if (number(res, N_SILENT) == 0) {
        o->behind_ms = 0;
        return said;
    }
    if (!o->behind_ms)
        o->behind_ms = clock_ms();
    noticed = since(clock_ms(), o->behind_ms);
    return noticed > said ? noticed : said;
}

static void
take_others(struct vitals_origin *o, const PGresult *res, struct vitals *v)
{
    if (PQgetvalue(res, 0, SEES)[0] != 't')
        return;
    know(v, VITAL_REPLICAS, number(res, N_STANDBYS));
    know(v, VITAL_REPLICA_LAG, lag_ms(o, res));
    know(v, VITAL_REPLICA_BYTES, number(res, BYTES_BEHIND));
    know(v, VITAL_SESSIONS, number(res, N_SESSIONS));
}

int
vitals_measure(struct vitals_origin *o, struct session *s, struct vitals *ret,
               struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    struct vitals v = {.at = (int64_t)time(NULL)};
    int r;

    r = session_query_params(s, question, 1, &o->slot, &res, err);
    if (r)
        return r;
    take_own(o, res, &v);
    take_others(o, res, &v);
    *ret = v;
    return 0;
}

int
vitals_require(struct session *s, unsigned set, struct err *err)
{
    static const unsigned others =
        1u << VITAL_REPLICAS | 1u << VITAL_REPLICA_LAG |
        1u << VITAL_REPLICA_BYTES | 1u << VITAL_SESSIONS;
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    if (!(set & others))
        return 0;
    r = session_query(s, "SELECT " MAY_SEE ", current_user", &res, err);
    if (r || PQgetvalue(res, 0, 0)[0] == 't')
        return r;
    err_set(err, ERR_REFUSED,
            "user \"%s\" cannot see what the limits ask for on the source",
            PQgetvalue(res, 0, 1));
    err_detail(err, "The lag of standbys and the sessions of others are shown "
                    "to members of pg_read_all_stats only.");
    return err_hint(err,
                    "GRANT pg_monitor (or pg_read_all_stats) to this user, or "
                    "leave out --max-replica-lag and --max-active-sessions.");
}

/* ---- the file ---- */

const char *const vitals_names[N_VITALS] = {
    [VITAL_SNAPSHOT_AGE] = "snapshot_age_ms",
    [VITAL_XMIN_AGE] = "xmin_age",
    [VITAL_WAL] = "wal_bytes",
    [VITAL_REPLICAS] = "replicas",
    [VITAL_REPLICA_LAG] = "replica_lag_ms",
    [VITAL_REPLICA_BYTES] = "replica_lag_bytes",
    [VITAL_SESSIONS] = "active_sessions",
};

int
vitals_write(const struct run_dir *dir, const struct vitals *v, struct err *err)
{
    json_t *o = json_object();

    json_object_set_new(o, "n", manifest_u64_json(v->n));
    json_object_set_new(o, "at", json_integer(v->at));
    json_object_set_new(o, "wal_of",
                        json_string(v->has_slot ? "slot" : "snapshot"));
    for (unsigned i = 0; i < N_VITALS; i++)
        if (vitals_know(v, i))
            json_object_set_new(o, vitals_names[i],
                                manifest_u64_json(v->value[i]));
    if (v->trouble[0])
        json_object_set_new(o, "trouble", json_string(v->trouble));
    return notice_write(dir, FILE_NAME, o, err);
}

int
vitals_read(const struct run_dir *dir, struct vitals *ret, struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct vitals v = {0};
    struct manifest_at root;
    const char *wal_of;
    int r = notice_read(dir, FILE_NAME, &m, err);

    if (r)
        return r == NOTICE_E_NONE ? VITALS_E_NONE : r;
    root = manifest_root(m);
    v.n = manifest_u64(&root, "n", 0, UINT64_MAX);
    v.at = manifest_i64(&root, "at");
    wal_of = manifest_string(&root, "wal_of");
    v.has_slot = wal_of && wal_of[0] == 's' && wal_of[1] == 'l';
    for (unsigned i = 0; i < N_VITALS; i++)
        if (manifest_has(&root, vitals_names[i]))
            know(&v, i, manifest_u64(&root, vitals_names[i], 0, UINT64_MAX));
    if (manifest_has(&root, "trouble"))
        snprintf(v.trouble, sizeof v.trouble, "%s",
                 manifest_string(&root, "trouble"));
    r = manifest_check(m, err);
    if (!r)
        *ret = v;
    return r;
}

int
vitals_are_written(const struct run_dir *dir)
{
    return notice_exists(dir, FILE_NAME);
}

void
vitals_remove(const struct run_dir *dir)
{
    notice_remove(dir, FILE_NAME);
}
