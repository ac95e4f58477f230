/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "formats/age/age_header.h"

/* What is left of a piece stays where it is, until there is no room behind it;
   then it moves, which is one byte in ten or fewer. */
enum { ROOM = 1 << 20 };

_Static_assert((size_t)ROOM >= (size_t)AGE_PIECE + (size_t)BYTES_OUT_MIN_MAX,
               "a rest of a piece, and what may be asked for");

struct age_encoder {
    struct bytes_out plain;      /* what others write to */
    const struct bytes_out *out; /* borrowed; NULL unless a file is begun */
    struct age_aead *aead;
    struct age_piece piece; /* the next */
    size_t start, end;      /* of what is not encrypted yet */
    unsigned char room[ROOM];
};

/* At most a piece of them, as the next one. */
static int
seal(struct age_encoder *e, size_t len, struct err *err)
{
    unsigned char *to;
    int r = e->out->reserve(e->out->to, len + AGE_TAG, &to, err);

    if (!r)
        r = age_aead_seal(e->aead, &e->piece, to, e->room + e->start, len, err);
    if (!r)
        r = e->out->advance(e->out->to, len + AGE_TAG, err);
    e->start += len;
    e->piece.number++;
    return r;
}

static int
plain_reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct age_encoder *e = to;

    (void)err;
    assert(e->out);
    assert(min <= BYTES_OUT_MIN_MAX);

    if (ROOM - e->end < min) {
        memmove(e->room, e->room + e->start, e->end - e->start);
        e->end -= e->start;
        e->start = 0;
    }
    *room = e->room + e->end;
    return 0;
}

/* A whole piece waits until more comes: it may be the last. */
static int
plain_advance(void *to, size_t n, struct err *err)
{
    struct age_encoder *e = to;
    int r = 0;

    e->end += n;
    while (!r && e->end - e->start > AGE_PIECE)
        r = seal(e, AGE_PIECE, err);
    return r;
}

int
age_encoder_new(struct age_encoder **ret, struct err *err)
{
    cleanup_(age_encoder_freep) struct age_encoder *e = calloc(1, sizeof *e);
    int r;

    if (!e)
        return err_nomem(err);
    e->plain = (struct bytes_out){
        .to = e, .reserve = plain_reserve, .advance = plain_advance};
    r = age_aead_new(&e->aead, err);
    if (!r)
        *ret = take(e);
    return r;
}

struct age_encoder *
age_encoder_free(struct age_encoder *e)
{
    if (!e)
        return NULL;
    age_aead_free(e->aead);
    OPENSSL_cleanse(e->room, sizeof e->room);
    free(e);
    return NULL;
}

const struct bytes_out *
age_encoder_out(struct age_encoder *e)
{
    return &e->plain;
}

static int
write_header(struct age_encoder *e, const struct age_recipients *r,
             const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    char header[AGE_HEADER_WRITTEN];
    int n = age_header_write(header, r, file_key, err);

    return n < 0 ? n : bytes_out_append(e->out, header, (size_t)n, err);
}

static int
write_nonce(struct age_encoder *e, const unsigned char file_key[AGE_FILE_KEY],
            struct err *err)
{
    unsigned char nonce[AGE_NONCE];
    int r = age_random(nonce, sizeof nonce, 0, err);

    if (!r)
        r = age_payload_key(e->aead, file_key, nonce, err);
    return r ? r : bytes_out_append(e->out, nonce, sizeof nonce, err);
}

int
age_encoder_begin(struct age_encoder *e, const struct age_recipients *r,
                  const struct bytes_out *out, struct err *err)
{
    unsigned char file_key[AGE_FILE_KEY];
    int failed;

    assert(r->n > 0 || r->passphrase.text);

    e->out = out;
    e->piece = (struct age_piece){0};
    e->start = e->end = 0;
    failed = age_random(file_key, sizeof file_key, 1, err);
    if (!failed)
        failed = write_header(e, r, file_key, err);
    if (!failed)
        failed = write_nonce(e, file_key, err);
    OPENSSL_cleanse(file_key, sizeof file_key);
    return failed;
}

int
age_encoder_end(struct age_encoder *e, struct err *err)
{
    int r;

    assert(e->out);

    e->piece.last = 1;
    r = seal(e, e->end - e->start, err);
    e->out = NULL;
    return r;
}
