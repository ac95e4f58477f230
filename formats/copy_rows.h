/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Row framing of a COPY stream, text or binary.
 *
 * The stream comes in pieces cut anywhere; copy_rows finds where each row
 * begins and ends without keeping it: a row of 1 GB passes through as the
 * pieces in which it came.
 *
 *     text    no HEAD; rows end at a newline (the server writes one inside a
 *             value as backslash-n); no TRAILER
 *     binary  HEAD (signature, flags, extension) -> rows -> TRAILER (-1);
 *             nothing may follow the trailer
 *
 *     feed --> next, next, ... E_MORE --> feed ... --> end
 *
 * Text is in a server encoding: there a byte below 128 is never a part of
 * another character.  A text row that ends in "\." or in a lone backslash is
 * refused: servers do not write it, and on reading the first ends the COPY
 * without an error (before PostgreSQL 18), the second joins two rows.
 *
 * How the stream is cut changes neither rows nor errors.  After an error only
 * reset and free are allowed.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

enum copy_format { COPY_TEXT, COPY_BINARY };

/* "text", "binary". */
const char *copy_format_name(enum copy_format f);
/* 0, or -1 when there is none of that name. */
int copy_format_parse(const char *name, enum copy_format *ret);

enum copy_piece_kind { COPY_HEAD, COPY_ROW, COPY_TRAILER };

/* A part of the stream, inside the memory that was fed. */
struct copy_piece {
    enum copy_piece_kind kind;
    const unsigned char *data;
    size_t len;
    int first; /* the head, row or trailer begins with it */
    int last;  /* it ends with it; a row of text with its newline */
};

/* Outcomes. */
enum { COPY_ROWS_E_MORE = 1 }; /* what was fed is used up */

struct copy_rows;

/*
 * n_columns is checked in every row (binary: the field count; text: the
 * tabs).  A table without columns has rows all the same.
 */
int copy_rows_new(struct copy_rows **ret, enum copy_format format,
                  unsigned n_columns, struct err *err);
struct copy_rows *copy_rows_free(struct copy_rows *c);
DEFINE_CLEANUP(struct copy_rows *, copy_rows_free)

/* Begin another stream. */
void copy_rows_reset(struct copy_rows *c, enum copy_format format,
                     unsigned n_columns);

/* The memory must stay until next says E_MORE. */
void copy_rows_feed(struct copy_rows *c, const void *data, size_t len);

/*
 * The next piece, never empty.  Joined, the pieces are exactly what was fed.
 * Malformed input is ERR_CORRUPT and names the row's number (from 1) and the
 * offset in the stream; of that row pieces may have been given out before.
 */
int copy_rows_next(struct copy_rows *c, struct copy_piece *ret,
                   struct err *err);

/* The stream is over: fails when it ended inside a row or without trailer. */
int copy_rows_end(struct copy_rows *c, struct err *err);

/* Whole rows so far. */
uint64_t copy_rows_count(const struct copy_rows *c);
