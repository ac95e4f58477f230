/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/check/preflight.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "loader/pg/pooler.h"
#include "loader/pg/snapshot.h"
#include "loader/pg/tool.h"
#include "loader/progress/quantity.h"
#include "loader/source/check/question.h"
#include "loader/source/keeper/locks.h"
#include "loader/source/plan/outlook.h"
#include "loader/source/plan/relations.h"

enum {
    OLDEST_MAJOR = 13,
    OLDEST_MAJOR_SPLIT = 14,
    LOCK_WAIT_S = 2,
    KEEPER_AND_PLAN = 3, /* connections besides the workers' */
};

static struct session_params
session_of(const struct preflight_params *p)
{
    return (struct session_params){
        .conninfo = p->source,
        .side = SESSION_SOURCE,
        .purpose = "check",
        .encoding = "UTF8",
        .stop = p->stop,
    };
}

static int
check_server(struct session *s, struct findings *f, struct err *err)
{
    cleanup_(freep) char *pg_dump = NULL;
    int major = session_server_version(s) / 10000;
    char seen[64];
    struct finding found = {"server", FINDING_OK, seen, NULL};
    int r;

    snprintf(seen, sizeof seen, "PostgreSQL %d", major);
    if (major < OLDEST_MAJOR) {
        found.level = FINDING_ERROR;
        found.advice = "PostgreSQL 13 is the oldest that is supported.";
    } else if (major < OLDEST_MAJOR_SPLIT) {
        found.level = FINDING_WARNING;
        found.advice = "Tables are not split before PostgreSQL 14: the "
                       "largest one decides how long it takes.";
    }
    r = findings_add(f, &found, err);
    if (r)
        return r;
    if (tool_find_for_schema(&pg_dump, "pg_dump", major, err))
        return question_failed(f, "pg_dump", FINDING_ERROR, err);
    return findings_add(
        f, &(struct finding){"pg_dump", FINDING_OK, pg_dump, NULL}, err);
}

/* ---- is it the same server, and the same session, each time? ---- */

static int
backend_pid(struct session *s, int *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(s, "SELECT pg_backend_pid()", &res, err);

    if (!r)
        *ret = atoi(PQgetvalue(res, 0, 0));
    return r;
}

static int
look_for_pooler(struct session *s, struct finding *found, struct err *err)
{
    int pid = 0, r = backend_pid(s, &pid, err);

    if (r || pid == PQbackendPID(session_conn(s)))
        return r;
    found->level = FINDING_WARNING;
    found->seen = "there is a pooler in between";
    found->advice = "Connect to the server itself: a pooler limits connections "
                    "and ends idle ones.";
    return 0;
}

static int
import_snapshot(const struct session_params *params, struct session *s,
                struct session **other, struct err *err)
{
    cleanup_(snapshot_freep) struct snapshot *n = NULL;
    int r = snapshot_take(&n, s, err);

    return r ? r : snapshot_join(other, params, snapshot_id(n), err);
}

static int
check_snapshot(const struct preflight_params *p, struct session *s,
               struct findings *f, struct err *err)
{
    cleanup_(session_freep) struct session *other = NULL;
    struct session_params params = session_of(p);
    struct finding found = {"snapshot", FINDING_OK,
                            "exported by one connection, imported by another",
                            NULL};
    int r;

    r = session_open(&other, &params, err);
    if (!r)
        r = look_for_pooler(s, &found, err);
    if (!r)
        r = import_snapshot(&params, s, &other, err);
    if (!r)
        return findings_add(f, &found, err);
    err_hint(err, "Connections must reach one server: connect to it directly, "
                  "past any pooler or load balancer.");
    return question_failed(f, found.name, FINDING_ERROR, err);
}

/* Nothing is asked through what would lose our settings, or pass them on: that
   is then the only finding. */
static int
check_way(const struct preflight_params *p, struct findings *f, struct err *err)
{
    const struct session_params source = session_of(p);
    struct session_params target = source;
    int r;

    target.conninfo = p->target;
    target.side = SESSION_TARGET;
    r = pooler_require_none(&source, err);
    if (!r && p->target)
        r = pooler_require_none(&target, err);
    return r && err->class == ERR_REFUSED
               ? question_failed(f, "connections", FINDING_ERROR, err)
               : r;
}

/* ---- locks ---- */

/* Nothing else is in the way of ACCESS SHARE, be it held or waited for. */
static const struct question holders = {
    .name = "locks",
    .sql = "SELECT 2, coalesce(string_agg(format('%s is locked by pid %s (%s),"
           " %s: %s', x.name, l.pid, a.application_name,"
           " date_trunc('second', now() - a.query_start), left(a.query, 80)),"
           " '; '), 'a table was locked by somebody who is gone now')"
           " FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
           " JOIN (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS "
           "name " RELATIONS_FROM ") AS x ON x.oid = l.relation"
           " WHERE l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid"
           "  FROM pg_database WHERE datname = current_database())",
    .advice = "Wait until they are done, or end them: the export waits half a "
              "minute for a lock, and those who come later wait behind it.",
};

