/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Memory as a place to put bytes and to read them from.
 *
 * Room is exactly as large as was asked for, and apart from the bytes kept, so
 * that the address sanitizer sees what is written past it.
 */

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/bytes.h"
#include "io/err.h"

struct memory {
    unsigned char *data;
    size_t len;
    unsigned char *room;
    size_t limit; /* of len; 0: none */
    uint64_t n_read;
};

static int
memory_reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct memory *m = to;

    cr_assert_leq(min, BYTES_OUT_MIN_MAX);
    if (m->limit && m->len + min > m->limit)
        return err_set(err, ERR_SYSTEM, "no room");
    free(m->room);
    m->room = malloc(min);
    *room = m->room;
    return 0;
}

static int
memory_advance(void *to, size_t n, struct err *err)
{
    struct memory *m = to;

    (void)err;
    if (n == 0)
        return 0;
    m->data = realloc(m->data, m->len + n);
    memcpy(m->data + m->len, m->room, n);
    m->len += n;
    return 0;
}

static int
memory_read_at(void *from, uint64_t offset, void *to, size_t len,
               struct err *err)
{
    struct memory *m = from;

    (void)err;
    cr_assert(offset <= m->len && len <= m->len - offset,
              "read beyond the end");
    if (len > 0)
        memcpy(to, m->data + offset, len);
    m->n_read += len;
    return 0;
}

static inline struct bytes_out
memory_out(struct memory *m)
{
    return (struct bytes_out){
        .to = m, .reserve = memory_reserve, .advance = memory_advance};
}

static inline struct bytes_in
memory_in(struct memory *m, const char *name)
{
    return (struct bytes_in){
        .from = m, .len = m->len, .name = name, .read_at = memory_read_at};
}

static inline void
memory_free(struct memory *m)
{
    free(m->data);
    free(m->room);
    *m = (struct memory){0};
}
