/* SPDX-License-Identifier: PostgreSQL */
#include "formats/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void
digest_add(struct digest *to, const struct digest *other)
{
    int carry = __builtin_add_overflow(to->sum_lo, other->sum_lo, &to->sum_lo);

    to->sum_hi += other->sum_hi + (uint64_t)carry;
    to->n_rows += other->n_rows;
}

int
digest_equal(const struct digest *a, const struct digest *b)
{
    return a->n_rows == b->n_rows && a->sum_lo == b->sum_lo &&
           a->sum_hi == b->sum_hi;
}

void
digest_hex(const struct digest *d, char ret[DIGEST_HEX])
{
    snprintf(ret, DIGEST_HEX, "%016" PRIx64 "%016" PRIx64, d->sum_hi,
             d->sum_lo);
}

int
digest_parse(const char *hex, struct digest *ret)
{
    char hi[DIGEST_HEX / 2 + 1] = "";

    if (strspn(hex, "0123456789abcdefABCDEF") != DIGEST_HEX - 1 ||
        hex[DIGEST_HEX - 1] != '\0')
        return -1;
    memcpy(hi, hex, DIGEST_HEX / 2);
    ret->sum_hi = strtoull(hi, NULL, 16);
    ret->sum_lo = strtoull(hex + DIGEST_HEX / 2, NULL, 16);
    return 0;
}

struct digest
digest_row(const void *data, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(data, len);

    return (struct digest){.n_rows = 1, .sum_lo = h.low64, .sum_hi = h.high64};
}

struct digester {
    struct digest digest;
    XXH3_state_t *state; /* of a row that comes in pieces */
};

int
digester_new(struct digester **ret, struct err *err)
{
    cleanup_(digester_freep) struct digester *d = calloc(1, sizeof *d);

    if (!d)
        return err_nomem(err);
    d->state = XXH3_createState();
    if (!d->state)
        return err_nomem(err);
    *ret = take(d);
    return 0;
}

struct digester *
digester_free(struct digester *d)
{
    if (d)
        XXH3_freeState(d->state);
    free(d);
    return NULL;
}

void
digester_reset(struct digester *d)
{
    d->digest = (struct digest){0};
}

/* The same value for a row in one piece and in many. */
static XXH128_hash_t
hash_end(struct digester *d, const struct copy_piece *p)
{
    if (p->first)
        return XXH3_128bits(p->data, p->len);
    XXH3_128bits_update(d->state, p->data, p->len);
    return XXH3_128bits_digest(d->state);
}

void
digester_piece(struct digester *d, const struct copy_piece *p)
{
    XXH128_hash_t h;

    if (p->kind != COPY_ROW)
        return;
    if (p->last) {
        h = hash_end(d, p);
        digest_add(&d->digest, &(struct digest){.n_rows = 1,
                                                .sum_lo = h.low64,
                                                .sum_hi = h.high64});
        return;
    }
    if (p->first)
        XXH3_128bits_reset(d->state);
    XXH3_128bits_update(d->state, p->data, p->len);
}

struct digest
digester_get(const struct digester *d)
{
    return d->digest;
}

int
digester_feed(struct digester *d, struct copy_rows *rows, const void *data,
              size_t len, struct err *err)
{
    struct copy_piece p;
    int r;

    copy_rows_feed(rows, data, len);
    while ((r = copy_rows_next(rows, &p, err)) == 0)
        digester_piece(d, &p);
    return r == COPY_ROWS_E_MORE ? 0 : r;
}
