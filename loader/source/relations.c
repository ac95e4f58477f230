/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/relations.h"

#include <stdio.h>

#include "loader/pg/cursor.h"

int
relations_each_page(struct session *s, const char *kinds,
                    int (*visit)(void *arg, const PGresult *page,
                                 struct err *err),
                    void *arg, struct err *err)
{
    char sql[sizeof RELATIONS_FROM + 256];

    snprintf(sql, sizeof sql,
             "SELECT c.oid, n.nspname, c.relname " RELATIONS_FROM
             "AND c.relkind = ANY ('%s') AND c.relpersistence <> 't'"
             " ORDER BY c.oid",
             kinds);
    return cursor_each_page(s, sql, RELATIONS_PAGE, visit, arg, err);
}
