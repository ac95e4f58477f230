/* SPDX-License-Identifier: PostgreSQL */
#include "formats/age/age_crypto.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "formats/age/age.h"

enum { NONCE = 12 };

int
age_crypto_failed(struct err *err, const char *what)
{
    unsigned long code = ERR_get_error();
    char words[256];

    err_set(err, ERR_SYSTEM, "could not %s", what);
    if (code) {
        ERR_error_string_n(code, words, sizeof words);
        err_detail(err, "%s", words);
    }
    ERR_clear_error();
    return -1;
}

int
age_random(void *to, size_t n, int secret, struct err *err)
{
    int done = secret ? RAND_priv_bytes(to, (int)n) : RAND_bytes(to, (int)n);

    return done == 1 ? 0 : age_crypto_failed(err, "get random bytes");
}

/* ---- key derivation ---- */

static int
derive(unsigned char to[AGE_KEY], const char *kdf_name,
       const OSSL_PARAM *params, struct err *err)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int done = ctx && EVP_KDF_derive(ctx, to, AGE_KEY, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done ? 0 : age_crypto_failed(err, "derive a key");
}

/* libcrypto does not write through the pointers of a parameter that it is
   given, but its type cannot say so. */
static OSSL_PARAM
octets(const char *name, const void *data, size_t len)
{
    static char none[1];

    return OSSL_PARAM_construct_octet_string(
        name, len ? (void *)(uintptr_t)data : none, len);
}

int
age_hkdf(unsigned char to[AGE_KEY], const struct age_hkdf *h, struct err *err)
{
    static char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        octets(OSSL_KDF_PARAM_KEY, h->key, h->key_len),
        octets(OSSL_KDF_PARAM_SALT, h->salt, h->salt_len),
        octets(OSSL_KDF_PARAM_INFO, h->info, strlen(h->info)),
        OSSL_PARAM_construct_end(),
    };

    return derive(to, OSSL_KDF_NAME_HKDF, params, err);
}

int
age_scrypt(unsigned char to[AGE_KEY], const char *passphrase, size_t len,
           const void *salt, size_t salt_len, unsigned work, struct err *err)
{
    uint64_t n = UINT64_C(1) << work;
    /* 128 * r * n, and a little. */
    uint64_t memory = 128 * 8 * (n + 16);
    uint32_t block = 8, parallel = 1;
    const OSSL_PARAM params[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, passphrase, len),
        octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &block),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &parallel),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };

    return derive(to, "SCRYPT", params, err);
}

int
age_hmac(unsigned char to[AGE_KEY], const unsigned char key[AGE_KEY],
         const void *data, size_t len, struct err *err)
{
    size_t n;

    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, AGE_KEY, data,
                     len, to, AGE_KEY, &n)
               ? 0
               : age_crypto_failed(err, "compute a MAC");
}

/* ---- X25519 ---- */

int
age_x25519_public(unsigned char to[AGE_KEY],
                  const unsigned char secret[AGE_KEY], struct err *err)
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY);
    size_t n = AGE_KEY;
    int done = key && EVP_PKEY_get_raw_public_key(key, to, &n) > 0;

    EVP_PKEY_free(key);
    return done ? 0 : age_crypto_failed(err, "make a public key");
}

int
age_x25519(unsigned char to[AGE_KEY], const unsigned char secret[AGE_KEY],
           const unsigned char public[AGE_KEY], struct err *err)
{
    EVP_PKEY *ours =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY);
    EVP_PKEY *theirs =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, AGE_KEY);
    EVP_PKEY_CTX *ctx = ours ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
    size_t n = AGE_KEY;
    int is_ready = ctx && theirs && EVP_PKEY_derive_init(ctx) > 0 &&
                   EVP_PKEY_derive_set_peer(ctx, theirs) > 0;
    int done = is_ready && EVP_PKEY_derive(ctx, to, &n) > 0;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    if (done)
        return 0;
    if (!is_ready)
        return age_crypto_failed(err, "agree on a key");
    /* The one failure that is left: the secret would be all zeros. */
    ERR_clear_error();
    return AGE_X25519_E_NULL;
}

/* ---- ChaCha20-Poly1305 ---- */

