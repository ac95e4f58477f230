/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The user's relations at the source: not the system's, no other session's
 * temporary ones, not the ledger of an earlier load, and of an extension's
 * those alone that hold its configuration, which is the user's.
 */

#include "io/err.h"
#include "loader/catalog/ledger_mark.h"
#include "loader/pg/session.h"

struct selection;

/* FROM and WHERE of a query; c is pg_class, n its namespace, am its access
   method.  Further joins may stand between, further conditions follow with
   AND. */
#define RELATIONS_TABLES                                                       \
    "FROM pg_catalog.pg_class c"                                               \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam "
#define RELATIONS_WHERE                                                        \
    "WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'"    \
    " AND n.nspname !~ '^pg_(toast|temp)'"                                     \
    " AND n.oid <> ALL (ARRAY(SELECT l.objoid FROM pg_catalog.pg_description"  \
    "   l WHERE l.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass"   \
    "     AND l.objsubid = 0 AND l.description = '" LEDGER_MARK "'))"          \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"                      \
    "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"          \
    "     AND d.objid = c.oid AND d.deptype = 'e'"                             \
    "     AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e"               \
    "       WHERE e.oid = d.refobjid AND d.objid = ANY (e.extconfig))) "
#define RELATIONS_FROM RELATIONS_TABLES RELATIONS_WHERE

/* A further condition: nothing of extensions at all. */
#define RELATIONS_BUT_EXTENSIONS                                               \
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x"                       \
    "   WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"          \
    "     AND x.objid = c.oid AND x.deptype = 'e') "

/* A standby has no rows of unlogged relations, and refuses to read them. */
#define RELATIONS_UNREADABLE                                                   \
    "(c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())"

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

/* Which: those that the selection keeps, of these kinds ("{r,p}"). */
struct relations {
    struct session *session;           /* in a transaction */
    const struct selection *selection; /* prepared, or NULL */
    const char *kinds;
};

/*
 * Hand over those that can be read as pages of at most RELATIONS_PAGE rows: oid,
 * schema, name.  The session is free in between.
 */
int relations_each_page(const struct relations *which,
                        int (*visit)(void *arg, const PGresult *page,
                                     struct err *err),
                        void *arg, struct err *err);
