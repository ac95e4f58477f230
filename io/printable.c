/* SPDX-License-Identifier: PostgreSQL */
#include "io/printable.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at s and its character, or 0 when it is none
   (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
static size_t
decode(const unsigned char *s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80           ? 1
               : (s[0] >> 5) == 0x06 ? 2
               : (s[0] >> 4) == 0x0e ? 3
               : (s[0] >> 3) == 0x1e ? 4
                                     : 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) /* also at the end of the text */
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < smallest[n] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return 0;
    *ret = c;
    return n;
}

/* Controls (C0, DEL, C1) move the cursor; those of direction reorder what is
   read. */
static int
is_shown(uint32_t c)
{
    return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c ||
             (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
             (c >= 0x2066 && c <= 0x2069));
}

char *
printable(char *to, size_t size, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    char *end = to + size - 1, *p = to;

    while (*s) {
        char piece[4 * 4 + 1];
        uint32_t c = 0;
        size_t n = decode(s, &c);

        if (c == '\n')
            strcpy(piece, "\n    ");
        else if (n > 0 && (is_shown(c) || c == '\t'))
            snprintf(piece, sizeof piece, "%.*s", (int)n, (const char *)s);
        else
            for (size_t i = 0; i < (n ? n : 1); i++)
                sprintf(piece + 4 * i, "\\x%02x", s[i]);

        if (strlen(piece) > (size_t)(end - p))
            break;
        p = stpcpy(p, piece);
        s += n ? n : 1;
    }
    *p = '\0';
    return to;
}
