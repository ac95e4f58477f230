/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/budget.h"

#include <stdlib.h>

/*
 * What is left, and by which limit: the tightest.  Of others' sessions an
 * ordinary role is not told what they are, so all with a database count.
 */
static const char what_is_left[] =
    "WITH used AS (SELECT datid, usesysid FROM pg_catalog.pg_stat_activity"
    "  WHERE datid IS NOT NULL"
    "  AND coalesce(backend_type, 'client backend') = 'client backend'),"
    " me AS (SELECT * FROM pg_catalog.pg_roles"
    "  WHERE rolname = session_user)"
    " SELECT n - 1, what FROM ("
    "  SELECT 1 AS rank, 'max_connections' AS what,"
    "   pg_catalog.current_setting('max_connections')::int"
    "   - pg_catalog.current_setting('superuser_reserved_connections')::int"
    "   - coalesce(pg_catalog.current_setting('reserved_connections', true),"
    "      '0')::int - (SELECT pg_catalog.count(*) FROM used) AS n"
    "  UNION ALL SELECT 2, 'CONNECTION LIMIT of the database',"
    "   d.datconnlimit - (SELECT pg_catalog.count(*) FROM used"
    "    WHERE datid = d.oid) FROM pg_catalog.pg_database d, me"
    "   WHERE d.datname = pg_catalog.current_database()"
    "   AND d.datconnlimit >= 0 AND NOT me.rolsuper"
    "  UNION ALL SELECT 3, 'CONNECTION LIMIT of the role',"
    "   me.rolconnlimit - (SELECT pg_catalog.count(*) FROM used"
    "    WHERE usesysid = me.oid) FROM me"
    "   WHERE me.rolconnlimit >= 0 AND NOT me.rolsuper"
    " ) AS x ORDER BY n, rank LIMIT 1";

static int
refuse(const char *limit, struct err *err)
{
    err_set(err, ERR_REFUSED, "the target has no connection left for a worker");
    err_detail(err, "The limit is %s; one more connection is left to others.",
               limit);
    return err_hint(err, "End sessions that are not needed, or raise the "
                         "limit.");
}

int
budget_keep(struct session *s, struct progress *p, unsigned *jobs,
            struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(s, what_is_left, &res, err);
    long n;

    if (r)
        return r;
    n = strtol(PQgetvalue(res, 0, 0), NULL, 10);
    if (n < 1)
        return refuse(PQgetvalue(res, 0, 1), err);
    if ((unsigned long)n >= *jobs)
        return 0;
    progress_note(p,
                  "%ld of %u workers: the target has no more connections left "
                  "(%s)",
                  n, *jobs, PQgetvalue(res, 0, 1));
    *jobs = (unsigned)n;
    return 0;
}
