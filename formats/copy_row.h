/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One row of a COPY stream, whole: put together from the pieces in which it
 * came, and taken apart into its fields.
 *
 * Memory: the largest row, where it came in pieces.
 */

#include <stddef.h>
#include <stdint.h>

#include "formats/copy_rows.h"
#include "io/cleanup.h"
#include "io/err.h"

/* ---- whole rows ---- */

struct copy_row { /* begins as {0} */
    const unsigned char *data;
    size_t len;
    unsigned char *buffer;
    size_t n_buffer, room;
};

/* Outcome: there is more of this row to come. */
enum { COPY_ROW_E_MORE = 1 };

/* 0: data and len are a whole row, until the next call. */
int copy_row_add(struct copy_row *r, const struct copy_piece *p,
                 struct err *err);
void copy_row_clear(struct copy_row *r);

/* ---- fields ---- */

/* Inside the row; of text as COPY escapes it.  data NULL: SQL's NULL. */
struct copy_field {
    const unsigned char *data;
    size_t len;
};

/* Fills n fields; ERR_CORRUPT unless the row has exactly as many. */
int copy_row_split(const void *data, size_t len, enum copy_format format,
                   unsigned n, struct copy_field *ret, struct err *err);

/* The value of a text's field, unescaped, with an end of its own; the caller
   frees.  NULL: no memory. */
char *copy_field_text(const struct copy_field *f);
