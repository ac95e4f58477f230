/* SPDX-License-Identifier: PostgreSQL */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "formats/age/age_header.h"
#include "formats/age/base64.h"

/* ---- the keys that both who writes and who reads derive ---- */

int
age_agreed_key(unsigned char to[AGE_KEY], const struct age_agreement *a,
               struct err *err)
{
    unsigned char salt[2 * AGE_KEY];
    const struct age_hkdf h = {a->secret, AGE_KEY, salt, sizeof salt,
                               "age-encryption.org/v1/X25519"};

    memcpy(salt, a->share, AGE_KEY);
    memcpy(salt + AGE_KEY, a->recipient, AGE_KEY);
    return age_hkdf(to, &h, err);
}

int
age_passphrase_key(unsigned char to[AGE_KEY], const struct age_passphrase *p,
                   const unsigned char salt[AGE_SALT], unsigned work,
                   struct err *err)
{
    static const char label[] = "age-encryption.org/v1/scrypt";
    unsigned char labelled[sizeof label - 1 + AGE_SALT];

    memcpy(labelled, label, sizeof label - 1);
    memcpy(labelled + sizeof label - 1, salt, AGE_SALT);
    return age_scrypt(to, p->text, p->len, labelled, sizeof labelled, work,
                      err);
}

int
age_header_mac(unsigned char to[AGE_KEY],
               const unsigned char file_key[AGE_FILE_KEY], const char *text,
               size_t len, struct err *err)
{
    const struct age_hkdf h = {file_key, AGE_FILE_KEY, NULL, 0, "header"};
    unsigned char key[AGE_KEY];
    int r = age_hkdf(key, &h, err);

    if (!r)
        r = age_hmac(to, key, text, len, err);
    OPENSSL_cleanse(key, sizeof key);
    return r;
}

int
age_payload_key(struct age_aead *a, const unsigned char file_key[AGE_FILE_KEY],
                const unsigned char nonce[AGE_NONCE], struct err *err)
{
    const struct age_hkdf h = {file_key, AGE_FILE_KEY, nonce, AGE_NONCE,
                               "payload"};
    unsigned char key[AGE_KEY];
    int r = age_hkdf(key, &h, err);

    if (!r)
        r = age_aead_key(a, key, err);
    OPENSSL_cleanse(key, sizeof key);
    return r;
}

/* ---- stanzas ---- */

static char *
put_text(char *to, const char *text)
{
    size_t n = strlen(text);

    memcpy(to, text, n);
    return to + n;
}

static char *
put_base64(char *to, const void *bytes, size_t n)
{
    base64_encode(to, bytes, n);
    return to + BASE64_LEN(n);
}

/* The wrapped key is the body, of one line. */
static char *
put_body(char *to, const unsigned char key[AGE_KEY],
         const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    unsigned char body[AGE_FILE_KEY + AGE_TAG];

    if (age_wrap(body, key, file_key, err))
        return NULL;
    to = put_text(to, "\n");
    to = put_base64(to, body, sizeof body);
    return put_text(to, "\n");
}

/* An answer of null is one that an attacker's key gives. */
static int
agree(unsigned char to[AGE_KEY], unsigned char share[AGE_KEY],
      const unsigned char recipient[AGE_KEY], struct err *err)
{
    unsigned char ours[AGE_KEY], secret[AGE_KEY];
    const struct age_agreement a = {secret, share, recipient};
    int r = age_random(ours, sizeof ours, 1, err);

    if (!r)
        r = age_x25519_public(share, ours, err);
    if (!r)
        r = age_x25519(secret, ours, recipient, err);
    if (r == AGE_X25519_E_NULL)
        r = err_set(err, ERR_REFUSED,
                    "a recipient's key is one to which "
                    "nothing can be encrypted");
    if (!r)
        r = age_agreed_key(to, &a, err);
    OPENSSL_cleanse(ours, sizeof ours);
    OPENSSL_cleanse(secret, sizeof secret);
    return r;
}

static char *
put_recipient(char *to, const unsigned char recipient[AGE_KEY],
              const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    unsigned char key[AGE_KEY], share[AGE_KEY];

    if (agree(key, share, recipient, err))
        return NULL;
    to = put_text(to, "-> X25519 ");
    to = put_base64(to, share, sizeof share);
    to = put_body(to, key, file_key, err);
    OPENSSL_cleanse(key, sizeof key);
    return to;
}

static char *
put_passphrase(char *to, const struct age_recipients *r,
               const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    unsigned char key[AGE_KEY], salt[AGE_SALT];

    if (age_random(salt, sizeof salt, 0, err) ||
        age_passphrase_key(key, &r->passphrase, salt, r->work, err))
        return NULL;
    to = put_text(to, "-> scrypt ");
    to = put_base64(to, salt, sizeof salt);
    to += sprintf(to, " %u", r->work);
    to = put_body(to, key, file_key, err);
    OPENSSL_cleanse(key, sizeof key);
    return to;
}

int
age_header_write(char to[AGE_HEADER_WRITTEN], const struct age_recipients *r,
                 const unsigned char file_key[AGE_FILE_KEY], struct err *err)
{
    unsigned char mac[AGE_KEY];
    char *at = put_text(to, AGE_MAGIC);

    if (r->passphrase.text)
        at = put_passphrase(at, r, file_key, err);
    for (unsigned i = 0; i < r->n && at; i++)
        at = put_recipient(at, r->keys[i].key, file_key, err);
    if (!at)
        return -1;
    at = put_text(at, "---");
    if (age_header_mac(mac, file_key, to, (size_t)(at - to), err))
        return -1;
    at = put_text(at, " ");
    at = put_base64(at, mac, sizeof mac);
    at = put_text(at, "\n");
    return (int)(at - to);
}
