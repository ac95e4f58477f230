/* SPDX-License-Identifier: PostgreSQL */
#include "io/bytes.h"

#include <string.h>

int
bytes_out_append(const struct bytes_out *out, const void *data, size_t n,
                 struct err *err)
{
    const unsigned char *from = data;
    unsigned char *room;
    size_t part;
    int r;

    for (; n > 0; from += part, n -= part) {
        part = n < BYTES_OUT_MIN_MAX ? n : BYTES_OUT_MIN_MAX;
        r = out->reserve(out->to, part, &room, err);
        if (r)
            return r;
        memcpy(room, from, part);
        r = out->advance(out->to, part, err);
        if (r)
            return r;
    }
    return 0;
}
