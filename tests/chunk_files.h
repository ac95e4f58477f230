/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Chunk files in memory, written and read. */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "formats/chunk.h"
#include "tests/memory.h"

static const enum frame_codec codecs[] = {FRAME_STORED, FRAME_LZ4};

#define EACH_CODEC(c)                                                          \
    for (const enum frame_codec *c = codecs; c < codecs + 2; c++)

static const struct chunk_head a_head = {
    .run = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
            0x67, 0x89, 0xab, 0xcd, 0xef},
    .chunk = 7,
    .table = 3,
    .lsn = 0x16B3748ull << 8,
    .format = COPY_TEXT,
    .codec = FRAME_LZ4,
    .n_columns = 1,
};

/* Write a stream, fed in pieces of at most step bytes. */
static inline struct chunk_totals
write_chunk(struct memory *m, const struct chunk_head *head, const void *data,
            size_t len, size_t step)
{
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    struct bytes_out out = memory_out(m);
    struct chunk_totals totals;
    struct err err;

    cr_assert_eq(chunk_writer_new(&w, &err), 0);
    cr_assert_eq(chunk_writer_begin(w, head, &out, &err), 0);
    for (size_t at = 0; at < len; at += step)
        cr_assert_eq(chunk_writer_add(w, (const char *)data + at,
                                      len - at < step ? len - at : step, &err),
                     0, "%s", err.message);
    cr_assert_eq(chunk_writer_raw_len(w), len);
    cr_assert_eq(chunk_writer_end(w, &totals, &err), 0, "%s", err.message);
    cr_assert_eq(chunk_writer_raw_len(w), len);
    cr_assert_eq(chunk_writer_rows(w), totals.digest.n_rows);
    return totals;
}

/* What a reader finds. */
struct found {
    unsigned char *raw;
    size_t len;
    size_t frame_lens[64];
    size_t n_frames;
    int r; /* 0: read to its end */
    struct err err;
};

static inline void
read_frames(struct chunk_reader *c, struct found *f)
{
    const unsigned char *data;
    size_t len;
    int r;

    while ((r = chunk_reader_next(c, &data, &len, &f->err)) == 0) {
        f->raw = realloc(f->raw, f->len + len);
        memcpy(f->raw + f->len, data, len);
        f->len += len;
        if (f->n_frames < sizeof f->frame_lens / sizeof *f->frame_lens)
            f->frame_lens[f->n_frames] = len;
        f->n_frames++;
    }
    f->r = r == CHUNK_READER_E_END ? 0 : r;
}

static inline struct found
read_chunk(struct memory *m)
{
    cleanup_(chunk_reader_freep) struct chunk_reader *c = NULL;
    struct bytes_in in = memory_in(m, "1.lz4");
    struct found f = {0};

    cr_assert_eq(chunk_reader_new(&c, &f.err), 0);
    f.r = chunk_reader_begin(c, &in, &f.err);
    if (f.r == 0)
        read_frames(c, &f);
    return f;
}
