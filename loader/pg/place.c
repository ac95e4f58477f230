/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The control file says it only after a checkpoint; a standby does not say the
   name of a file that it writes, for it writes none. */
static const char sql[] =
    "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    " pg_catalog.current_database(), pg_catalog.pg_is_in_recovery(),"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN (SELECT timeline_id::text"
    "   FROM pg_catalog.pg_control_checkpoint())"
    "  ELSE pg_catalog.substr(pg_catalog.pg_walfile_name("
    "   pg_catalog.pg_current_wal_lsn()), 1, 8) END";

int
place_ask(struct place *ret, struct session *s, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(s, sql, &res, err);

    if (r)
        return r;
    snprintf(ret->system_id, sizeof ret->system_id, "%s",
             PQgetvalue(res, 0, 0));
    snprintf(ret->database, sizeof ret->database, "%s", PQgetvalue(res, 0, 1));
    ret->standby = PQgetvalue(res, 0, 2)[0] == 't';
    ret->timeline =
        (unsigned)strtoul(PQgetvalue(res, 0, 3), NULL, ret->standby ? 10 : 16);
    return 0;
}

int
place_is(const struct place *p, const char *system_id, const char *database)
{
    return system_id && database && strcmp(p->system_id, system_id) == 0 &&
           strcmp(p->database, database) == 0;
}
