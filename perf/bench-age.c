/* SPDX-License-Identifier: PostgreSQL */

/*
 * What does encryption cost?  A file of age written, and read both ways, on
 * one core and in memory, against libcrypto's ChaCha20-Poly1305 of the same
 * bytes in pieces of the same size, from where they lie to where they go.
 *
 * One line a case: MB/s in a second of CPU time, those of the limit, and the
 * ratio of the two (1: nothing is lost): median, least, most of rounds in
 * which both take turns.
 */

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "formats/age/age.h"

enum {
    LEN = 64 << 20,
    STEP = 100 << 10, /* about what a block of LZ4 is */
    N_ROUNDS = 11,
    N_PIECES = LEN / AGE_PIECE,
    NONCE = 12,
};

struct bench {
    unsigned char *plain, *sealed, *out;
    size_t sealed_len; /* of a file of age */
    size_t out_len;
    struct age_recipients *to;
    struct age_identities *with;
    struct age_encoder *encoder;
    struct age_decoder *decoder;
    struct age_view *view;
    EVP_CIPHER_CTX *seal, *open;
    unsigned char *bare; /* what the limit has encrypted */
};

static void
must(int r, const struct err *err)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench-age: %s\n", err->message);
    exit(err->class);
}

static void *
room(size_t len)
{
    void *p = malloc(len);
    struct err err;

    if (!p)
        must(err_nomem(&err), &err);
    return memset(p, 1, len); /* touched: no page is new to the clock */
}

/* ---- the contestants ---- */

static int
out_reserve(void *to, size_t min, unsigned char **ret, struct err *err)
{
    struct bench *b = to;

    (void)min, (void)err;
    *ret = b->sealed + b->sealed_len;
    return 0;
}

static int
out_advance(void *to, size_t n, struct err *err)
{
    struct bench *b = to;

    (void)err;
    b->sealed_len += n;
    return 0;
}

static void
write_file(struct bench *b)
{
    const struct bytes_out out = {b, out_reserve, out_advance};
    struct err err;

    b->sealed_len = 0;
    must(age_encoder_begin(b->encoder, b->to, &out, &err), &err);
    for (size_t at = 0, n; at < LEN; at += n) {
        n = LEN - at < STEP ? LEN - at : STEP;
        must(bytes_out_append(age_encoder_out(b->encoder), b->plain + at, n,
                              &err),
             &err);
    }
    must(age_encoder_end(b->encoder, &err), &err);
}

static int
sealed_read_at(void *from, uint64_t offset, void *to, size_t len,
               struct err *err)
{
    const struct bench *b = from;

    (void)err;
    memcpy(to, b->sealed + offset, len);
    return 0;
}

static void
read_view(struct bench *b)
{
    const struct bytes_in in = {b, b->sealed_len, "memory", sealed_read_at};
    const struct bytes_in *plain;
    struct err err;

    must(age_view_begin(b->view, &in, b->with, &err), &err);
    plain = age_view_in(b->view);
    for (size_t at = 0, n; at < LEN; at += n) {
        n = LEN - at < STEP ? LEN - at : STEP;
        must(plain->read_at(plain->from, at, b->out + at, n, &err), &err);
    }
}

static void
read_stream(struct bench *b)
{
    const unsigned char *data;
    struct err err;
    size_t len;
    int r;

    must(age_decoder_begin(b->decoder, b->with, "memory", &err), &err);
    age_decoder_feed(b->decoder, b->sealed, b->sealed_len);
    do {
        while ((r = age_decoder_next(b->decoder, &data, &len, &err)) == 0)
            ;
        if (r == AGE_DECODER_E_MORE)
            age_decoder_finish(b->decoder);
    } while (r == AGE_DECODER_E_MORE);
    must(r == AGE_DECODER_E_END ? 0 : r, &err);
}

static void
nonce_of(unsigned char to[NONCE], int i)
{
    memset(to, 0, NONCE);
    memcpy(to, &i, sizeof i);
}

