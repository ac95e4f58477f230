/* SPDX-License-Identifier: PostgreSQL */
#include "formats/hex.h"

#include <string.h>

void
hex_encode(char *to, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;

    for (size_t i = 0; i < n; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to = '\0';
}

static int
value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

int
hex_decode(void *to, size_t n, const char *text)
{
    unsigned char *at = to;

    if (strlen(text) != 2 * n)
        return -1;
    for (; *text; text += 2) {
        int high = value_of(text[0]), low = value_of(text[1]);

        if (high < 0 || low < 0)
            return -1;
        *at++ = (unsigned char)(high << 4 | low);
    }
    return 0;
}
