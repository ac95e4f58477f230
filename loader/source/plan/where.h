/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where: of some tables not all rows are copied, but those for which a
 * condition of the user's is true.
 *
 *     --where 'shop.orders: placed >= DATE ''2024-01-01'''
 *
 * The pattern before the colon means tables as those of --table do.  A
 * condition on a table counts for its partitions and for what inherits from
 * it.  Of several that meet a table all must be true.
 *
 * A condition is foreign text in the middle of our statements, so before
 * anything is made the server is asked about it, for every table it is for:
 *
 *   - It must be one expression.  It is parsed between round brackets, and
 *     between square ones: what closes the one does not close the other, so
 *     what passes both is balanced in itself and cannot leave ours.
 *   - It must be boolean, over this table's columns.
 *   - It must read no table: what others hold is not locked, and not ours.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/source/plan/selection.h"

/*
 * ", wheres (oid, rules) AS (...) ", to stand behind selection_sql(): the
 * tables, partitioned ones too, that have conditions, and which: "0 2".  None
 * when there are none (NULL too).
 */
const char *where_sql(const struct selection *s);

/* All conditions of these rules, and another one (NULL: none), as one.  The
   caller frees; NULL: no memory. */
char *where_condition(const struct selection *s, const char *rules,
                      const char *also);

/* May this table's rows be chosen by these rules?  ERR_USAGE with the server's
   words; ERR_REFUSED when a condition reads another table. */
int where_require(const struct selection *s, const char *rules,
                  struct session *session, const char *schema,
                  const char *table, struct err *err);

/*
 * A query, behind selection_sql() and where_sql(), for the names of foreign
 * keys of what is copied that point to tables with conditions: rows may be
 * missing there, and then the keys cannot be made in the target.
 */
#define WHERE_OPEN_KEYS                                                        \
    "SELECT pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname)" \
    " FROM pg_catalog.pg_constraint k"                                         \
    " JOIN wheres w ON w.oid = k.confrelid"                                    \
    " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"                        \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE k.contype = 'f' AND k.conparentid = 0 AND"                         \
    " NOT EXISTS (SELECT FROM left_out l_ WHERE l_.oid = c.oid)"               \
    " AND NOT EXISTS (SELECT FROM left_out l_ WHERE l_.oid = k.confrelid)"     \
    " ORDER BY n.nspname, c.relname, k.conname"

/* selection_sql(), where_sql() and the query; the caller frees. */
char *where_query(const struct selection *s, const char *query);