static void
seal_limit(struct bench *b)
{
    unsigned char nonce[NONCE];
    int n;

    for (int i = 0; i < N_PIECES; i++) {
        unsigned char *to = b->bare + (size_t)i * (AGE_PIECE + AGE_TAG);

        nonce_of(nonce, i);
        EVP_EncryptInit_ex(b->seal, NULL, NULL, NULL, nonce);
        EVP_EncryptUpdate(b->seal, to, &n, b->plain + (size_t)i * AGE_PIECE,
                          AGE_PIECE);
        EVP_EncryptFinal_ex(b->seal, to + AGE_PIECE, &n);
        EVP_CIPHER_CTX_ctrl(b->seal, EVP_CTRL_AEAD_GET_TAG, AGE_TAG,
                            to + AGE_PIECE);
    }
}

static void
open_limit(struct bench *b)
{
    unsigned char nonce[NONCE];
    int n;

    for (int i = 0; i < N_PIECES; i++) {
        unsigned char *from = b->bare + (size_t)i * (AGE_PIECE + AGE_TAG);
        unsigned char *to = b->out + (size_t)i * AGE_PIECE;

        nonce_of(nonce, i);
        EVP_DecryptInit_ex(b->open, NULL, NULL, NULL, nonce);
        EVP_CIPHER_CTX_ctrl(b->open, EVP_CTRL_AEAD_SET_TAG, AGE_TAG,
                            from + AGE_PIECE);
        EVP_DecryptUpdate(b->open, to, &n, from, AGE_PIECE);
        if (EVP_DecryptFinal_ex(b->open, to + AGE_PIECE, &n) <= 0)
            exit(1);
    }
}

/* ---- measuring ---- */

/* CPU time: others may want the machine, too. */
static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* MB/s. */
static double
rate(struct bench *b, void (*work)(struct bench *b))
{
    double begin = seconds();

    work(b);
    return LEN / 1e6 / (seconds() - begin);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
compare(struct bench *b, const char *name, void (*ours)(struct bench *b),
        void (*limit)(struct bench *b))
{
    double our[N_ROUNDS], their[N_ROUNDS], ratio[N_ROUNDS];

    ours(b); /* warm up */
    limit(b);
    for (int i = 0; i < N_ROUNDS; i++) {
        our[i] = rate(b, ours);
        their[i] = rate(b, limit);
        ratio[i] = our[i] / their[i];
    }
    qsort(our, N_ROUNDS, sizeof *our, ascending);
    qsort(their, N_ROUNDS, sizeof *their, ascending);
    qsort(ratio, N_ROUNDS, sizeof *ratio, ascending);
    printf("%s\t%.0f\t%.0f\t%.3f\t%.3f\t%.3f\n", name, our[N_ROUNDS / 2],
           their[N_ROUNDS / 2], ratio[N_ROUNDS / 2], ratio[0],
           ratio[N_ROUNDS - 1]);
}

static void
prepare(struct bench *b)
{
    const unsigned char key[32] = {1};
    struct err err;

    b->plain = room(LEN);
    b->out = room(LEN);
    b->sealed = room(LEN + (LEN >> 8));
    b->bare = room(LEN + (LEN >> 8));
    must(age_recipients_new(&b->to, &err), &err);
    must(age_identities_new(&b->with, &err), &err);
    must(age_identities_generate(b->with, b->to, &err), &err);
    must(age_encoder_new(&b->encoder, &err), &err);
    must(age_decoder_new(&b->decoder, &err), &err);
    must(age_view_new(&b->view, &err), &err);
    b->seal = EVP_CIPHER_CTX_new();
    b->open = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(b->seal, EVP_chacha20_poly1305(), NULL, key, NULL);
    EVP_DecryptInit_ex(b->open, EVP_chacha20_poly1305(), NULL, key, NULL);
}

int
main(void)
{
    struct utsname machine;
    struct bench b = {0};

    prepare(&b);
    uname(&machine);
    printf("# %s %s, %s\n", machine.machine, machine.release,
           OpenSSL_version(OPENSSL_VERSION));
    printf("work\tMB/s\tlimit MB/s\tratio\tmin\tmax\n");
    compare(&b, "write", write_file, seal_limit);
    compare(&b, "read anywhere", read_view, open_limit);
    compare(&b, "read a pipe", read_stream, open_limit);

    age_view_free(b.view);
    age_decoder_free(b.decoder);
    age_encoder_free(b.encoder);
    age_identities_free(b.with);
    age_recipients_free(b.to);
    EVP_CIPHER_CTX_free(b.seal);
    EVP_CIPHER_CTX_free(b.open);
    free(b.bare);
    free(b.sealed);
    free(b.out);
    free(b.plain);
    return 0;
}
