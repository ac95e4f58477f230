/* SPDX-License-Identifier: PostgreSQL */
#include "io/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"
#include "io/err.h"

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

int
bytes_in_text(const struct bytes_in *in, size_t max, char **ret,
              size_t *ret_len, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    int r;

    if (in->len > max)
        return err_set(err, ERR_CORRUPT, "\"%s\" is too large", in->name);
    text = calloc(1, in->len + 1);
    if (!text)
        return err_nomem(err);
    r = in->read_at(in->from, 0, text, in->len, err);
    if (r)
        return r;
    if (ret_len)
        *ret_len = in->len;
    *ret = take(text);
    return 0;
}