struct age_aead {
    EVP_CIPHER *cipher; /* fetched once: that takes locks */
    EVP_CIPHER_CTX *seal, *open;
};

int
age_aead_new(struct age_aead **ret, struct err *err)
{
    cleanup_(age_aead_freep) struct age_aead *a = calloc(1, sizeof *a);

    if (!a)
        return err_nomem(err);
    a->cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (!a->cipher)
        return age_crypto_failed(err, "find ChaCha20-Poly1305");
    a->seal = EVP_CIPHER_CTX_new();
    a->open = EVP_CIPHER_CTX_new();
    if (!a->seal || !a->open)
        return err_nomem(err);
    *ret = take(a);
    return 0;
}

struct age_aead *
age_aead_free(struct age_aead *a)
{
    if (!a)
        return NULL;
    EVP_CIPHER_CTX_free(a->seal);
    EVP_CIPHER_CTX_free(a->open);
    EVP_CIPHER_free(a->cipher);
    free(a);
    return NULL;
}

int
age_aead_key(struct age_aead *a, const unsigned char key[AGE_KEY],
             struct err *err)
{
    if (EVP_EncryptInit_ex2(a->seal, a->cipher, key, NULL, NULL) > 0 &&
        EVP_DecryptInit_ex2(a->open, a->cipher, key, NULL, NULL) > 0)
        return 0;
    return age_crypto_failed(err, "set a key");
}

/* Eleven bytes of number, the highest first, and one that ends the file. */
static void
put_nonce(unsigned char to[NONCE], const struct age_piece *p)
{
    uint64_t number = htobe64(p->number);

    memset(to, 0, NONCE);
    memcpy(to + NONCE - 1 - sizeof number, &number, sizeof number);
    to[NONCE - 1] = p->last != 0;
}

int
age_aead_seal(struct age_aead *a, const struct age_piece *p, unsigned char *to,
              const unsigned char *from, size_t len, struct err *err)
{
    unsigned char nonce[NONCE];
    int n;

    put_nonce(nonce, p);
    if (EVP_EncryptInit_ex2(a->seal, NULL, NULL, nonce, NULL) > 0 &&
        EVP_EncryptUpdate(a->seal, to, &n, from, (int)len) > 0 &&
        EVP_EncryptFinal_ex(a->seal, to + len, &n) > 0 &&
        EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, AGE_TAG, to + len) >
            0)
        return 0;
    return age_crypto_failed(err, "encrypt");
}

int
age_aead_open(struct age_aead *a, const struct age_piece *p, unsigned char *to,
              const unsigned char *from, size_t len)
{
    unsigned char nonce[NONCE], tag[AGE_TAG];
    int n;

    if (len < AGE_TAG)
        return -1;
    len -= AGE_TAG;
    put_nonce(nonce, p);
    memcpy(tag, from + len, sizeof tag);
    if (EVP_DecryptInit_ex2(a->open, NULL, NULL, nonce, NULL) > 0 &&
        EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, AGE_TAG, tag) > 0 &&
        EVP_DecryptUpdate(a->open, to, &n, from, (int)len) > 0 &&
        EVP_DecryptFinal_ex(a->open, to + len, &n) > 0)
        return 0;
    ERR_clear_error();
    return -1;
}

/* ---- the wrapping of a file's key ---- */

static const struct age_piece nothing;

int
age_wrap(unsigned char to[AGE_FILE_KEY + 16], const unsigned char key[AGE_KEY],
         const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    cleanup_(age_aead_freep) struct age_aead *a = NULL;
    int r = age_aead_new(&a, err);

    if (!r)
        r = age_aead_key(a, key, err);
    return r ? r : age_aead_seal(a, &nothing, to, file_key, AGE_FILE_KEY, err);
}

int
age_unwrap(unsigned char to[AGE_FILE_KEY], const unsigned char key[AGE_KEY],
           const unsigned char from[AGE_FILE_KEY + 16], struct err *err)
{
    cleanup_(age_aead_freep) struct age_aead *a = NULL;
    int r = age_aead_new(&a, err);

    if (!r)
        r = age_aead_key(a, key, err);
    if (r)
        return r;
    return age_aead_open(a, &nothing, to, from, AGE_FILE_KEY + AGE_TAG)
               ? AGE_UNWRAP_E_OTHER
               : 0;
}