static int
is_in_the_way(const struct err *err)
{
    return strcmp(err->sqlstate, "55P03") == 0; /* lock_not_available */
}

static int
check_locks(const struct preflight_params *p, struct session *s,
            struct findings *f, struct err *err)
{
    cleanup_(snapshot_freep) struct snapshot *n = NULL;
    int r = snapshot_take(&n, s, err);

    if (!r)
        r = locks_take(n, p->selection, LOCK_WAIT_S, err);
    n = snapshot_free(n);
    if (r && is_in_the_way(err))
        return question_ask(&holders, s, NULL, f, err);
    if (r)
        return question_failed(f, "locks", FINDING_ERROR, err);
    return findings_add(f,
                        &(struct finding){"locks", FINDING_OK,
                                          "every table can be locked", NULL},
                        err);
}

/* ---- disk ---- */

/* The run directory itself may not be there yet. */
static int
free_bytes(const char *dir, uint64_t *ret, struct err *err)
{
    cleanup_(freep) char *copy = strdup(dir);
    struct statvfs v;

    if (!copy)
        return err_nomem(err);
    if (statvfs(dir, &v) < 0 && statvfs(dirname(copy), &v) < 0)
        return err_sys(err, errno,
                       "could not look at the file system of "
                       "\"%s\"",
                       dir);
    *ret = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

/* Of the tables with their TOAST.  Who measures one locks it for an instant:
   when somebody is in the way, the last VACUUM's or ANALYZE's word has to do. */
static const char
    measured[] = "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint ",
    recorded[] = "SELECT coalesce(sum((c.relpages + coalesce((SELECT t.relpages"
                 "  FROM pg_class t WHERE t.oid = c.reltoastrelid), 0))"
                 "  * current_setting('block_size')::bigint), 0)::bigint ";

static int
ask_size(const struct preflight_params *p, struct session *s, const char *how,
         uint64_t *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *query = NULL, *sql = NULL;
    int r;

    if (asprintf(&query,
                 "%s" RELATIONS_FROM
                 "AND c.relkind = 'r' AND c.relpersistence <> 't'"
                 " AND" SELECTION_KEEPS,
                 how) < 0)
        return err_nomem(err);
    sql = selection_query(p->selection, query);
    r = sql ? session_query(s, sql, &res, err) : err_nomem(err);
    if (!r)
        *ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    return r;
}

static int
check_disk(const struct preflight_params *p, struct session *s,
           struct findings *f, struct err *err)
{
    char has[QUANTITY_SIZE], needs[QUANTITY_SIZE], seen[4 * QUANTITY_SIZE];
    struct finding found = {
        "disk", FINDING_OK, seen,
        "Give a --dir with more room.  How well rows compress is not known."};
    uint64_t room = 0, bytes = 0, estimate;
    int r, guessed;

    if (free_bytes(p->dir, &room, err))
        return findings_add(f,
                            &(struct finding){"disk", FINDING_ERROR,
                                              err->message,
                                              "Make the directory above."},
                            err);
    r = ask_size(p, s, measured, &bytes, err);
    guessed = r && is_in_the_way(err);
    if (guessed)
        r = ask_size(p, s, recorded, &bytes, err);
    if (r)
        return question_failed(f, found.name, FINDING_WARNING, err);
    estimate = outlook_disk(bytes);
    if (estimate > room)
        found.level = FINDING_ERROR;
    else if (estimate > room / 4 * 3)
        found.level = FINDING_WARNING;
    snprintf(seen, sizeof seen, "about %s needed, %s free%s",
             quantity_bytes(needs, estimate), quantity_bytes(has, room),
             guessed ? "; by statistics" : "");
    return findings_add(f, &found, err);
}

/* ---- all of it ---- */

int
preflight_run(const struct preflight_params *p, struct findings *f,
              struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    struct session_params params = session_of(p);
    int r = check_way(p, f, err);

    if (r || f->n_errors > 0)
        return r;
    r = session_open(&s, &params, err);
    if (!r)
        r = session_exec(s, PREFLIGHT_PATIENCE, err);
    if (!r)
        r = check_server(s, f, err);
    if (!r && selection_prepare(p->selection, s, err))
        return question_failed(f, "selection", FINDING_ERROR, err);
    if (!r)
        r = preflight_ask_rights(p, s, f, err);
    if (!r)
        r = check_snapshot(p, s, f, err);
    if (!r)
        r = question_connections(s, "connections", p->jobs + KEEPER_AND_PLAN, f,
                                 err);
    if (!r)
        r = check_locks(p, s, f, err);
    if (!r)
        r = preflight_ask_source(p, s, f, err);
    if (!r && p->dir)
        r = check_disk(p, s, f, err);
    if (!r && p->target)
        r = preflight_target(p, s, f, err);
    return r;
}
