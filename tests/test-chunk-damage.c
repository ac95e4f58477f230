/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "formats/chunk.h"
#include "formats/chunk_head.h"
#include "formats/chunk_tail.h"
#include "formats/le.h"
#include "tests/chunk_files.h"
#include "tests/memory.h"

/* ---- accidents ---- */

/* Four frames, with compressed blocks and stored ones. */
static void
make_small(struct memory *m, enum frame_codec codec)
{
    static const char binary[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
                                 "\0\1\0\0\0\100"
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                 "\377\377";
    struct chunk_head head = a_head;

    head.format = COPY_BINARY;
    head.codec = codec;
    write_chunk(m, &head, binary, sizeof binary - 1, 4096);
}

static int
is_noticed(struct memory *m)
{
    struct found f = read_chunk(m);

    free(f.raw);
    return f.r < 0 && f.err.class == ERR_CORRUPT;
}

Test(chunk_damage, every_flipped_bit_is_noticed)
{
    EACH_CODEC(codec)
    {
        struct memory m = {0};

        make_small(&m, *codec);
        for (size_t bit = 0; bit < 8 * m.len; bit++) {
            m.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            cr_assert(is_noticed(&m), "%s: bit %zu", frame_codec_name(*codec),
                      bit);
            m.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        cr_assert_not(is_noticed(&m));
        memory_free(&m);
    }
}

Test(chunk_damage, every_cut_is_noticed)
{
    EACH_CODEC(codec)
    {
        struct memory m = {0};
        size_t whole;

        make_small(&m, *codec);
        whole = m.len;
        for (m.len = 0; m.len < whole; m.len++)
            cr_assert(is_noticed(&m), "cut to %zu", m.len);
        memory_free(&m);
    }
}

Test(chunk_damage, every_missing_byte_is_noticed)
{
    struct memory m = {0};

    make_small(&m, FRAME_LZ4);
    for (size_t at = 0; at < m.len; at++) {
        struct memory less = {.data = malloc(m.len), .len = m.len - 1};

        memcpy(less.data, m.data, at);
        memcpy(less.data + at, m.data + at + 1, less.len - at);
        cr_assert(is_noticed(&less), "without byte %zu", at);
        memory_free(&less);
    }
    memory_free(&m);
}

/* ---- lies ---- */

/* A chunk in parts, to be put together wrongly; checksums are made good. */
struct parts {
    unsigned char head[CHUNK_HEAD_LEN];
    struct memory frames[4];
    size_t n_frames;
    struct chunk_tail tail;
};

static struct parts *
take_apart(void)
{
    static const char *const rows[] = {"aaaa\n", "bbbb\n", "cc\ncc\n", "d\n"};
    static struct parts p;
    uint64_t offset = CHUNK_HEAD_LEN, raw = 0;
    struct err err;

    p.n_frames = 4;
    chunk_head_put(p.head, &a_head);
    chunk_tail_reset(&p.tail);
    for (size_t i = 0; i < 4; i++) {
        cleanup_(frame_encoder_freep) struct frame_encoder *e = NULL;
        struct chunk_mark mark = {offset, raw, i};
        struct bytes_out out = memory_out(&p.frames[i]);

        cr_assert_eq(frame_encoder_new(&e, FRAME_STORED, &err), 0);
        cr_assert_eq(frame_encode(e, rows[i], strlen(rows[i]), &out, &err), 0);
        chunk_tail_add(&p.tail, &mark);
        offset += p.frames[i].len;
        raw += strlen(rows[i]);
    }
    p.tail.totals.raw_len = raw;
    p.tail.totals.digest.n_rows = 5;
    p.tail.head_sum = chunk_head_sum(p.head);
    return &p;
}

static void
put(struct memory *m, const void *data, size_t len)
{
    m->data = realloc(m->data, m->len + len);
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

static void
put_together(struct memory *m, const struct parts *p)
{
    unsigned char *tail = malloc(CHUNK_TAIL_MAX);

    put(m, p->head, sizeof p->head);
    for (size_t i = 0; i < p->n_frames; i++)
        put(m, p->frames[i].data, p->frames[i].len);
    put(m, tail, chunk_tail_put(tail, &p->tail));
    free(tail);
}

static void
whole(struct parts *p)
{
    (void)p;
}

/* Change a field of the head, and its checksum with it. */
static void
set_head(struct parts *p, size_t offset, uint32_t value)
{
    le32_put(p->head + offset, value);
    le64_put(p->head + 72, XXH3_64bits(p->head + 8, 64));
    p->tail.head_sum = chunk_head_sum(p->head);
}

static void
version(struct parts *p)
{
    set_head(p, 16, 2);
}

static void
format(struct parts *p)
{
    set_head(p, 20, 2);
}

static void
codec(struct parts *p)
{
    set_head(p, 24, 2);
}

static void
other_head(struct parts *p)
{
    struct chunk_head head = a_head;

    head.chunk++;
    chunk_head_put(p->head, &head);
}

static void
frames_swapped(struct parts *p)
{
    struct memory m = p->frames[0];

    p->frames[0] = p->frames[2]; /* of another length */
    p->frames[2] = m;
}

static void
frame_missing(struct parts *p)
{
    p->n_frames = 3;
}

static void
frame_too_many(struct parts *p)
{
    p->tail.totals.n_frames = 3;
    p->tail.n_marks = 3;
}

static void
less_content(struct parts *p)
{
    p->tail.totals.raw_len++;
}

static void
more_content(struct parts *p)
{
    p->tail.totals.raw_len--;
}

static void
stride_zero(struct parts *p)
{
    p->tail.stride = 0;
}

static void
stride_two(struct parts *p)
{
    p->tail.stride = 2;
}

static void
endless_frames(struct parts *p)
{
    p->tail.totals.n_frames = UINT64_MAX;
}

static void
mark_missing(struct parts *p)
{
    p->tail.n_marks = 3;
}

static void
mark_in_the_head(struct parts *p)
{
    p->tail.marks[0].offset = 8;
}

static void
mark_behind_the_end(struct parts *p)
{
    p->tail.marks[3].offset = UINT64_MAX;
}

static void
marks_going_back(struct parts *p)
{
    p->tail.marks[2].offset = p->tail.marks[1].offset;
}

static void
rows_going_back(struct parts *p)
{
    p->tail.marks[2].n_rows = 0;
}

static void
more_rows_than_all(struct parts *p)
{
    p->tail.totals.digest.n_rows = 2;
}

static void
stream_going_back(struct parts *p)
{
    p->tail.marks[2].raw_offset = 1;
}

static void
frame_elsewhere(struct parts *p)
{
    p->tail.marks[2].offset++;
}

static void
content_elsewhere(struct parts *p)
{
    p->tail.marks[2].raw_offset++;
}

static const struct {
    const char *name;
    void (*mutilate)(struct parts *p);
    const char *expected; /* NULL: nothing wrong */
} lies[] = {
    {"whole", whole, NULL},
    {"version", version, "It is of another version of chunk files."},
    {"format", format, "Its format or codec is unknown."},
    {"codec", codec, "Its format or codec is unknown."},
    {"other head", other_head, "Its head and tail are of different files."},
    {"frames swapped", frames_swapped, "A frame is not where its tail says."},
    {"frame missing", frame_missing,
     "The index in its tail contradicts itself."},
    {"frame too many", frame_too_many,
     "It has more frames than its tail says."},
    {"less content", less_content, "It has less content than its tail says."},
    {"more content", more_content, "It has more content than its tail says."},
    {"stride 0", stride_zero,
     "The index in its tail is not that of so many frames."},
    {"stride 2", stride_two,
     "The index in its tail is not that of so many frames."},
    {"endless frames", endless_frames,
     "The index in its tail is not that of so many frames."},
    {"mark missing", mark_missing,
     "The index in its tail is not that of so many frames."},
    {"mark in the head", mark_in_the_head,
     "The index in its tail contradicts itself."},
    {"mark behind the end", mark_behind_the_end,
     "The index in its tail contradicts itself."},
    {"marks going back", marks_going_back,
     "The index in its tail contradicts itself."},
    {"rows going back", rows_going_back,
     "The index in its tail contradicts itself."},
    {"more rows than all", more_rows_than_all,
     "The index in its tail contradicts itself."},
    {"stream going back", stream_going_back,
     "The index in its tail contradicts itself."},
    {"frame elsewhere", frame_elsewhere, "A frame is not where its tail says."},
    {"content elsewhere", content_elsewhere,
     "A frame is not where its tail says."},
};

Test(chunk_damage, lies_with_good_checksums_are_found_out)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct parts *p = take_apart();
        struct memory m = {0};
        struct found f;

        lies[i].mutilate(p);
        put_together(&m, p);
        f = read_chunk(&m);
        if (!lies[i].expected) {
            cr_expect_eq(f.r, 0, "%s", f.err.detail);
        } else {
            cr_expect_lt(f.r, 0, "%s", lies[i].name);
            cr_expect_eq(f.err.class, ERR_CORRUPT);
            cr_expect_str_eq(f.err.message,
                             "\"1.lz4\" is not a whole chunk file");
            cr_expect_str_eq(f.err.detail, lies[i].expected, "%s: %s",
                             lies[i].name, f.err.detail);
        }
        free(f.raw);
        memory_free(&m);
        for (size_t j = 0; j < 4; j++)
            memory_free(&p->frames[j]);
    }
}
