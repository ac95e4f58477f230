/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Bech32 (BIP 173) of 32 bytes, as age writes its keys: a prefix, "1", 52
 * characters of five bits each and six of a checksum.
 *
 * One case throughout, and it is the prefix's.
 */

#include <stddef.h>

enum {
    BECH32_BYTES = 32,
    BECH32_DATA = 52, /* characters of five bits */
    BECH32_SUM = 6,
    BECH32_PREFIX_MAX = 20,
    BECH32_SIZE = BECH32_PREFIX_MAX + 1 + BECH32_DATA + BECH32_SUM + 1,
};

/* Fills to with a string. */
void bech32_encode(char to[BECH32_SIZE], const char *prefix,
                   const unsigned char bytes[BECH32_BYTES]);

/* 0, or -1 when text (len bytes) is not of this prefix, or not right. */
int bech32_decode(unsigned char to[BECH32_BYTES], const char *prefix,
                  const char *text, size_t len);
