/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "formats/age/age_piece.h"

enum { FIRST_LOOK = 4096 }; /* holds the header of a few recipients */

static const uint64_t NO_PIECE = UINT64_MAX;

struct age_view {
    struct bytes_in plain;
    const struct bytes_in *in; /* borrowed */
    struct age_aead *aead;
    struct age_header header;
    uint64_t payload; /* offset of the first piece */
    uint64_t n_pieces;
    uint64_t cached; /* number of the piece in cache */
    unsigned char cache[AGE_PIECE];
    unsigned char sealed[AGE_SEALED];
    unsigned char text[AGE_HEADER_MAX];
};

/* ---- pieces ---- */

static size_t
piece_len(const struct age_view *v, uint64_t number)
{
    return number + 1 < v->n_pieces
               ? AGE_PIECE
               : (size_t)(v->plain.len - number * AGE_PIECE);
}

static int
open_piece(struct age_view *v, uint64_t number, unsigned char *to,
           struct err *err)
{
    const struct age_sealed s = {
        .name = v->in->name,
        .piece = {number, number + 1 == v->n_pieces},
        .from = v->sealed,
        .len = piece_len(v, number) + AGE_TAG,
    };
    int r = v->in->read_at(v->in->from, v->payload + number * AGE_SEALED,
                           v->sealed, s.len, err);

    return r ? r : age_piece_open(v->aead, &s, to, err);
}

static int
fill_cache(struct age_view *v, uint64_t number, struct err *err)
{
    int r;

    if (v->cached == number)
        return 0;
    v->cached = NO_PIECE;
    r = open_piece(v, number, v->cache, err);
    if (!r)
        v->cached = number;
    return r;
}

static int
read_some(struct age_view *v, uint64_t offset, unsigned char *to, size_t len,
          struct err *err)
{
    uint64_t number = offset / AGE_PIECE;
    size_t skip = offset % AGE_PIECE;
    int r;

    /* A whole one needs no stop on its way. */
    if (len == piece_len(v, number) && v->cached != number)
        return open_piece(v, number, to, err);
    r = fill_cache(v, number, err);
    if (!r)
        memcpy(to, v->cache + skip, len);
    return r;
}

static int
plain_read_at(void *from, uint64_t offset, void *to, size_t len,
              struct err *err)
{
    struct age_view *v = from;
    unsigned char *at = to;
    size_t n;
    int r = 0;

    if (offset > v->plain.len || len > v->plain.len - offset)
        return age_damaged(v->in->name, "It ends before it should.", err);
    for (; len > 0 && !r; offset += n, at += n, len -= n) {
        n = AGE_PIECE - offset % AGE_PIECE;
        n = len < n ? len : n;
        r = read_some(v, offset, at, n, err);
    }
    return r;
}

/* ---- the view ---- */

int
age_view_new(struct age_view **ret, struct err *err)
{
    cleanup_(age_view_freep) struct age_view *v = calloc(1, sizeof *v);
    int r;

    if (!v)
        return err_nomem(err);
    v->plain = (struct bytes_in){.from = v, .read_at = plain_read_at};
    r = age_aead_new(&v->aead, err);
    if (!r)
        *ret = take(v);
    return r;
}

struct age_view *
age_view_free(struct age_view *v)
{
    if (!v)
        return NULL;
    age_aead_free(v->aead);
    OPENSSL_cleanse(v, sizeof *v);
    free(v);
    return NULL;
}

const struct bytes_in *
age_view_in(const struct age_view *v)
{
    return &v->plain;
}

static int
parse(struct age_view *v, size_t len, const char **flaw, struct err *err)
{
    int r;

    len = v->in->len < len ? (size_t)v->in->len : len;
    r = v->in->read_at(v->in->from, 0, v->text, len, err);
    if (r)
        return r;
    r = age_header_parse(&v->header, (const char *)v->text, len, flaw);
    return r < 0 ? age_damaged(v->in->name, *flaw, err) : r;
}

static int
read_header(struct age_view *v, struct err *err)
{
    const char *flaw;
    int r = parse(v, FIRST_LOOK, &flaw, err);

    if (r == AGE_HEADER_E_MORE)
        r = parse(v, AGE_HEADER_MAX, &flaw, err);
    return r == AGE_HEADER_E_MORE ? age_damaged(v->in->name, "It was cut.", err)
                                  : r;
}

/* The key of the pieces, from the nonce before them. */
static int
derive(struct age_view *v, const struct age_identities *i, struct err *err)
{
    unsigned char file_key[AGE_FILE_KEY], nonce[AGE_NONCE];
    int r = age_header_open(&v->header, i, v->in->name, file_key, err);

    if (!r)
        r = v->in->read_at(v->in->from, v->header.len, nonce, sizeof nonce,
                           err);
    if (!r)
        r = age_payload_key(v->aead, file_key, nonce, err);
    OPENSSL_cleanse(file_key, sizeof file_key);
    return r;
}

/* From the length alone; whether it is true the last piece says. */
static int
measure(struct age_view *v, struct err *err)
{
    uint64_t len;

    v->payload = v->header.len + AGE_NONCE;
    if (v->in->len < v->payload + AGE_TAG)
        return age_damaged(v->in->name, "It was cut.", err);
    len = v->in->len - v->payload;
    v->n_pieces = (len + AGE_SEALED - 1) / AGE_SEALED;
    if (len - (v->n_pieces - 1) * AGE_SEALED < AGE_TAG)
        return age_damaged(v->in->name, "It was cut.", err);
    v->plain.len = len - v->n_pieces * AGE_TAG;
    v->plain.name = v->in->name;
    return 0;
}

int
age_view_begin(struct age_view *v, const struct bytes_in *in,
               const struct age_identities *i, struct err *err)
{
    int r;

    v->in = in;
    v->cached = NO_PIECE;
    r = read_header(v, err);
    if (!r)
        r = measure(v, err);
    if (!r)
        r = derive(v, i, err);
    return r ? r : fill_cache(v, v->n_pieces - 1, err);
}
