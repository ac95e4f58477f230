/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Private to age: the header of a file, as text.
 *
 *     age-encryption.org/v1
 *     -> X25519 SHARE            a stanza: its words, and a body in base64,
 *     BODY                       64 characters a line and fewer in the last
 *     -> ...
 *     --- MAC                    over all before, with the "---"
 */

#include <stddef.h>

#include "formats/age/age_crypto.h"
#include "formats/age/age_keys.h"

enum {
    /* What is written: 98 bytes a recipient, the first line and the MAC. */
    AGE_HEADER_WRITTEN = 100 * (AGE_RECIPIENTS_MAX + 1) + 100,
    AGE_WORDS_MAX = 3, /* of the stanzas that we know */
};

/* Returns the length, or <0. */
int age_header_write(char to[AGE_HEADER_WRITTEN],
                     const struct age_recipients *r,
                     const unsigned char file_key[AGE_FILE_KEY],
                     struct err *err);

struct age_word {
    const char *text;
    size_t len;
};

/* Inside the text of the header. */
struct age_stanza {
    unsigned n_words; /* of which those are kept that there is room for */
    struct age_word words[AGE_WORDS_MAX];
    struct age_word body; /* its first line */
    unsigned n_lines;
};

struct age_header {
    size_t len;      /* the payload begins here */
    size_t n_signed; /* so much of it the MAC is over */
    unsigned char mac[AGE_KEY];
    const char *text; /* borrowed */
    unsigned n_stanzas;
    struct age_stanza stanzas[AGE_STANZAS_MAX];
};

/*
 * 0, or E_MORE: so far it is one, but not whole.  -1: *flaw is a sentence that
 * says what is wrong with it.
 */
enum { AGE_HEADER_E_MORE = 1 };
int age_header_parse(struct age_header *ret, const char *text, size_t len,
                     const char **flaw);

/* Find the stanza that one of the identities opens, and check the MAC.  name
   is the file's; failures are as in age.h. */
int age_header_open(const struct age_header *h, const struct age_identities *i,
                    const char *name, unsigned char ret_key[AGE_FILE_KEY],
                    struct err *err);

/* The key of the pieces. */
int age_payload_key(struct age_aead *a,
                    const unsigned char file_key[AGE_FILE_KEY],
                    const unsigned char nonce[AGE_NONCE], struct err *err);

/* The key that wraps a file's, of what two X25519 keys agree on; and of a
   passphrase. */
struct age_agreement {
    const unsigned char *secret; /* what they agree on */
    const unsigned char *share;  /* the public one that was made for the file */
    const unsigned char *recipient;
};
int age_agreed_key(unsigned char to[AGE_KEY], const struct age_agreement *a,
                   struct err *err);
enum { AGE_SALT = 16 };
int age_passphrase_key(unsigned char to[AGE_KEY],
                       const struct age_passphrase *p,
                       const unsigned char salt[AGE_SALT], unsigned work,
                       struct err *err);
int age_header_mac(unsigned char to[AGE_KEY],
                   const unsigned char file_key[AGE_FILE_KEY], const char *text,
                   size_t len, struct err *err);

/* "NAME" is damaged. */
int age_damaged(const char *name, const char *why, struct err *err);
