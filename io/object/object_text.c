/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_text.h"

#include <openssl/evp.h>
#include <string.h>

void
object_hex(char *ret, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *ret++ = "0123456789abcdef"[bytes[i] >> 4];
        *ret++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *ret = '\0';
}

void
object_base64(char *ret, const unsigned char *bytes, size_t n)
{
    EVP_EncodeBlock((unsigned char *)ret, bytes, (int)n);
}

static const char *
unquoted(const char *etag, size_t *ret_len)
{
    *ret_len = strlen(etag);
    if (*ret_len < 2 || etag[0] != '"' || etag[*ret_len - 1] != '"')
        return etag;
    *ret_len -= 2;
    return etag + 1;
}

int
object_etag_equal(const char *a, const char *b)
{
    size_t a_len, b_len;

    a = unquoted(a, &a_len);
    b = unquoted(b, &b_len);
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static int
nibble(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;

    return found ? (int)(found - digits) : -1;
}

int
object_etag_md5(unsigned char ret[16], const char *etag)
{
    size_t len;

    etag = unquoted(etag, &len);
    if (len != 32)
        return 0;
    for (int i = 0; i < 16; i++) {
        int high = nibble(etag[2 * i]), low = nibble(etag[2 * i + 1]);

        if (high < 0 || low < 0)
            return 0;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}
