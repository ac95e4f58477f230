/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Digest of a set of rows: how many, and the sum modulo 2^128 of the
 * XXH3-128 of every row's bytes.  It does not depend on the order of the rows
 * and the digests of two sets add up to the digest of both.
 *
 * A row's bytes are those of the COPY stream: in text from its first byte to
 * its newline, in binary from its field count to its last field.  The head
 * and the trailer of a stream do not count.
 *
 * It finds accidents, not forgeries: XXH3 is no cryptographic hash.
 */

#include <stdint.h>

#include "formats/copy_rows.h"
#include "io/cleanup.h"
#include "io/err.h"

struct digest {
    uint64_t n_rows;
    uint64_t sum_lo, sum_hi;
};

/* 32 hexadecimal digits and the end: the sum alone. */
enum { DIGEST_HEX = 33 };

void digest_add(struct digest *to, const struct digest *other);
int digest_equal(const struct digest *a, const struct digest *b);
void digest_hex(const struct digest *d, char ret[DIGEST_HEX]);
/* The sum; n_rows stays.  0, or -1 when it is not 32 hexadecimal digits. */
int digest_parse(const char *hex, struct digest *ret);

/* Of one row that is at hand in one piece: n_rows is 1. */
struct digest digest_row(const void *data, size_t len);

/* Takes rows as they come out of copy_rows, in pieces where they must. */
struct digester;

int digester_new(struct digester **ret, struct err *err);
struct digester *digester_free(struct digester *d);
DEFINE_CLEANUP(struct digester *, digester_free)
void digester_reset(struct digester *d);
void digester_piece(struct digester *d, const struct copy_piece *p);
/* The rows that have ended so far. */
struct digest digester_get(const struct digester *d);

/*
 * Frame and digest a piece of a COPY stream in one go, for those who keep
 * nothing of it.
 */
int digester_feed(struct digester *d, struct copy_rows *rows, const void *data,
                  size_t len, struct err *err);
