/* SPDX-License-Identifier: PostgreSQL */
#include "formats/age/base64.h"

#include <stdint.h>

void
base64_encode(char *to, const void *bytes, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    unsigned bits = 0, n_bits = 0;

    for (; n > 0; n--) {
        bits = bits << 8 | *from++;
        n_bits += 8;
        for (; n_bits >= 6; n_bits -= 6)
            *to++ = letters[bits >> (n_bits - 6) & 63];
    }
    if (n_bits > 0)
        *to = letters[bits << (6 - n_bits) & 63];
}

static int
value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* to may be NULL. */
static int
decode(unsigned char *to, const char *text, size_t len)
{
    unsigned bits = 0, n_bits = 0;

    for (; len > 0; len--) {
        int value = value_of(*text++);

        if (value < 0)
            return -1;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        if (to)
            *to++ = (unsigned char)(bits >> n_bits);
    }
    /* A character that says nothing, or bits that say more than bytes do. */
    return n_bits >= 6 || bits & ((1u << n_bits) - 1) ? -1 : 0;
}

int
base64_decode(void *to, size_t n, const char *text, size_t len)
{
    return len == BASE64_LEN(n) ? decode(to, text, len) : -1;
}

int
base64_is(const char *text, size_t len)
{
    return decode(NULL, text, len) == 0;
}
