/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/relations.h"

#include <stdio.h>

#include "loader/pg/cursor.h"
#include "loader/source/plan/selection.h"

int
relations_each_page(const struct relations *which,
                    int (*visit)(void *arg, const PGresult *page,
                                 struct err *err),
                    void *arg, struct err *err)
{
    cleanup_(freep) char *sql = NULL;

    if (asprintf(&sql,
                 "%sSELECT c.oid, n.nspname, c.relname " RELATIONS_FROM
                 "AND c.relkind = ANY ('%s') AND c.relpersistence <> 't'"
                 " AND NOT " RELATIONS_UNREADABLE " AND" SELECTION_KEEPS
                 "ORDER BY c.oid",
                 selection_sql(which->selection), which->kinds) < 0)
        return err_nomem(err);
    return cursor_each_page(which->session, sql, RELATIONS_PAGE, visit, arg,
                            err);
}
