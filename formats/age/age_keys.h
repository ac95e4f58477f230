/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to age: what recipients and identities are made of. */

#include "formats/age/age.h"
#include "formats/age/age_crypto.h"

struct age_passphrase {
    char *text; /* NULL: none */
    size_t len;
};

struct age_recipient {
    unsigned char key[AGE_KEY];
    int is_ours; /* of age_identities_generate() */
};

struct age_recipients {
    unsigned n;
    /* One more: of this process. */
    struct age_recipient keys[AGE_RECIPIENTS_MAX + 1];
    struct age_passphrase passphrase; /* then n is 0 */
    unsigned work;
};

struct age_identity {
    unsigned char secret[AGE_KEY], public[AGE_KEY];
};

struct age_identities {
    unsigned n;
    struct age_identity keys[AGE_IDENTITIES_MAX];
    struct age_passphrase passphrase;
    char names[400]; /* where they came from, for messages */
};
