/* SPDX-License-Identifier: PostgreSQL */
#include "formats/age/bech32.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* One step of the BCH code over GF(32), as BIP 173 has it. */
static uint32_t
step(uint32_t sum, unsigned value)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                          0x3d4233dd, 0x2a1462b3};
    uint32_t top = sum >> 25;

    sum = (sum & 0x1ffffff) << 5 ^ value;
    for (unsigned i = 0; i < 5; i++)
        if (top >> i & 1)
            sum ^= generator[i];
    return sum;
}

/* The prefix counts in lower case, whatever is written. */
static uint32_t
sum_prefix(const char *prefix)
{
    uint32_t sum = 1;

    for (const char *c = prefix; *c; c++)
        sum = step(sum, (unsigned)tolower((unsigned char)*c) >> 5);
    sum = step(sum, 0);
    for (const char *c = prefix; *c; c++)
        sum = step(sum, (unsigned)tolower((unsigned char)*c) & 31);
    return sum;
}

static int
is_upper(const char *prefix)
{
    return isupper((unsigned char)prefix[0]);
}

/* 32 bytes are 51 characters and a bit, and four bits of nothing. */
static void
to_fives(unsigned char to[BECH32_DATA], const unsigned char *bytes)
{
    for (unsigned i = 0; i < BECH32_DATA; i++) {
        unsigned bit = 5 * i, at = bit / 8;
        unsigned two = bytes[at] << 8;

        if (at + 1 < BECH32_BYTES)
            two |= bytes[at + 1];
        to[i] = two >> (11 - bit % 8) & 31;
    }
}

/* 0, or -1 when the bits of nothing are not 0. */
static int
from_fives(unsigned char *bytes, const unsigned char from[BECH32_DATA])
{
    unsigned bits = 0, n = 0, at = 0;

    for (unsigned i = 0; i < BECH32_DATA; i++) {
        bits = (bits << 5 | from[i]) & 0xfff;
        n += 5;
        if (n >= 8) {
            n -= 8;
            bytes[at++] = (unsigned char)(bits >> n);
        }
    }
    return bits & ((1u << n) - 1) ? -1 : 0;
}

void
bech32_encode(char to[BECH32_SIZE], const char *prefix,
              const unsigned char bytes[BECH32_BYTES])
{
    unsigned char fives[BECH32_DATA];
    uint32_t sum = sum_prefix(prefix);
    size_t n = strlen(prefix);

    assert(n <= BECH32_PREFIX_MAX);

    to_fives(fives, bytes);
    memcpy(to, prefix, n);
    to[n++] = '1';
    for (unsigned i = 0; i < BECH32_DATA; i++) {
        sum = step(sum, fives[i]);
        to[n++] = letters[fives[i]];
    }
    for (unsigned i = 0; i < BECH32_SUM; i++)
        sum = step(sum, 0);
    for (unsigned i = 0; i < BECH32_SUM; i++)
        to[n++] = letters[(sum ^ 1) >> 5 * (BECH32_SUM - 1 - i) & 31];
    to[n] = '\0';
    if (is_upper(prefix))
        for (char *c = to; *c; c++)
            *c = (char)toupper((unsigned char)*c);
    OPENSSL_cleanse(fives, sizeof fives);
}

/* -1: no such letter, or of the other case. */
static int
value_of(char c, int upper)
{
    const char *at;

    if (upper ? islower((unsigned char)c) : isupper((unsigned char)c))
        return -1;
    at = c ? strchr(letters, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - letters) : -1;
}

int
bech32_decode(unsigned char to[BECH32_BYTES], const char *prefix,
              const char *text, size_t len)
{
    unsigned char fives[BECH32_DATA + BECH32_SUM];
    uint32_t sum = sum_prefix(prefix);
    size_t n = strlen(prefix);
    int r = 0;

    if (len != n + 1 + sizeof fives || memcmp(text, prefix, n) != 0 ||
        text[n] != '1')
        return -1;
    for (unsigned i = 0; i < sizeof fives && !r; i++) {
        int value = value_of(text[n + 1 + i], is_upper(prefix));

        if (value < 0)
            r = -1;
        fives[i] = (unsigned char)(value & 31);
        sum = step(sum, fives[i]);
    }
    if (!r)
        r = sum == 1 ? from_fives(to, fives) : -1;
    OPENSSL_cleanse(fives, sizeof fives);
    return r;
}
