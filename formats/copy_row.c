/* SPDX-License-Identifier: PostgreSQL */
#include "formats/copy_row.h"

#include <stdlib.h>
#include <string.h>

/* ---- whole rows ---- */

static int
keep(struct copy_row *r, const struct copy_piece *p, struct err *err)
{
    size_t needed = r->n_buffer + p->len;

    if (needed > r->room) {
        size_t room = needed + needed / 2;
        unsigned char *buffer = realloc(r->buffer, room);

        if (!buffer)
            return err_nomem(err);
        r->buffer = buffer;
        r->room = room;
    }
    memcpy(r->buffer + r->n_buffer, p->data, p->len);
    r->n_buffer = needed;
    return 0;
}

int
copy_row_add(struct copy_row *r, const struct copy_piece *p, struct err *err)
{
    if (p->first && p->last) {
        r->data = p->data;
        r->len = p->len;
        return 0;
    }
    if (p->first)
        r->n_buffer = 0;
    if (keep(r, p, err))
        return -1;
    r->data = r->buffer;
    r->len = r->n_buffer;
    return p->last ? 0 : COPY_ROW_E_MORE;
}

void
copy_row_clear(struct copy_row *r)
{
    free(r->buffer);
    *r = (struct copy_row){0};
}

/* ---- fields ---- */

static int
fail_fields(unsigned n, struct err *err)
{
    err_set(err, ERR_CORRUPT, "a row of a COPY stream is damaged");
    return err_detail(err, "It does not have %u fields.", n);
}

static uint32_t
be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static int
split_binary(const unsigned char *at, size_t len, unsigned n,
             struct copy_field *ret, struct err *err)
{
    const unsigned char *end = at + len;

    if (len < 2 || (unsigned)(at[0] << 8 | at[1]) != n)
        return fail_fields(n, err);
    at += 2;
    for (unsigned i = 0; i < n; i++) {
        uint32_t size;

        if (end - at < 4)
            return fail_fields(n, err);
        size = be32(at);
        at += 4;
        ret[i] = (struct copy_field){0};
        if (size == UINT32_MAX)
            continue;
        if (size > (size_t)(end - at))
            return fail_fields(n, err);
        ret[i] = (struct copy_field){at, size};
        at += size;
    }
    return at == end ? 0 : fail_fields(n, err);
}

/* Tabs and newlines within values are escaped. */
static int
split_text(const unsigned char *at, size_t len, unsigned n,
           struct copy_field *ret, struct err *err)
{
    const unsigned char *end = at + len;

    if (len == 0 || end[-1] != '\n')
        return fail_fields(n, err);
    end--;
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *tab = memchr(at, '\t', (size_t)(end - at));
        const unsigned char *stop = tab ? tab : end;

        if (!tab != (i + 1 == n))
            return fail_fields(n, err);
        ret[i] = (struct copy_field){at, (size_t)(stop - at)};
        if (ret[i].len == 2 && memcmp(at, "\\N", 2) == 0)
            ret[i] = (struct copy_field){0};
        at = tab ? tab + 1 : end;
    }
    return n > 0 || at == end ? 0 : fail_fields(n, err);
}

int
copy_row_split(const void *data, size_t len, enum copy_format format,
               unsigned n, struct copy_field *ret, struct err *err)
{
    return format == COPY_BINARY ? split_binary(data, len, n, ret, err)
                                 : split_text(data, len, n, ret, err);
}

static unsigned char
unescaped(unsigned char c)
{
    static const char letters[] = "bfnrtv", values[] = "\b\f\n\r\t\v";
    const char *at = c ? strchr(letters, c) : NULL;

    return at ? (unsigned char)values[at - letters] : c;
}

char *
copy_field_text(const struct copy_field *f)
{
    char *text = malloc(f->len + 1), *to = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < f->len; i++) {
        if (f->data[i] == '\\' && i + 1 < f->len)
            *to++ = (char)unescaped(f->data[++i]);
        else
            *to++ = (char)f->data[i];
    }
    *to = '\0';
    return text;
}
