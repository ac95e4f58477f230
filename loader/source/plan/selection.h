/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Selection: which relations of the source are copied, by patterns of names.
 * It is the one place that knows; who lists relations asks it for SQL.
 *
 *     new --add--> ... --prepare--> sql
 *
 * A relation is left out when a pattern leaves it out, or when there are
 * patterns that choose and none chooses it.  A partition follows its parents in
 * both; what inherits from a table that is left out is left out, too; whoever
 * chooses a partition gets its parents' definition with it.  A sequence goes
 * where the table goes that owns it, and is chosen with a table that uses it.
 *
 * What is no relation, types, functions, extensions, belongs to its schema: it
 * is left out with a schema that is left out.  Patterns for tables say nothing
 * of it.
 *
 * Memory: a few hundred bytes a pattern, whatever they match.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/pg/session.h"

enum selection_kind {
    SELECTION_SCHEMA,
    SELECTION_EXCLUDE_SCHEMA,
    SELECTION_TABLE,
    SELECTION_EXCLUDE_TABLE,
    SELECTION_WHERE, /* "TABLE: CONDITION": see where.h */
};

struct selection;

int selection_new(struct selection **ret, struct err *err);
struct selection *selection_free(struct selection *s);
DEFINE_CLEANUP(struct selection *, selection_free)

/* ERR_USAGE: it is no pattern, or no pattern with a condition. */
int selection_add(struct selection *s, enum selection_kind kind,
                  const char *pattern, struct err *err);

/* No pattern chooses or leaves out: all relations are copied.  So it is with
   NULL. */
int selection_is_all(const struct selection *s);

/* Some have conditions for their rows. */
int selection_has_where(const struct selection *s);

/* The patterns that choose or leave out, in the order in which they were
   added: "--table" and its text.  NULL behind the last. */
const char *selection_option(const struct selection *s, unsigned i);
const char *selection_pattern(const struct selection *s, unsigned i);

/* Of a relation that is left out because none chose it. */
enum { SELECTION_NOT_CHOSEN = 1000000 };

/*
 * All patterns and conditions as one text, the same for the same ones in
 * another order; "" for all.  The caller frees; NULL: no memory.
 */
char *selection_text(const struct selection *s);

/* The selection that a text is of; NULL: everything.  ERR_CORRUPT: it is of
   none. */
int selection_of_text(struct selection **ret, const char *text,
                      struct err *err);

/*
 * Look at the source with it (NULL: nothing to look for): where a pattern
 * without a schema is looked for, as pg_dump does, is the role's own
 * search_path.  ERR_REFUSED when a pattern matches nothing: what was to be left
 * out would be copied.  ERR_USAGE: what the server says of a condition.
 */
int selection_prepare(struct selection *s, struct session *session,
                      struct err *err);

/*
 * "WITH RECURSIVE ..." of any query in the session that it was prepared for,
 * which then finds
 *
 *     left_out(oid, rule)      relations (tables, views, sequences...) that are
 *                              not copied; rule is the number of the pattern,
 *                              or SELECTION_NOT_CHOSEN
 *     schemas_out(oid)         schemas of which nothing is copied
 *
 * and may go on with ", x AS (...) SELECT ...".
 */
const char *selection_sql(const struct selection *s);

/* The condition on pg_class c, in a query that begins so. */
#define SELECTION_KEEPS                                                        \
    " NOT EXISTS (SELECT FROM left_out l_ WHERE l_.oid = c.oid) "

/* selection_sql() and the query; the caller frees.  NULL: no memory. */
char *selection_query(const struct selection *s, const char *query);
