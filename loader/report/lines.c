/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/reader.h"

/* The largest line that is written is smaller. */
enum { BUFFER_SIZE = 256 << 10 };

struct lines {
    struct reader *file;
    uint64_t at;       /* of the file: behind what is in the buffer */
    size_t begun, end; /* of the buffer: what is not handed out */
    uint64_t n_torn;
    char buffer[BUFFER_SIZE];
};

int
lines_open(struct lines **ret, int dir_fd, const char *name, struct err *err)
{
    cleanup_(lines_freep) struct lines *l = NULL;
    int r;

    l = calloc(1, sizeof *l);
    if (!l)
        return err_nomem(err);
    r = reader_open(&l->file, dir_fd, name, err);
    if (r)
        return err->class == ERR_SYSTEM && err->sys == ENOENT ? LINES_E_NONE
                                                              : r;
    *ret = take(l);
    return 0;
}

struct lines *
lines_free(struct lines *l)
{
    if (!l)
        return NULL;
    reader_free(l->file);
    free(l);
    return NULL;
}

void
lines_seek(struct lines *l, uint64_t offset)
{
    l->at = offset;
    l->begun = l->end = 0;
}

/* More of the file behind what is there; LINES_E_END: there is no more. */
static int
fill(struct lines *l, struct err *err)
{
    const struct bytes_in *in = reader_in(l->file);
    size_t room;
    int r;

    memmove(l->buffer, l->buffer + l->begun, l->end - l->begun);
    l->end -= l->begun;
    l->begun = 0;
    room = sizeof l->buffer - l->end;
    if (room > in->len - l->at)
        room = (size_t)(in->len - l->at);
    if (room == 0)
        return LINES_E_END;
    r = in->read_at(in->from, l->at, l->buffer + l->end, room, err);
    if (r)
        return r;
    l->at += room;
    l->end += room;
    return 0;
}

/* A line is in the buffer, from begun to *ret_len without its end. */
static int
find_line(struct lines *l, size_t *ret_len, struct err *err)
{
    for (;;) {
        const char *from = l->buffer + l->begun;
        const char *end = memchr(from, '\n', l->end - l->begun);
        int r;

        if (end) {
            *ret_len = (size_t)(end - from);
            return 0;
        }
        r = fill(l, err);
        if (r == LINES_E_END && l->end - l->begun == sizeof l->buffer)
            l->begun = l->end; /* no line of ours */
        else if (r)
            return r;
    }
}

int
lines_next(struct lines *l, json_t **ret, uint64_t *ret_offset, struct err *err)
{
    size_t len;
    int r;

    while ((r = find_line(l, &len, err)) == 0) {
        uint64_t offset = l->at - (l->end - l->begun);

        *ret = json_loadb(l->buffer + l->begun, len, 0, NULL);
        l->begun += len + 1;
        if (json_is_object(*ret)) {
            if (ret_offset)
                *ret_offset = offset;
            return 0;
        }
        json_decref(*ret);
        l->n_torn += len > 0;
    }
    /* What has no end was torn, or is being written. */
    l->n_torn += r == LINES_E_END && l->begun < l->end;
    return r;
}

uint64_t
lines_n_torn(const struct lines *l)
{
    return l->n_torn;
}

const char *
lines_text(const json_t *o, const char *member)
{
    const char *text = json_string_value(json_object_get(o, member));

    return text ? text : "";
}

uint64_t
lines_u64(const json_t *o, const char *member)
{
    const json_t *v = json_object_get(o, member);

    if (json_is_string(v))
        return strtoull(json_string_value(v), NULL, 10);
    return json_is_integer(v) && json_integer_value(v) > 0
               ? (uint64_t)json_integer_value(v)
               : 0;
}
