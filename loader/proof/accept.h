/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Accept: which differences are none, set before a proof begins and recorded
 * with it.  A rule is a text:
 *
 *     shop.orders: rows=10, match=99.99%
 *     shop.*: rows=0.1%
 *     shop.orders.amount: sum=1e-9
 *     *: missing=yes
 *
 *     rows      by how many rows, or per cent of the left side's, the numbers of
 *               rows may differ
 *     match     which share of the rows must be the same
 *     sum       by how much of itself a column's sum may differ
 *     missing   a table that one side alone has is no difference
 *     extra     a table that the right side alone has is none
 *
 * What is before the colon is "*", "schema.*", "schema.table" or
 * "schema.table.column".  Of the rules that fit, the one that says most of the
 * name counts, of equals the last.  What is not said is strict.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/proof/result.h"

struct accept;

int accept_new(struct accept **ret, struct err *err);
struct accept *accept_free(struct accept *a);
DEFINE_CLEANUP(struct accept *, accept_free)

/* ERR_USAGE: it is no rule. */
int accept_add(struct accept *a, const char *rule, struct err *err);

/* The rules as they were given; NULL behind the last. */
const char *accept_rule(const struct accept *a, unsigned i);

/* The text of the rule by which the table, whose rows were looked for or which
   is missing, may be as it is; NULL: it may not.  a may be NULL: no rules. */
const char *accept_table(const struct accept *a, const struct proof_table *t);

/* May the two sums, as the column's table has them on both sides, differ so?
   The rule, or NULL. */
const char *accept_sum(const struct accept *a, const char *schema,
                       const char *table, const char *column, double left,
                       double right);
