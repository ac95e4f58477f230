/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/headroom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_OWN "max_connections"

static const char what_is_left[] =
    "WITH used AS (SELECT datid, usesysid FROM pg_catalog.pg_stat_activity"
    "  WHERE datid IS NOT NULL"
    "  AND coalesce(backend_type, 'client backend') = 'client backend'"
    "  AND NOT ($1 AND coalesce(application_name ="
    "   pg_catalog.current_setting('application_name'), false))),"
    " me AS (SELECT * FROM pg_catalog.pg_roles"
    "  WHERE rolname = session_user)"
    " SELECT n, what FROM ("
    "  SELECT 1 AS rank, '" SERVERS_OWN "' AS what,"
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

int
headroom_ask(struct session *s, int without_us, struct headroom *ret,
             struct err *err)
{
    const char *const values[] = {without_us ? "true" : "false"};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(s, what_is_left, 1, values, &res, err);

    if (r)
        return r;
    ret->n = strtol(PQgetvalue(res, 0, 0), NULL, 10);
    snprintf(ret->limit, sizeof ret->limit, "%s", PQgetvalue(res, 0, 1));
    return 0;
}

int
headroom_is_personal(const struct headroom *h)
{
    return strcmp(h->limit, SERVERS_OWN) != 0;
}
