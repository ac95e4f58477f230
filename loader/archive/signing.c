/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/signing.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/cleanup.h"
#include "io/store/store.h"

enum { SIGNATURE = 64 };

static EVP_PKEY *
key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
    return NULL;
}
DEFINE_CLEANUP(EVP_PKEY *, key_free)

static EVP_MD_CTX *
context_free(EVP_MD_CTX *ctx)
{
    EVP_MD_CTX_free(ctx);
    return NULL;
}
DEFINE_CLEANUP(EVP_MD_CTX *, context_free)

/* ---- keys ---- */

/* Nobody is asked: a key that is used by a program has no passphrase. */
static int
no_passphrase(char *to, int room, int writing, void *arg)
{
    (void)to, (void)room, (void)writing, (void)arg;
    return -1;
}

static int
check_private(FILE *f, const char *name, struct err *err)
{
    struct stat st;

    if (fstat(fileno(f), &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", name);
    if (!(st.st_mode & 077))
        return 0;
    err_set(err, ERR_REFUSED, "others may read the key in \"%s\"", name);
    return err_hint(err, "Run \"chmod 0600\" on it.");
}

static int
read_key(EVP_PKEY **ret, const char *name, int is_private, struct err *err)
{
    FILE *f = fopen(name, "re");
    int r;

    if (!f)
        return err_sys(err, errno, "could not open \"%s\"", name);
    r = is_private ? check_private(f, name, err) : 0;
    if (!r)
        *ret = is_private ? PEM_read_PrivateKey(f, NULL, no_passphrase, NULL)
                          : PEM_read_PUBKEY(f, NULL, no_passphrase, NULL);
    fclose(f);
    if (r || (*ret && EVP_PKEY_is_a(*ret, "ED25519")))
        return r;
    err_set(err, ERR_USAGE, "\"%s\" holds no %s key of Ed25519", name,
            is_private ? "private" : "public");
    return err_hint(err, is_private
                             ? "\"openssl genpkey -algorithm ed25519 -out "
                               "FILE\" makes one."
                             : "\"openssl pkey -in KEY -pubout -out FILE\" "
                               "makes it out of the private one.");
}

static char *
signature_name(const char *where)
{
    char *name = NULL;

    return asprintf(&name, "%s.sig", where) < 0 ? NULL : name;
}

/* ---- both ways ---- */

static int
write_signature(const char *where, const unsigned char *signature,
                struct err *err)
{
    cleanup_(freep) char *name = signature_name(where);
    const struct store_out_params p = {.where = name, .replace = 1};
    cleanup_(store_out_freep) struct store_out *out = NULL;
    int r;

    if (!name)
        return err_nomem(err);
    r = store_out_open(&out, &p, err);
    if (!r)
        r = store_out_append(out, signature, SIGNATURE, err);
    return r ? r : store_out_commit(out, err);
}

int
signing_sign(const char *where, const char *key_file, const char *text,
             size_t len, struct err *err)
{
    cleanup_(key_freep) EVP_PKEY *key = NULL;
    cleanup_(context_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE];
    size_t n = sizeof signature;
    int r = read_key(&key, key_file, 1, err);

    if (r)
        return r;
    if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, len) !=
            1 ||
        n != sizeof signature)
        return err_set(err, ERR_SYSTEM, "could not sign with \"%s\"", key_file);
    return write_signature(where, signature, err);
}

static int
read_signature(const char *where, unsigned char ret[SIGNATURE], struct err *err)
{
    cleanup_(freep) char *name = signature_name(where);
    cleanup_(store_in_freep) struct store_in *in = NULL;
    unsigned char all[SIGNATURE + 1];
    size_t n = 0;
    int r;

    if (!name)
        return err_nomem(err);
    r = store_in_open(&in, name, err);
    if (r == STORE_E_MISSING)
        return err_set(err, ERR_CORRUPT, "there is no signature \"%s\"", name);
    if (!r)
        r = store_in_read(in, 0, all, sizeof all, &n, err);
    if (!r && n != SIGNATURE)
        r = err_set(err, ERR_CORRUPT, "\"%s\" is no signature", name);
    if (!r)
        memcpy(ret, all, SIGNATURE);
    return r;
}

int
signing_verify(const char *where, const char *key_file, const char *text,
               size_t len, struct err *err)
{
    cleanup_(key_freep) EVP_PKEY *key = NULL;
    cleanup_(context_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE];
    int r = read_key(&key, key_file, 0, err);

    if (!r)
        r = read_signature(where, signature, err);
    if (r)
        return r;
    if (!ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1)
        return err_set(err, ERR_SYSTEM, "could not verify with \"%s\"",
                       key_file);
    if (EVP_DigestVerify(ctx, signature, sizeof signature,
                         (const unsigned char *)text, len) == 1)
        return 0;
    err_set(err, ERR_CORRUPT, "the signature of \"%s\" is not right", where);
    return err_detail(err,
                      "It is of something else, or by another key than "
                      "that in \"%s\".",
                      key_file);
}
