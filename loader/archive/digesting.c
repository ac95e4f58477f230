/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/digesting.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct digesting {
    EVP_MD *md; /* looked up once: that takes longer than a small file */
    EVP_MD_CTX *ctx;
};

static int
unable(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "could not compute a SHA-256");
}

struct digesting *
digesting_free(struct digesting *d)
{
    if (!d)
        return NULL;
    EVP_MD_CTX_free(d->ctx);
    EVP_MD_free(d->md);
    free(d);
    return NULL;
}

int
digesting_new(struct digesting **ret, struct err *err)
{
    struct digesting *d = calloc(1, sizeof *d);

    if (!d)
        return err_nomem(err);
    d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->ctx = EVP_MD_CTX_new();
    if (!d->md || !d->ctx) {
        digesting_free(d);
        return unable(err);
    }
    *ret = d;
    return 0;
}

int
digesting_begin(struct digesting *d, struct err *err)
{
    return EVP_DigestInit_ex2(d->ctx, d->md, NULL) ? 0 : unable(err);
}

int
digesting_add(struct digesting *d, const void *data, size_t len,
              struct err *err)
{
    return EVP_DigestUpdate(d->ctx, data, len) ? 0 : unable(err);
}

int
digesting_expect(struct digesting *d, const unsigned char sha256[32],
                 const char *name, struct err *err)
{
    unsigned char found[32];

    if (!EVP_DigestFinal_ex(d->ctx, found, NULL))
        return unable(err);
    if (memcmp(found, sha256, sizeof found) == 0)
        return 0;
    err_set(err, ERR_CORRUPT, "\"%s\" is damaged", name);
    return err_detail(err, "Its SHA-256 is not the one that was sealed.");
}

int
archive_stop_check(const struct stop *stop, struct err *err)
{
    if (!stop || stop_level(stop) == STOP_RUN)
        return 0;
    return err_set(err, ERR_CANCELLED, "interrupted");
}
