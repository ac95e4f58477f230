/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "loader/catalog/capture.h"
#include "loader/source/plan/left_out_sql.h"
#include "loader/source/plan/planner_private.h"
#include "loader/source/plan/relations.h"

/* Queries for kind, schema, name, reason, harmless; behind selection_sql(). */
static const char *const lists[] = {
    "SELECT 'foreign table', n.nspname, c.relname,"
    " 'its rows stay on the foreign server; the definition is copied', "
    "true " RELATIONS_FROM "AND c.relkind = 'f' AND" SELECTION_KEEPS,

    LEFT_OUT_GONE " SELECT '" CATALOG_VIEW "', n.nspname, c.relname,"
                  " CASE WHEN c.relispopulated"
                  "  THEN '" CATALOG_VIEW_REFRESHED "'"
                  "  ELSE 'it was never filled at the source' END,"
                  " true " RELATIONS_FROM
                  "AND c.relkind = 'm' AND NOT EXISTS (SELECT FROM gone g"
                  " WHERE g.objid = c.oid AND g.classid = " PG_CLASS ")",

    "SELECT CASE c.relkind WHEN 'r' THEN 'unlogged table'"
    " ELSE 'unlogged sequence' END, n.nspname, c.relname,"
    " 'the source is a standby, which has nothing of it', false " RELATIONS_FROM
    "AND c.relkind IN ('r', 'S') AND " RELATIONS_UNREADABLE
    " AND" SELECTION_KEEPS,

    "SELECT 'schema', '', nspname, 'the ledger of an earlier load', true"
    " FROM pg_catalog.pg_namespace"
    " WHERE pg_catalog.obj_description(oid, 'pg_namespace')"
    "   = '" LEDGER_MARK "'",

    "SELECT 'index', n.nspname, c.relname, 'it is not valid at the source',"
    " true " RELATIONS_TABLES "JOIN pg_catalog.pg_index i"
    " ON i.indexrelid = c.oid AND NOT i.indisvalid " RELATIONS_WHERE
    "AND c.relkind = 'i'"
    " AND NOT EXISTS (SELECT FROM left_out l WHERE l.oid = i.indrelid)",

    "SELECT 'subscription', '', subname, 'a copy does not subscribe', true"
    " FROM pg_catalog.pg_subscription"
    " WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database"
    "  WHERE datname = pg_catalog.current_database())",
};

/* After planner_roots. */
static const char list_unsound[] =
    "SELECT 'partition', n.nspname, c.relname, 'its rows may belong into other"
    " partitions of the copy, and some of these are foreign, or unlogged when"
    " others are not', false " RELATIONS_TABLES
    "JOIN planner_roots r ON r.oid = c.oid AND NOT r.sound " RELATIONS_WHERE
    "AND c.relkind = 'r' AND" SELECTION_KEEPS;

static int
visit(void *arg, const PGresult *row, struct err *err)
{
    struct planner *p = arg;
    struct catalog_skip skip = {
        .kind = PQgetvalue(row, 0, 0),
        .schema = PQgetvalue(row, 0, 1),
        .name = PQgetvalue(row, 0, 2),
        .reason = PQgetvalue(row, 0, 3),
        .harmless = planner_is_true(row, 0, 4),
    };

    return catalog_add_skip(p->catalog, &skip, err);
}

static int
add_list(struct planner *p, const char *list, struct err *err)
{
    cleanup_(freep) char *sql = selection_query(p->params->selection, list);

    return sql ? session_each(p->session, sql, visit, p, err) : err_nomem(err);
}

static int
add_unsound(struct planner *p, struct err *err)
{
    char *sql;
    int r;

    if (asprintf(&sql, "%s%s", planner_roots, list_unsound) < 0)
        return err_nomem(err);
    r = add_list(p, sql, err);
    free(sql);
    return r;
}

/* ---- publications ---- */

#define PG_PUBLICATION 6104

/* What this run has made itself, for change data capture. */
static int
is_own(struct planner *p, const char *publication, int *ret, struct err *err)
{
    struct capture m = {0};
    unsigned epoch = 0;
    int r;

    *ret = 0;
    while (!*ret && !(r = capture_next(p->catalog, epoch, &m, err))) {
        epoch = m.epoch;
        *ret = m.publication && !m.found &&
               strcmp(m.publication, publication) == 0;
        capture_clear(&m);
    }
    return r < 0 ? r : 0;
}

/* Our own is in the dump when others are, so the load must pass over it. */
static int
visit_publication(void *arg, const PGresult *row, struct err *err)
{
    struct planner *p = arg;
    char kind[] = "publication", schema[] = "";
    char not_asked[] = "a copy publishes only when asked to (--publications)";
    char ours[] = "it is the run's own, for change data capture";
    struct catalog_skip skip = {.kind = kind,
                                .schema = schema,
                                .name = PQgetvalue(row, 0, 1),
                                .reason = not_asked,
                                .harmless = 1};
    int own, r = is_own(p, skip.name, &own, err);

    if (r || (!own && p->params->publications))
        return r;
    if (own) {
        skip.reason = ours;
        skip.class_oid = PG_PUBLICATION;
        skip.oid = (uint32_t)planner_number(row, 0, 0);
    }
    return catalog_add_skip(p->catalog, &skip, err);
}

static int
add_publications(struct planner *p, struct err *err)
{
    return session_each(p->session,
                        "SELECT oid, pubname FROM pg_catalog.pg_publication"
                        " ORDER BY pubname",
                        visit_publication, p, err);
}

int
planner_skips(struct planner *p, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < sizeof lists / sizeof *lists && !r; i++)
        r = add_list(p, lists[i], err);
    if (!r)
        r = add_publications(p, err);
    return r ? r : add_unsound(p, err);
}
