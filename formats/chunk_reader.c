/* SPDX-License-Identifier: PostgreSQL */
#include "formats/chunk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/chunk_head.h"
#include "formats/chunk_tail.h"

struct chunk_reader {
    const struct bytes_in *in; /* borrowed; NULL unless begun */
    struct frame_decoder *decoder;
    unsigned char head_bytes[CHUNK_HEAD_LEN];
    unsigned char tail_bytes[CHUNK_TAIL_MAX];
    struct chunk_head head;
    struct chunk_tail tail;
    uint64_t tail_at; /* offset in the file */

    /* The next frame. */
    uint64_t n_frames; /* before it */
    struct chunk_mark at;
};

int
chunk_reader_new(struct chunk_reader **ret, struct err *err)
{
    cleanup_(chunk_reader_freep) struct chunk_reader *c = NULL;
    int r;

    c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(err);
    r = frame_decoder_new(&c->decoder, err);
    if (r)
        return r;
    *ret = take(c);
    return 0;
}

struct chunk_reader *
chunk_reader_free(struct chunk_reader *c)
{
    if (!c)
        return NULL;
    frame_decoder_free(c->decoder);
    free(c);
    return NULL;
}

const struct chunk_head *
chunk_reader_head(const struct chunk_reader *c)
{
    assert(c->in);
    return &c->head;
}

const struct chunk_totals *
chunk_reader_totals(const struct chunk_reader *c)
{
    assert(c->in);
    return &c->tail.totals;
}

static int
damaged(const struct bytes_in *in, const char *why, struct err *err)
{
    err_set(err, ERR_CORRUPT, "\"%s\" is not a whole chunk file", in->name);
    return err_detail(err, "%s", why);
}

/* ---- head and tail ---- */

static int
read_head(struct chunk_reader *c, const struct bytes_in *in, struct err *err)
{
    const char *flaw;
    int r;

    r = in->read_at(in->from, 0, c->head_bytes, CHUNK_HEAD_LEN, err);
    if (r)
        return r;
    flaw = chunk_head_get(c->head_bytes, &c->head);
    return flaw ? damaged(in, flaw, err) : 0;
}

/* From its end, which says how long it is. */
static int
read_tail(struct chunk_reader *c, const struct bytes_in *in, struct err *err)
{
    const char *flaw;
    size_t len;
    int r;

    r = in->read_at(in->from, in->len - CHUNK_TAIL_FOOTER, c->tail_bytes,
                    CHUNK_TAIL_FOOTER, err);
    if (r)
        return r;
    len = chunk_tail_len(c->tail_bytes);
    if (len == 0 || len > in->len - CHUNK_HEAD_LEN)
        return damaged(in, "It does not end as a chunk file does.", err);

    c->tail_at = in->len - len;
    r = in->read_at(in->from, c->tail_at, c->tail_bytes, len, err);
    if (r)
        return r;
    flaw = chunk_tail_get(c->tail_bytes, len, c->tail_at, &c->tail);
    if (flaw)
        return damaged(in, flaw, err);
    if (c->tail.head_sum != chunk_head_sum(c->head_bytes))
        return damaged(in, "Its head and tail are of different files.", err);
    return 0;
}

int
chunk_reader_begin(struct chunk_reader *c, const struct bytes_in *in,
                   struct err *err)
{
    int r;

    c->in = NULL;
    if (in->len < CHUNK_HEAD_LEN + FRAME_SKIP_HEADER + CHUNK_TAIL_FOOTER)
        return damaged(in, "It is too short.", err);
    r = read_head(c, in, err);
    if (r)
        return r;
    r = read_tail(c, in, err);
    if (r)
        return r;
    c->in = in;
    c->n_frames = 0;
    c->at = (struct chunk_mark){.offset = CHUNK_HEAD_LEN};
    return 0;
}

/* ---- identity ---- */

enum { N_FIELDS = 7, FIELD_TEXT = 40 };

static const char *const field_names[N_FIELDS] = {
    "run", "chunk", "table", "LSN", "format", "codec", "number of columns",
};

static void
describe(const struct chunk_head *h, char to[N_FIELDS][FIELD_TEXT])
{
    size_t i;

    for (i = 0; i < sizeof h->run; i++)
        sprintf(to[0] + 2 * i, "%02x", h->run[i]);
    snprintf(to[1], FIELD_TEXT, "%" PRIu64, h->chunk);
    snprintf(to[2], FIELD_TEXT, "%" PRIu64, h->table);
    snprintf(to[3], FIELD_TEXT, "%" PRIX32 "/%" PRIX32,
             (uint32_t)(h->lsn >> 32), (uint32_t)h->lsn);
    snprintf(to[4], FIELD_TEXT, "%s", copy_format_name(h->format));
    snprintf(to[5], FIELD_TEXT, "%s", frame_codec_name(h->codec));
    snprintf(to[6], FIELD_TEXT, "%" PRIu32, h->n_columns);
}

int
chunk_reader_expect(const struct chunk_reader *c, const struct chunk_head *head,
                    struct err *err)
{
    char found[N_FIELDS][FIELD_TEXT], expected[N_FIELDS][FIELD_TEXT];
    size_t i;

    assert(c->in);

    describe(&c->head, found);
    describe(head, expected);
    for (i = 0; i < N_FIELDS; i++) {
        if (strcmp(found[i], expected[i]) == 0)
            continue;
        err_set(err, ERR_CORRUPT, "\"%s\" is not the chunk file expected here",
                c->in->name);
        return err_detail(err, "Its %s is %s, expected %s.", field_names[i],
                          found[i], expected[i]);
    }
    return 0;
}

/* ---- frames ---- */

/* After the last frame, or where it should have been. */
static int
check_end(const struct chunk_reader *c, struct err *err)
{
    if (c->at.offset != c->tail_at)
        return damaged(c->in, "It has more frames than its tail says.", err);
    if (c->at.raw_offset != c->tail.totals.raw_len)
        return damaged(c->in, "It has less content than its tail says.", err);
    return CHUNK_READER_E_END;
}

/* Is the next frame where the index, if it knows it, says that it is? */
static int
check_mark(const struct chunk_reader *c, struct err *err)
{
    const struct chunk_mark *m = c->tail.marks + c->n_frames / c->tail.stride;

    if (c->n_frames % c->tail.stride != 0 ||
        (m->offset == c->at.offset && m->raw_offset == c->at.raw_offset))
        return 0;
    return damaged(c->in, "A frame is not where its tail says.", err);
}

int
chunk_reader_next(struct chunk_reader *c, const unsigned char **ret,
                  size_t *ret_len, struct err *err)
{
    struct frame_content content;
    int r;

    assert(c->in);

    if (c->n_frames == c->tail.totals.n_frames)
        return check_end(c, err);
    r = check_mark(c, err);
    if (r)
        return r;
    r = frame_decode(c->decoder, c->in, c->at.offset, c->tail_at, &content,
                     err);
    if (r)
        return r;
    if (content.len > c->tail.totals.raw_len - c->at.raw_offset)
        return damaged(c->in, "It has more content than its tail says.", err);

    c->n_frames++;
    c->at.offset = content.next;
    c->at.raw_offset += content.len;
    *ret = content.data;
    *ret_len = content.len;
    return 0;
}
