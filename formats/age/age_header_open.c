/* SPDX-License-Identifier: PostgreSQL */
#include <openssl/crypto.h>
#include <string.h>

#include "formats/age/age_header.h"
#include "formats/age/base64.h"

/* Of a stanza: it is of another kind, or another's. */
enum { E_OTHER = AGE_UNWRAP_E_OTHER };

struct opening {
    const struct age_header *header;
    const struct age_identities *identities;
    const char *name;
    struct err *err;
    unsigned char *key; /* what is found */
};

int
age_damaged(const char *name, const char *why, struct err *err)
{
    err_set(err, ERR_CORRUPT, "\"%s\" is not a whole encrypted file", name);
    return err_detail(err, "%s", why);
}

static int
word_is(const struct age_word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->text, text, w->len) == 0;
}

static int
decode(void *to, size_t n, const struct age_word *w)
{
    return base64_decode(to, n, w->text, w->len);
}

/* The wrapped key of a stanza that we know. */
static int
get_body(unsigned char to[AGE_FILE_KEY + AGE_TAG], const struct age_stanza *s)
{
    return s->n_lines == 1 ? decode(to, AGE_FILE_KEY + AGE_TAG, &s->body) : -1;
}

/* ---- X25519 ---- */

struct x25519 {
    unsigned char share[AGE_KEY];
    unsigned char body[AGE_FILE_KEY + AGE_TAG];
};

static int
try_identity(struct opening *o, const struct x25519 *x,
             const struct age_identity *i)
{
    unsigned char secret[AGE_KEY], key[AGE_KEY];
    const struct age_agreement a = {secret, x->share, i->public};
    int r = age_x25519(secret, i->secret, x->share, o->err);

    if (r == AGE_X25519_E_NULL)
        r = age_damaged(o->name, "A share in its header is no key.", o->err);
    if (!r)
        r = age_agreed_key(key, &a, o->err);
    if (!r)
        r = age_unwrap(o->key, key, x->body, o->err);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(key, sizeof key);
    return r;
}

static int
try_x25519(struct opening *o, const struct age_stanza *s)
{
    struct x25519 x;
    int r = E_OTHER;

    if (s->n_words != 2 || decode(x.share, sizeof x.share, &s->words[1]) ||
        get_body(x.body, s))
        return age_damaged(o->name, "A stanza of its header is malformed.",
                           o->err);
    for (unsigned i = 0; i < o->identities->n && r == E_OTHER; i++)
        r = try_identity(o, &x, &o->identities->keys[i]);
    return r;
}

/* ---- scrypt ---- */

/* A number from 1, as one would write it; 0: it is none. */
static unsigned
parse_work(const struct age_word *w)
{
    unsigned n = 0;

    if (w->len == 0 || w->len > 2 || w->text[0] == '0')
        return 0;
    for (size_t i = 0; i < w->len; i++) {
        if (w->text[i] < '0' || w->text[i] > '9')
            return 0;
        n = 10 * n + (unsigned)(w->text[i] - '0');
    }
    return n;
}

static int
asks_for_too_much(struct opening *o, unsigned work)
{
    err_set(o->err, ERR_REFUSED,
            "\"%s\" asks for more work than is done for a passphrase", o->name);
    return err_detail(o->err, "It asks for 2^%u, the limit is 2^%d.", work,
                      AGE_SCRYPT_MAX);
}

static int
try_scrypt(struct opening *o, const struct age_stanza *s)
{
    const struct age_passphrase *p = &o->identities->passphrase;
    unsigned char salt[AGE_SALT], body[AGE_FILE_KEY + AGE_TAG], key[AGE_KEY];
    unsigned work;
    int r;

    if (o->header->n_stanzas != 1)
        return age_damaged(o->name, "A passphrase is not the only way into it.",
                           o->err);
    if (s->n_words != 3 || decode(salt, sizeof salt, &s->words[1]) ||
        get_body(body, s))
        return age_damaged(o->name, "A stanza of its header is malformed.",
                           o->err);
    work = parse_work(&s->words[2]);
    if (work == 0)
        return age_damaged(o->name, "A stanza of its header is malformed.",
                           o->err);
    if (work > AGE_SCRYPT_MAX)
        return asks_for_too_much(o, work);
    if (!p->text)
        return E_OTHER;
    r = age_passphrase_key(key, p, salt, work, o->err);
    if (!r)
        r = age_unwrap(o->key, key, body, o->err);
    OPENSSL_cleanse(key, sizeof key);
    return r;
}

/* ---- all stanzas ---- */

static int
try_stanza(struct opening *o, const struct age_stanza *s)
{
    if (word_is(&s->words[0], "X25519"))
        return try_x25519(o, s);
    if (word_is(&s->words[0], "scrypt"))
        return try_scrypt(o, s);
    return E_OTHER;
}

static int
nothing_fits(struct opening *o)
{
    const struct age_header *h = o->header;
    int by_passphrase = word_is(&h->stanzas[0].words[0], "scrypt");
    const char *whom = by_passphrase ? "with a passphrase" : "to other keys";

    if (age_identities_count(o->identities) == 0) {
        err_set(o->err, ERR_REFUSED, "\"%s\" is encrypted", o->name);
        return err_detail(o->err, "There is no %s to open it with.",
                          by_passphrase ? "passphrase" : "identity");
    }
    err_set(o->err, ERR_REFUSED, "\"%s\" is encrypted %s", o->name, whom);
    return err_detail(o->err, "What was tried is of %s.",
                      o->identities->names[0] ? o->identities->names
                                              : "this process alone");
}

static int
check_mac(struct opening *o)
{
    const struct age_header *h = o->header;
    unsigned char mac[AGE_KEY];
    int r = age_header_mac(mac, o->key, h->text, h->n_signed, o->err);

    if (r || CRYPTO_memcmp(mac, h->mac, sizeof mac) == 0)
        return r;
    return age_damaged(o->name, "Its header has been changed.", o->err);
}

int
age_header_open(const struct age_header *h, const struct age_identities *i,
                const char *name, unsigned char ret_key[AGE_FILE_KEY],
                struct err *err)
{
    struct opening o = {h, i, name, err, ret_key};
    int r = E_OTHER;

    for (unsigned k = 0; k < h->n_stanzas && r == E_OTHER; k++)
        r = try_stanza(&o, &h->stanzas[k]);
    if (r == E_OTHER)
        r = nothing_fits(&o);
    return r ? r : check_mac(&o);
}
