/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/relations.h"

#include <stdio.h>

int
relations_each_page(struct session *s, const char *kinds,
                    int (*visit)(void *arg, const PGresult *page,
                                 struct err *err),
                    void *arg, struct err *err)
{
    static const char sql[] =
        "SELECT c.oid, n.nspname, c.relname " RELATIONS_FROM
        "AND c.relkind = ANY ($1) AND c.relpersistence <> 't'"
        " AND c.oid > $2 ORDER BY c.oid LIMIT $3";
    char last[16] = "0", limit[16];
    const char *const values[] = {kinds, last, limit};
    int r;

    snprintf(limit, sizeof limit, "%d", RELATIONS_PAGE);
    for (;;) {
        cleanup_(session_clearp) PGresult *page = NULL;

        r = session_query_params(s, sql, 3, values, &page, err);
        if (r || PQntuples(page) == 0)
            return r;
        r = visit(arg, page, err);
        if (r)
            return r;
        snprintf(last, sizeof last, "%s",
                 PQgetvalue(page, PQntuples(page) - 1, 0));
    }
}
