/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Private to age: the primitives that it is built of, all libcrypto's.
 *
 * What fails here fails for lack of memory or of the primitive: ERR_SYSTEM.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

enum {
    AGE_KEY = 32,      /* of ChaCha20-Poly1305, X25519 and HMAC-SHA-256 */
    AGE_FILE_KEY = 16, /* what the stanzas wrap */
    AGE_NONCE = 16,    /* of the payload's key */
};

/* "could not NAME", with libcrypto's own words. */
int age_crypto_failed(struct err *err, const char *what);

/* secret: of the generator that serves nothing that is seen. */
int age_random(void *to, size_t n, int secret, struct err *err);

/* HKDF-SHA-256. */
struct age_hkdf {
    const void *key;
    size_t key_len;
    const void *salt;
    size_t salt_len;
    const char *info;
};
int age_hkdf(unsigned char to[AGE_KEY], const struct age_hkdf *h,
             struct err *err);

int age_hmac(unsigned char to[AGE_KEY], const unsigned char key[AGE_KEY],
             const void *data, size_t len, struct err *err);

int age_scrypt(unsigned char to[AGE_KEY], const char *passphrase, size_t len,
               const void *salt, size_t salt_len, unsigned work,
               struct err *err);

int age_x25519_public(unsigned char to[AGE_KEY],
                      const unsigned char secret[AGE_KEY], struct err *err);
/* 1: the other's key is one of those few that give nothing. */
enum { AGE_X25519_E_NULL = 1 };
int age_x25519(unsigned char to[AGE_KEY], const unsigned char secret[AGE_KEY],
               const unsigned char public[AGE_KEY], struct err *err);

/* ---- ChaCha20-Poly1305, with one key for many pieces ---- */

struct age_aead;

int age_aead_new(struct age_aead **ret, struct err *err);
struct age_aead *age_aead_free(struct age_aead *a);
DEFINE_CLEANUP(struct age_aead *, age_aead_free)

int age_aead_key(struct age_aead *a, const unsigned char key[AGE_KEY],
                 struct err *err);

/* The nonce of a piece is its number and whether it is the last. */
struct age_piece {
    uint64_t number;
    int last;
};

/* to has room for len bytes and the tag. */
int age_aead_seal(struct age_aead *a, const struct age_piece *p,
                  unsigned char *to, const unsigned char *from, size_t len,
                  struct err *err);
/* from has len bytes, the tag among them.  -1: it was not sealed so; what is
   in to then is nothing. */
int age_aead_open(struct age_aead *a, const struct age_piece *p,
                  unsigned char *to, const unsigned char *from, size_t len);

/* A file's key, wrapped: the nonce is 0, the key used once. */
int age_wrap(unsigned char to[AGE_FILE_KEY + 16],
             const unsigned char key[AGE_KEY],
             const unsigned char file_key[AGE_FILE_KEY], struct err *err);
/* 1: not with this key. */
enum { AGE_UNWRAP_E_OTHER = 1 };
int age_unwrap(unsigned char to[AGE_FILE_KEY], const unsigned char key[AGE_KEY],
               const unsigned char from[AGE_FILE_KEY + 16], struct err *err);
