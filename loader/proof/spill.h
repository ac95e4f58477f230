/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Spill: rows of two sides, found together by their keys in bounded memory.
 *
 *     add, add...  -->  join
 *
 * A row goes into one of many unnamed temporary files by the digest of its key,
 * so that the two versions of a row come to lie in the same part; the parts are
 * then joined one by one.  Of each row the digests of its key and of all of it
 * are kept, and its bytes as long as there is room for them: of a share of the
 * keys all rows, so that both versions of a row have theirs or none has.
 */

#include <stdint.h>

#include "formats/digest.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/proof/result.h"

struct spill;

struct spill_params {
    uint64_t n_rows;  /* that are about to come, of both sides; a guess */
    uint64_t n_bytes; /* of these rows */
};

int spill_new(struct spill **ret, const struct spill_params *p,
              struct err *err);
struct spill *spill_free(struct spill *s);
DEFINE_CLEANUP(struct spill *, spill_free)

/* Whether there was not room for the bytes of all rows. */
int spill_is_partial(const struct spill *s);

int spill_add(struct spill *s, enum proof_end end, const struct digest *key,
              const struct digest *row, const void *data, size_t len,
              struct err *err);

/* A difference: rows of which one side has n more than the other, or, of
   DIFFERING, the two of a key.  data is NULL where there was no room. */
struct spill_difference {
    enum proof_row_kind kind;
    uint64_t n;
    struct {
        const unsigned char *data;
        size_t len;
    } at[PROOF_ENDS];
};

int spill_join(struct spill *s,
               int (*visit)(void *arg, const struct spill_difference *d,
                            struct err *err),
               void *arg, struct err *err);
