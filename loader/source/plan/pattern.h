/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Pattern: a name as psql and pg_dump take it, "shop.*", as regular
 * expressions of PostgreSQL.  Their rules, one by one:
 *
 *     A-Z       become small letters
 *     *  ?      any text, any character
 *     .         parts schema and name; one at most
 *     $         itself; so is [] when it stands together
 *     "..."     all within stands for itself, "" for a quote
 *     others    as regular expressions have them: (a|b), [0-9]
 *
 * Memory to memory.  That a regular expression is none says the server.
 */

#include "io/err.h"

/* A part of a pattern: what the name is, or must match. */
struct pattern_part {
    char *text;   /* NULL: any */
    int is_exact; /* text is the name itself, else "^(...)$" */
};

struct pattern {
    struct pattern_part schema, name;
    int has_schema; /* there was a dot */
};

/*
 * Of a relation ("orders", "shop.*"), or of a schema, which has no dot and
 * stands in name.  ERR_USAGE: too many dots, no end of the quotes, or nothing.
 */
int pattern_parse(struct pattern *ret, const char *text, int of_schema,
                  struct err *err);
void pattern_clear(struct pattern *p);
