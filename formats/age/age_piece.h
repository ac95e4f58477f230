/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to age: reading a piece, and saying what is wrong with it. */

#include "formats/age/age_header.h"

enum { AGE_SEALED = AGE_PIECE + AGE_TAG };

/* Decrypt len bytes, the tag among them; ERR_CORRUPT names the file. */
struct age_sealed {
    const char *name;
    struct age_piece piece;
    const unsigned char *from;
    size_t len;
};
int age_piece_open(struct age_aead *a, const struct age_sealed *s,
                   unsigned char *to, struct err *err);
