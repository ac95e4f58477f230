/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/refresh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/target/places.h"

/* Entries: below the numbers of ANALYZE, behind all that was put aside. */
#define FIRST_OF_OIDS (-(INT64_C(1) << 41))
enum { FIRST_ORDER = 1 << 29 };

/* ---- the run's, told to the target ---- */

static int
tell_view(struct session *s, const struct catalog_skip *view, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {view->schema, view->name};

    return session_query_params(
        s, "INSERT INTO pg_temp.pghaul_views VALUES ($1, $2)", 2, values, &res,
        err);
}

static int
tell_views(struct session *s, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_skip_freep) struct catalog_skip *view = NULL;

        r = catalog_next_skip(c, &cursor, &view, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        if (strcmp(view->kind, CATALOG_VIEW) == 0 &&
            strcmp(view->reason, CATALOG_VIEW_REFRESHED) == 0)
            r = tell_view(s, view, err);
        if (r)
            return r;
    }
}

/* ---- which ---- */

/*
 * What shows rows of what: a view and its rule; and a table above the one that
 * is loaded.  Views that show each other, which cannot be read, end at some
 * rank.
 */
static const char list[] =
    "CREATE TEMPORARY TABLE pghaul_refreshed AS"
    " WITH RECURSIVE shows (oid, above) AS ("
    "  SELECT DISTINCT d.refobjid, w.ev_class FROM pg_catalog.pg_depend d"
    "   JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid"
    "   WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
    "   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "   AND d.refobjid <> w.ev_class"
    "  UNION SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits),"
    " views (oid, schema, name, populated, listed) AS ("
    "  SELECT c.oid, n.nspname, c.relname, c.relispopulated,"
    "   (n.nspname, c.relname) IN (SELECT schema, name"
    "    FROM pg_temp.pghaul_views)"
    "   FROM pg_catalog.pg_class c"
    "   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "   WHERE c.relkind = 'm'),"
    " ranked (oid, rank) AS ("
    "  SELECT c.oid, 0 FROM " PLACES " p"
    "   JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema"
    "   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
    "    AND c.relname = p.name"
    "  UNION SELECT oid, 0 FROM views WHERE listed"
    "  UNION SELECT s.above, r.rank + 1 FROM ranked r"
    "   JOIN shows s ON s.oid = r.oid WHERE r.rank < 200)"
    " SELECT v.oid, v.schema, v.name, pg_catalog.max(r.rank) AS rank"
    "  FROM ranked r JOIN views v ON v.oid = r.oid"
    "  WHERE v.listed OR v.populated"
    "  GROUP BY v.oid, v.schema, v.name";

int
refresh_list(struct session *s, struct catalog *c, struct err *err)
{
    int r;

    r = session_exec(s,
                     "DROP TABLE IF EXISTS pg_temp.pghaul_views, " REFRESHED ";"
                     "CREATE TEMPORARY TABLE pghaul_views (schema name,"
                     " name name)",
                     err);
    if (!r)
        r = tell_views(s, c, err);
    return r ? r : session_exec(s, list, err);
}

/* ---- or not ---- */

int
refresh_none(struct session *s, struct progress *p, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(s,
                      "DELETE FROM " REFRESHED " RETURNING"
                      " pg_catalog.format('%I.%I', schema, name)",
                      &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++)
        progress_note(p,
                      "materialized view %s is not refreshed (--no-refresh): "
                      "it shows the rows of before",
                      PQgetvalue(res, i, 0));
    return r;
}

/* ---- entries ---- */

struct adder {
    struct session *session;
    struct catalog *catalog;
    unsigned n;
};

enum { OID, SCHEMA, NAME };

static int
add_entry(void *arg, const PGresult *row, struct err *err)
{
    struct adder *x = arg;
    char type[] = "REFRESH MATERIALIZED VIEW";
    struct catalog_entry entry = {
        .id =
            FIRST_OF_OIDS - (int64_t)strtoul(PQgetvalue(row, 0, OID), NULL, 10),
        .order = FIRST_ORDER + x->n++,
        .type = type,
        .schema = PQgetvalue(row, 0, SCHEMA),
        .name = PQgetvalue(row, 0, NAME),
    };
    cleanup_(session_freememp) char *name =
        session_qualified(x->session, entry.schema, entry.name);
    int r;

    if (!name || asprintf(&entry.sql, "%s %s", type, name) < 0)
        return err_nomem(err);
    r = catalog_add_entry(x->catalog, &entry, err);
    free(entry.sql);
    return r;
}

int
refresh_add_entries(struct session *s, struct catalog *c, struct err *err)
{
    struct adder x = {.session = s, .catalog = c};

    return session_each(s,
                        "SELECT oid, schema, name FROM " REFRESHED
                        " ORDER BY rank, schema, name",
                        add_entry, &x, err);
}
