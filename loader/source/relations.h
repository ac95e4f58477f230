/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The user's relations at the source: not the system's, no other session's
 * temporary ones, not an extension's, not the ledger of an earlier load.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/run/ledger_mark.h"

/* FROM and WHERE of a query; c is pg_class, n its namespace, am its access
   method.  Further conditions may follow with AND. */
#define RELATIONS_FROM                                                         \
    "FROM pg_catalog.pg_class c"                                               \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam "                      \
    "WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'"    \
    " AND n.nspname !~ '^pg_(toast|temp)'"                                     \
    " AND coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '')"     \
    "     <> '" LEDGER_MARK "'"                                                \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"                      \
    "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"          \
    "     AND d.objid = c.oid AND d.deptype = 'e') "

/*
 * Is c, as the snapshot shows it, another than what its name leads to now, or
 * rewritten since?  Then the name's rows are none in the snapshot, or others.
 * While the name is locked the answer does not change.
 */
#define RELATIONS_REPLACED                                                     \
    "(pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode"   \
    " OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname,"         \
    "      c.relname)) IS DISTINCT FROM c.oid::pg_catalog.regclass)"

enum { RELATIONS_PAGE = 200 };

/*
 * Hand over all relations of these kinds ("{r,p}") as pages of at most
 * RELATIONS_PAGE rows: oid, schema, name.  The session is free in between.
 */
int relations_each_page(struct session *s, const char *kinds,
                        int (*visit)(void *arg, const PGresult *page,
                                     struct err *err),
                        void *arg, struct err *err);
