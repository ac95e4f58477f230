/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/age/age_piece.h"

enum state {
    HEADER, /* entered by begin */
    NONCE,  /* the header is whole and was opened */
    PIECES,
    ENDED, /* the last piece was given out */
};

struct age_decoder {
    const struct age_identities *identities; /* borrowed */
    char name[256];
    enum state state;
    struct age_aead *aead;
    struct age_header header;
    unsigned char file_key[AGE_FILE_KEY];
    uint64_t number; /* of the next piece */
    const unsigned char *at;
    size_t left; /* of what was fed */
    int is_finished;
    size_t used; /* of gathered: the header, or a piece */
    unsigned char gathered[AGE_HEADER_MAX];
    unsigned char plain[AGE_PIECE];
};

_Static_assert((size_t)AGE_HEADER_MAX >= (size_t)AGE_SEALED,
               "one or the other is gathered");

int
age_decoder_new(struct age_decoder **ret, struct err *err)
{
    cleanup_(age_decoder_freep) struct age_decoder *d = calloc(1, sizeof *d);
    int r;

    if (!d)
        return err_nomem(err);
    d->state = ENDED;
    r = age_aead_new(&d->aead, err);
    if (!r)
        *ret = take(d);
    return r;
}

struct age_decoder *
age_decoder_free(struct age_decoder *d)
{
    if (!d)
        return NULL;
    age_aead_free(d->aead);
    OPENSSL_cleanse(d, sizeof *d);
    free(d);
    return NULL;
}

int
age_decoder_begin(struct age_decoder *d, const struct age_identities *i,
                  const char *name, struct err *err)
{
    (void)err;
    d->identities = i;
    snprintf(d->name, sizeof d->name, "%s", name);
    d->state = HEADER;
    d->number = 0;
    d->left = 0;
    d->is_finished = 0;
    d->used = 0;
    return 0;
}

void
age_decoder_feed(struct age_decoder *d, const void *data, size_t len)
{
    assert(d->left == 0 && !d->is_finished);
    d->at = data;
    d->left = len;
}

void
age_decoder_finish(struct age_decoder *d)
{
    assert(d->left == 0);
    d->is_finished = 1;
}

/* Until so much is gathered, or there is no more. */
static void
gather(struct age_decoder *d, size_t want)
{
    size_t n = want - d->used;

    n = d->left < n ? d->left : n;
    if (n > 0)
        memcpy(d->gathered + d->used, d->at, n);
    d->used += n;
    d->at += n;
    d->left -= n;
}

static int
need_more(const struct age_decoder *d, struct err *err)
{
    return d->is_finished ? age_damaged(d->name, "It was cut.", err)
                          : AGE_DECODER_E_MORE;
}

static int
read_header(struct age_decoder *d, struct err *err)
{
    const char *flaw;
    size_t behind;
    int r;

    gather(d, AGE_HEADER_MAX);
    r = age_header_parse(&d->header, (const char *)d->gathered, d->used, &flaw);
    if (r == AGE_HEADER_E_MORE)
        return need_more(d, err);
    if (r)
        return age_damaged(d->name, flaw, err);
    /* Was there a header before, it had been seen: all of this was fed now. */
    behind = d->used - d->header.len;
    d->at -= behind;
    d->left += behind;
    r = age_header_open(&d->header, d->identities, d->name, d->file_key, err);
    d->used = 0;
    d->state = NONCE;
    return r;
}

static int
read_nonce(struct age_decoder *d, struct err *err)
{
    int r;

    gather(d, AGE_NONCE);
    if (d->used < AGE_NONCE)
        return need_more(d, err);
    r = age_payload_key(d->aead, d->file_key, d->gathered, err);
    OPENSSL_cleanse(d->file_key, sizeof d->file_key);
    d->used = 0;
    d->state = PIECES;
    return r;
}

/* A piece is opened when it is known whether it is the last. */
static int
read_piece(struct age_decoder *d, size_t *ret_len, struct err *err)
{
    struct age_sealed s = {.name = d->name, .from = d->gathered};
    int r;

    gather(d, AGE_SEALED);
    if (d->left == 0 && !d->is_finished)
        return AGE_DECODER_E_MORE;
    s.piece = (struct age_piece){d->number++, d->left == 0};
    s.len = d->used;
    r = age_piece_open(d->aead, &s, d->plain, err);
    if (r)
        return r;
    *ret_len = d->used - AGE_TAG;
    d->used = 0;
    if (s.piece.last)
        d->state = ENDED;
    return 0;
}

int
age_decoder_next(struct age_decoder *d, const unsigned char **ret,
                 size_t *ret_len, struct err *err)
{
    int r = 0;

    if (d->state == HEADER)
        r = read_header(d, err);
    if (!r && d->state == NONCE)
        r = read_nonce(d, err);
    if (r)
        return r;
    if (d->state == ENDED)
        return AGE_DECODER_E_END;
    *ret = d->plain;
    r = read_piece(d, ret_len, err);
    return !r && *ret_len == 0 ? AGE_DECODER_E_END : r;
}
