/* SPDX-License-Identifier: PostgreSQL */
#include "formats/age/age_keys.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/age/bech32.h"

#define RECIPIENT "age"
#define IDENTITY "AGE-SECRET-KEY-"

/* ---- passphrases ---- */

static void
passphrase_clear(struct age_passphrase *p)
{
    if (p->text)
        OPENSSL_cleanse(p->text, p->len);
    free(p->text);
    *p = (struct age_passphrase){0};
}

static int
passphrase_set(struct age_passphrase *p, const char *text, size_t len,
               struct err *err)
{
    if (len == 0)
        return err_set(err, ERR_USAGE, "the passphrase is empty");
    passphrase_clear(p);
    p->text = malloc(len);
    if (!p->text)
        return err_nomem(err);
    memcpy(p->text, text, len);
    p->len = len;
    return 0;
}

/* ---- the lines of a file of keys ---- */

struct line {
    const char *text;
    size_t len;
    unsigned number; /* from 1 */
};

/* The next that says something; 0: there is none. */
static int
next_line(struct line *l, const char **at, size_t *left)
{
    const char *end;

    while (*left > 0) {
        end = memchr(*at, '\n', *left);
        l->text = *at;
        l->len = end ? (size_t)(end - *at) : *left;
        l->number++;
        *left -= l->len + (end != NULL);
        *at += l->len + (end != NULL);
        if (l->len > 0 && l->text[l->len - 1] == '\r')
            l->len--;
        if (l->len > 0 && l->text[0] != '#')
            return 1;
    }
    return 0;
}

/* ---- recipients ---- */

int
age_recipients_new(struct age_recipients **ret, struct err *err)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : err_nomem(err);
}

struct age_recipients *
age_recipients_free(struct age_recipients *r)
{
    if (!r)
        return NULL;
    passphrase_clear(&r->passphrase);
    free(r);
    return NULL;
}

static int
must_be_alone(struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "a file is encrypted either to keys or with a passphrase");
}

static int
knows(const struct age_recipients *r, const unsigned char key[AGE_KEY])
{
    for (unsigned i = 0; i < r->n; i++)
        if (memcmp(r->keys[i].key, key, AGE_KEY) == 0)
            return 1;
    return 0;
}

static int
add_recipient(struct age_recipients *r, const unsigned char key[AGE_KEY],
              struct err *err)
{
    if (r->passphrase.text)
        return must_be_alone(err);
    if (knows(r, key))
        return 0;
    if (age_recipients_count(r) == AGE_RECIPIENTS_MAX)
        return err_set(err, ERR_USAGE, "there are more than %d recipients",
                       AGE_RECIPIENTS_MAX);
    memcpy(r->keys[r->n++].key, key, AGE_KEY);
    return 0;
}

/* Who takes one for the other shows a secret: it is not repeated. */
static int
not_a_recipient(const char *text, size_t len, struct err *err)
{
    static const char secret[] = IDENTITY;

    if (len >= sizeof secret - 1 &&
        memcmp(text, secret, sizeof secret - 1) == 0)
        err_set(err, ERR_USAGE, "this is a secret key, not a recipient's");
    else
        err_set(err, ERR_USAGE, "\"%.*s\" is not a recipient",
                (int)(len < 80 ? len : 80), text);
    return err_hint(err,
                    "A recipient is what \"age-keygen -y\" prints: it "
                    "begins with age1 and has %d characters.",
                    AGE_RECIPIENT_LEN);
}

static int
add_text(struct age_recipients *r, const char *text, size_t len,
         struct err *err)
{
    unsigned char key[AGE_KEY];

    if (bech32_decode(key, RECIPIENT, text, len))
        return not_a_recipient(text, len, err);
    return add_recipient(r, key, err);
}

int
age_recipients_add(struct age_recipients *r, const char *text, struct err *err)
{
    return add_text(r, text, strlen(text), err);
}

int
age_recipients_add_file(struct age_recipients *r, const char *text, size_t len,
                        const char *name, struct err *err)
{
    struct line l = {0};
    unsigned n = 0;

    for (; next_line(&l, &text, &len); n++)
        if (add_text(r, l.text, l.len, err)) {
            err_detail(err, "It stands in line %u of %s.", l.number, name);
            return -1;
        }
    return n ? 0 : err_set(err, ERR_USAGE, "there is no recipient in %s", name);
}

