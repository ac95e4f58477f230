/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The selection's parts, private to selection*.c and where.c: what was asked
 * for, what becomes of it in SQL, and whether the source has it.
 */

#include <stdio.h>

#include "loader/source/plan/pattern.h"
#include "loader/source/plan/selection.h"

struct rule {
    enum selection_kind kind;
    char *text; /* as it was given */
    struct pattern pattern;
    const char *condition; /* of SELECTION_WHERE: in text, behind the colon */
};

struct selection {
    struct rule *rules; /* by name */
    unsigned n_rules;
    unsigned n_of[SELECTION_EXCLUDE_TABLE + 1];
    struct rule *wheres; /* SELECTION_WHERE */
    unsigned n_wheres;
    char *sql, *where_sql; /* since it is prepared */
};

/* What is being written. */
struct selection_writing {
    FILE *f;
    struct session *session;
    const char *path; /* SQL: the schemas of the role's search_path, as an
                         array */
};

#define SELECTION_RELATION_KINDS "('r', 'p', 'v', 'm', 'f', 'S')"

const char *selection_option_of(const struct rule *rule);
int selection_is_about_schemas(enum selection_kind kind);

/* SQL: does the pattern match c (pg_class), or n (pg_namespace)? */
void selection_print_match(struct selection_writing *w,
                           const struct rule *rule);

/* The WITH clauses of selection_sql() and selection_where_sql(); the caller
   frees.  NULL: no memory. */
char *selection_write(const struct selection *s, struct session *session,
                      const char *path);
char *where_write(const struct selection *s, struct session *session,
                  const char *path);

/* See where.c.  After selection_write() and where_write(). */
int where_prepare(const struct selection *s, struct session *session,
                  struct err *err);
