/* SPDX-License-Identifier: PostgreSQL */
#include "formats/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/chunk_head.h"
#include "formats/chunk_tail.h"

struct chunk_writer {
    const struct bytes_out *out; /* borrowed; NULL unless a chunk is begun */
    struct bytes_out counting;   /* passes to out, and counts */
    uint64_t file_len;
    struct copy_rows *rows;
    struct digester *digester;
    struct frame_encoder *encoders[2]; /* by codec */
    enum frame_codec codec;
    struct chunk_tail tail; /* of the frames written */
    uint64_t n_rows_framed; /* that ended in these */

    /* The next frame: whole rows, then a part of the row in hand. */
    size_t len;
    size_t whole;
    int goes_on; /* the row in hand began in a frame that is written */
    unsigned char raw[FRAME_RAW_MAX];
};

_Static_assert((size_t)CHUNK_TAIL_MAX <= (size_t)FRAME_RAW_MAX,
               "the tail is made in raw");

/* ---- the output, counted: the index needs to know where frames begin ---- */

static int
counting_reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct chunk_writer *w = to;

    return w->out->reserve(w->out->to, min, room, err);
}

static int
counting_advance(void *to, size_t n, struct err *err)
{
    struct chunk_writer *w = to;

    w->file_len += n;
    return w->out->advance(w->out->to, n, err);
}

/* ---- the writer ---- */

int
chunk_writer_new(struct chunk_writer **ret, struct err *err)
{
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    int r;

    w = calloc(1, sizeof *w);
    if (!w)
        return err_nomem(err);
    w->counting = (struct bytes_out){
        .to = w, .reserve = counting_reserve, .advance = counting_advance};
    r = copy_rows_new(&w->rows, COPY_TEXT, 0, err);
    if (r)
        return r;
    r = digester_new(&w->digester, err);
    if (r)
        return r;
    r = frame_encoder_new(&w->encoders[FRAME_STORED], FRAME_STORED, err);
    if (r)
        return r;
    r = frame_encoder_new(&w->encoders[FRAME_LZ4], FRAME_LZ4, err);
    if (r)
        return r;
    *ret = take(w);
    return 0;
}

struct chunk_writer *
chunk_writer_free(struct chunk_writer *w)
{
    if (!w)
        return NULL;
    frame_encoder_free(w->encoders[FRAME_LZ4]);
    frame_encoder_free(w->encoders[FRAME_STORED]);
    digester_free(w->digester);
    copy_rows_free(w->rows);
    free(w);
    return NULL;
}

uint64_t
chunk_writer_rows(const struct chunk_writer *w)
{
    return digester_get(w->digester).n_rows;
}

uint64_t
chunk_writer_raw_len(const struct chunk_writer *w)
{
    return w->tail.totals.raw_len + w->len;
}

int
chunk_writer_begin(struct chunk_writer *w, const struct chunk_head *head,
                   const struct bytes_out *out, struct err *err)
{
    unsigned char bytes[CHUNK_HEAD_LEN];

    w->out = out;
    w->file_len = 0;
    w->codec = head->codec;
    w->n_rows_framed = 0;
    w->len = 0;
    w->whole = 0;
    w->goes_on = 0;
    copy_rows_reset(w->rows, head->format, head->n_columns);
    digester_reset(w->digester);

    chunk_head_put(bytes, head);
    chunk_tail_reset(&w->tail);
    w->tail.head_sum = chunk_head_sum(bytes);
    return bytes_out_append(&w->counting, bytes, sizeof bytes, err);
}

/* Write the first n bytes as a frame; the rest begins the next. */
static int
cut(struct chunk_writer *w, size_t n, struct err *err)
{
    struct chunk_mark mark = {
        .offset = w->file_len,
        .raw_offset = w->tail.totals.raw_len,
        .n_rows = w->n_rows_framed,
    };
    int r;

    if (n == 0)
        return 0;
    r = frame_encode(w->encoders[w->codec], w->raw, n, &w->counting, err);
    if (r)
        return r;
    chunk_tail_add(&w->tail, &mark);
    w->tail.totals.raw_len += n;
    w->n_rows_framed = chunk_writer_rows(w);
    memmove(w->raw, w->raw + n, w->len - n);
    w->len -= n;
    w->whole = 0;
    return 0;
}

/*
 * raw is full before the row in hand has ended.  Behind whole rows it moves
 * to the next frame; one that fills a frame by itself goes on in the next.
 */
static int
make_room(struct chunk_writer *w, struct err *err)
{
    if (w->whole > 0)
        return cut(w, w->whole, err);
    w->goes_on = 1;
    return cut(w, w->len, err);
}

static int
keep(struct chunk_writer *w, const unsigned char *data, size_t len,
     struct err *err)
{
    size_t n;
    int r;

    for (; len > 0; data += n, len -= n) {
        if (w->len == FRAME_RAW_MAX) {
            r = make_room(w, err);
            if (r)
                return r;
        }
        n = FRAME_RAW_MAX - w->len;
        n = len < n ? len : n;
        memcpy(w->raw + w->len, data, n);
        w->len += n;
    }
    return 0;
}

/* Head, trailer, and rows that took more than a frame share none. */
static int
keep_piece(struct chunk_writer *w, const struct copy_piece *p, struct err *err)
{
    int r;

    if (p->first && p->kind != COPY_ROW) {
        r = cut(w, w->len, err);
        if (r)
            return r;
    }
    r = keep(w, p->data, p->len, err);
    if (r)
        return r;
    digester_piece(w->digester, p);
    if (!p->last)
        return 0;
    w->whole = w->len;
    if (p->kind == COPY_ROW && !w->goes_on)
        return 0;
    w->goes_on = 0;
    return cut(w, w->len, err);
}

int
chunk_writer_add(struct chunk_writer *w, const void *data, size_t len,
                 struct err *err)
{
    struct copy_piece p;
    int r;

    assert(w->out);

    copy_rows_feed(w->rows, data, len);
    while ((r = copy_rows_next(w->rows, &p, err)) == 0) {
        r = keep_piece(w, &p, err);
        if (r)
            return r;
    }
    return r == COPY_ROWS_E_MORE ? 0 : r;
}

int
chunk_writer_end(struct chunk_writer *w, struct chunk_totals *ret,
                 struct err *err)
{
    int r;

    assert(w->out);

    r = copy_rows_end(w->rows, err);
    if (r)
        return r;
    r = cut(w, w->len, err);
    if (r)
        return r;
    w->tail.totals.digest = digester_get(w->digester);
    r = bytes_out_append(&w->counting, w->raw, chunk_tail_put(w->raw, &w->tail),
                         err);
    if (r)
        return r;
    *ret = w->tail.totals;
    w->out = NULL;
    return 0;
}