int
age_recipients_passphrase(struct age_recipients *r, const char *passphrase,
                          size_t len, unsigned work, struct err *err)
{
    if (r->n > 0)
        return must_be_alone(err);
    r->work = work;
    return passphrase_set(&r->passphrase, passphrase, len, err);
}

unsigned
age_recipients_count(const struct age_recipients *r)
{
    unsigned n = r->passphrase.text != NULL;

    for (unsigned i = 0; i < r->n; i++)
        n += !r->keys[i].is_ours;
    return n;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

char *
age_recipients_text(const struct age_recipients *r)
{
    char keys[AGE_RECIPIENTS_MAX + 1][BECH32_SIZE];
    char *text = NULL;
    size_t n = 0, len;
    FILE *f;

    if (r->passphrase.text)
        return strdup("scrypt");
    for (unsigned i = 0; i < r->n; i++)
        if (!r->keys[i].is_ours)
            bech32_encode(keys[n++], RECIPIENT, r->keys[i].key);
    qsort(keys, n, sizeof *keys, compare);
    f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%s", i ? " " : "", keys[i]);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- identities ---- */

int
age_identities_new(struct age_identities **ret, struct err *err)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : err_nomem(err);
}

struct age_identities *
age_identities_free(struct age_identities *i)
{
    if (!i)
        return NULL;
    passphrase_clear(&i->passphrase);
    OPENSSL_cleanse(i, sizeof *i);
    free(i);
    return NULL;
}

unsigned
age_identities_count(const struct age_identities *i)
{
    return i->n + (i->passphrase.text != NULL);
}

static void
note_name(struct age_identities *i, const char *name)
{
    size_t n = strlen(i->names);

    snprintf(i->names + n, sizeof i->names - n, "%s%s", n ? ", " : "", name);
}

static int
add_identity(struct age_identities *i, const unsigned char secret[AGE_KEY],
             struct err *err)
{
    struct age_identity *key = &i->keys[i->n];

    if (i->n == AGE_IDENTITIES_MAX)
        return err_set(err, ERR_USAGE, "there are more than %d identities",
                       AGE_IDENTITIES_MAX);
    memcpy(key->secret, secret, AGE_KEY);
    if (age_x25519_public(key->public, secret, err))
        return -1;
    i->n++;
    return 0;
}

static int
not_an_identity(const struct line *l, const char *name, struct err *err)
{
    err_set(err, ERR_USAGE, "%s is not an identity file", name);
    err_detail(err, "Line %u is no secret key of age.", l->number);
    return err_hint(err, "\"age-keygen -o FILE\" makes one.");
}

int
age_identities_add_file(struct age_identities *i, const char *text, size_t len,
                        const char *name, struct err *err)
{
    unsigned char secret[AGE_KEY];
    struct line l = {0};
    unsigned n = 0;
    int r = 0;

    for (; !r && next_line(&l, &text, &len); n++)
        r = bech32_decode(secret, IDENTITY, l.text, l.len)
                ? not_an_identity(&l, name, err)
                : add_identity(i, secret, err);
    OPENSSL_cleanse(secret, sizeof secret);
    if (r)
        return r;
    if (n == 0)
        return err_set(err, ERR_USAGE, "there is no identity in %s", name);
    note_name(i, name);
    return 0;
}

int
age_identities_passphrase(struct age_identities *i, const char *passphrase,
                          size_t len, const char *name, struct err *err)
{
    int r = passphrase_set(&i->passphrase, passphrase, len, err);

    if (!r)
        note_name(i, name);
    return r;
}

int
age_identities_match(const struct age_identities *i,
                     const struct age_recipients *r)
{
    for (unsigned k = 0; k < r->n; k++)
        for (unsigned n = 0; n < i->n && !r->keys[k].is_ours; n++)
            if (memcmp(i->keys[n].public, r->keys[k].key, AGE_KEY) == 0)
                return 1;
    return 0;
}

int
age_identities_generate(struct age_identities *i, struct age_recipients *r,
                        struct err *err)
{
    unsigned char secret[AGE_KEY];
    int failed = age_random(secret, sizeof secret, 1, err);

    if (!failed)
        failed = add_identity(i, secret, err);
    OPENSSL_cleanse(secret, sizeof secret);
    if (failed)
        return failed;
    if (r->passphrase.text || r->n > AGE_RECIPIENTS_MAX)
        return must_be_alone(err);
    memcpy(r->keys[r->n].key, i->keys[i->n - 1].public, AGE_KEY);
    r->keys[r->n++].is_ours = 1;
    return 0;
}
