/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Row text: the fields of a row as text: for people, cut and printable, and as
 * SQL.  What came in binary is made text by the server that knows the type; where
 * there is none, it is shown in hexadecimal.
 */

#include <stdio.h>

#include "formats/copy_row.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/proof/row_key.h"

struct row_text { /* all borrowed */
    const struct catalog_table *table;
    const struct row_key *key;
    struct session *session; /* NULL: there is no server */
};

/* The value as the type's output function writes it, owned; NULL is SQL's. */
int row_text_value(const struct row_text *t, unsigned column,
                   const struct copy_field *f, char **ret, struct err *err);

/* The same for people. */
int row_text_shown(const struct row_text *t, unsigned column,
                   const struct copy_field *f, char **ret, struct err *err);

/* A quotation mark for what would not be seen otherwise, or be taken for SQL's
   NULL; else "". */
const char *row_text_quote(const char *shown);

/* "id = 5, at = 2024-01-01": the key, or all of the row. */
int row_text_key(const struct row_text *t, const struct copy_field *fields,
                 char **ret, struct err *err);

/* ---- statements that would mend the target; the session is its ---- */

int row_text_insert(const struct row_text *t, const struct copy_field *fields,
                    uint64_t n, FILE *to, struct err *err);
int row_text_delete(const struct row_text *t, const struct copy_field *fields,
                    uint64_t n, FILE *to, struct err *err);
/* The columns in which the two differ, to what the first has. */
int row_text_update(const struct row_text *t, const struct copy_field *fields,
                    const struct copy_field *others, FILE *to, struct err *err);

int copy_fields_equal(const struct copy_field *a, const struct copy_field *b);
