/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "formats/chunk.h"
#include "formats/le.h"
#include "tests/chunk_files.h"
#include "tests/copy_streams.h"
#include "tests/memory.h"

static struct chunk_head
head_of(const struct stream *s, enum frame_codec codec)
{
    struct chunk_head head = a_head;

    head.format = s->format;
    head.n_columns = s->n_columns;
    head.codec = codec;
    return head;
}

/* ---- round trips ---- */

Test(chunk, golden_streams_come_back_however_they_were_cut)
{
    for (const struct stream *s = golden; s < golden + N_GOLDEN; s++) {
        EACH_CODEC(codec)
        {
            struct chunk_head head = head_of(s, *codec);

            for (size_t step = 1; step <= s->len + 1; step++) {
                struct memory m = {0};
                struct chunk_totals totals =
                    write_chunk(&m, &head, s->data, s->len, step);
                struct found f = read_chunk(&m);

                cr_assert_eq(f.r, 0, "%s: %s", s->name, f.err.detail);
                cr_assert_eq(f.len, s->len);
                cr_assert(s->len == 0 || memcmp(f.raw, s->data, s->len) == 0);
                cr_assert_eq(totals.raw_len, s->len);
                cr_assert_eq(totals.n_frames, f.n_frames);
                free(f.raw);
                memory_free(&m);
            }
        }
    }
}

Test(chunk, head_and_totals_come_back)
{
    cleanup_(chunk_reader_freep) struct chunk_reader *c = NULL;
    struct memory m = {0};
    struct chunk_totals totals = write_chunk(&m, &a_head, "a\nb\n", 4, 4);
    struct bytes_in in = memory_in(&m, "1.lz4");
    XXH128_hash_t a = XXH3_128bits("a\n", 2), b = XXH3_128bits("b\n", 2);
    const struct chunk_totals *read;
    struct err err;

    cr_assert_eq(chunk_reader_new(&c, &err), 0);
    cr_assert_eq(chunk_reader_begin(c, &in, &err), 0);
    cr_assert_eq(memcmp(chunk_reader_head(c), &a_head, sizeof a_head), 0);
    read = chunk_reader_totals(c);
    cr_assert(digest_equal(&read->digest, &totals.digest));
    cr_assert_eq(read->digest.n_rows, 2);
    cr_assert_eq(read->digest.sum_lo, a.low64 + b.low64);
    cr_assert_eq(read->raw_len, 4);
    cr_assert_eq(read->n_frames, 1);
    memory_free(&m);
}

Test(chunk, file_is_what_the_manual_says)
{
    static const unsigned char expected_head[] = {
        0x50, 0x2a, 0x4d, 0x18, 72,   0,    0,    0, /* skippable frame */
        'P',  'G',  'H',  'A',  'U',  'L',  'C',  'H',
        1,    0,    0,    0,    0,    0,    0,    0,    /* version, text */
        1,    0,    0,    0,    1,    0,    0,    0,    /* lz4, columns */
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, /* run */
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        7,    0,    0,    0,    0,    0,    0,    0, /* chunk */
        3,    0,    0,    0,    0,    0,    0,    0, /* table */
        0x00, 0x48, 0x37, 0x6b, 0x01, 0,    0,    0, /* LSN */
    };
    static const unsigned char expected_tail[] = {
        0x51, 0x2a, 0x4d, 0x18, 96, 0, 0, 0, /* skippable frame */
        80,   0,    0,    0,    0,  0, 0, 0, /* mark: offset */
        0,    0,    0,    0,    0,  0, 0, 0, /* in the stream */
        0,    0,    0,    0,    0,  0, 0, 0, /* rows before */
        2,    0,    0,    0,    0,  0, 0, 0, /* rows */
    };
    static const unsigned char expected_footer[] = {
        4, 0, 0, 0, 0, 0, 0, 0, /* length of the stream */
        1, 0, 0, 0, 0, 0, 0, 0, /* frames */
        1, 0, 0, 0, 1, 0, 0, 0, /* marks, stride */
    };
    struct memory m = {0};
    const unsigned char *end, *tail;

    write_chunk(&m, &a_head, "a\nb\n", 4, 4);
    cr_assert_arr_eq(m.data, expected_head, sizeof expected_head);
    cr_assert_eq(le64_get(m.data + 72), XXH3_64bits(m.data + 8, 64));

    end = m.data + m.len;
    tail = end - 104;
    cr_assert_arr_eq(tail, expected_tail, sizeof expected_tail);
    cr_assert_arr_eq(end - 48, expected_footer, sizeof expected_footer);
    cr_assert_arr_eq(end - 24, m.data + 72, 8);
    cr_assert_eq(le64_get(end - 16), XXH3_64bits(tail + 8, 80));
    cr_assert_arr_eq(end - 8, "PGHAULCT", 8);
    memory_free(&m);
}

/* ---- where frames are cut ---- */

/* One row of text of len bytes, newline included. */
static size_t
put_row(unsigned char *to, size_t at, size_t len, int byte)
{
    memset(to + at, byte, len - 1);
    to[at + len - 1] = '\n';
    return at + len;
}

static const struct {
    const char *name;
    size_t rows[6];   /* lengths; 0: no more */
    size_t frames[8]; /* lengths */
} cuts[] = {
    {"small rows share a frame", {10, 20, 30}, {60}},
    {"rows fill a frame to its last byte",
     {FRAME_RAW_MAX - 10, 10, 5},
     {FRAME_RAW_MAX, 5}},
    {"a row that does not fit begins the next frame",
     {FRAME_RAW_MAX - 10, 11, 5},
     {FRAME_RAW_MAX - 10, 16}},
    {"a row of a frame's length has a frame",
     {7, FRAME_RAW_MAX, 9},
     {7, FRAME_RAW_MAX, 9}},
    {"a larger row has frames of its own",
     {7, FRAME_RAW_MAX + 1, 9},
     {7, FRAME_RAW_MAX, 1, 9}},
    {"a much larger row too",
     {7, 3 * FRAME_RAW_MAX + 5, 9, 9},
     {7, FRAME_RAW_MAX, FRAME_RAW_MAX, FRAME_RAW_MAX, 5, 18}},
    {"a row of two frames' length",
     {2 * FRAME_RAW_MAX, 9},
     {FRAME_RAW_MAX, FRAME_RAW_MAX, 9}},
    {"two large rows do not share",
     {FRAME_RAW_MAX + 5, FRAME_RAW_MAX + 6},
     {FRAME_RAW_MAX, 5, FRAME_RAW_MAX, 6}},
};

Test(chunk, frames_hold_whole_rows_and_huge_rows_have_their_own)
{
    static const size_t steps[] = {8192, 100000, FRAME_RAW_MAX, SIZE_MAX / 2};
    unsigned char *raw = malloc(8 * FRAME_RAW_MAX);

    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        size_t len = 0;

        for (int j = 0; cuts[i].rows[j]; j++)
            len = put_row(raw, len, cuts[i].rows[j], 'a' + j);
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            struct memory m = {0};
            struct found f;

            write_chunk(&m, &a_head, raw, len, steps[s]);
            f = read_chunk(&m);
            cr_assert_eq(f.r, 0, "%s", f.err.detail);
            cr_assert_eq(f.len, len);
            cr_assert_eq(memcmp(f.raw, raw, len), 0);
            cr_expect_arr_eq(f.frame_lens, cuts[i].frames,
                             sizeof cuts[i].frames, "%s, step %zu",
                             cuts[i].name, steps[s]);
            free(f.raw);
            memory_free(&m);
        }
    }
    free(raw);
}

Test(chunk, binary_head_and_trailer_have_frames_of_their_own)
{
    const struct stream *s = &golden[1];
    struct chunk_head head = head_of(s, FRAME_LZ4);
    struct memory m = {0};
    struct found f;

    cr_assert_str_eq(s->name, "binary");
    write_chunk(&m, &head, s->data, s->len, 5);
    f = read_chunk(&m);
    cr_assert_eq(f.n_frames, 3);
    cr_assert_eq(f.frame_lens[0], 19);
    cr_assert_eq(f.frame_lens[2], 2);
    free(f.raw);
    memory_free(&m);
}

Test(chunk, writer_starts_afresh_after_a_failure)
{
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    struct memory bad = {0}, good = {0}, expected = {0};
    struct bytes_out bad_out = memory_out(&bad), out = memory_out(&good);
    struct chunk_head two = a_head;
    struct chunk_totals totals;
    struct err err;

    two.n_columns = 2;
    cr_assert_eq(chunk_writer_new(&w, &err), 0);
    cr_assert_eq(chunk_writer_begin(w, &two, &bad_out, &err), 0);
    cr_assert_lt(chunk_writer_add(w, "a\tb\nc\n", 6, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
    cr_assert_str_eq(err.message, "row 2 has 1 field, expected 2");

    cr_assert_eq(chunk_writer_begin(w, &a_head, &out, &err), 0);
    cr_assert_eq(chunk_writer_add(w, "a\nb\n", 4, &err), 0);
    cr_assert_eq(chunk_writer_end(w, &totals, &err), 0);
    write_chunk(&expected, &a_head, "a\nb\n", 4, 4);
    cr_assert_eq(good.len, expected.len);
    cr_assert_arr_eq(good.data, expected.data, good.len);
    memory_free(&bad);
    memory_free(&good);
    memory_free(&expected);
}

Test(chunk, malformed_streams_make_no_file)
{
    for (const struct stream *s = malformed; s < malformed + N_MALFORMED; s++) {
        cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
        struct chunk_head head = head_of(s, FRAME_LZ4);
        struct memory m = {0};
        struct bytes_out out = memory_out(&m);
        struct chunk_totals totals;
        struct err err;
        int r;

        cr_assert_eq(chunk_writer_new(&w, &err), 0);
        cr_assert_eq(chunk_writer_begin(w, &head, &out, &err), 0);
        r = chunk_writer_add(w, s->data, s->len, &err);
        if (r == 0)
            r = chunk_writer_end(w, &totals, &err);
        cr_assert_lt(r, 0, "%s", s->name);
        cr_assert_str_eq(err.message, s->message);
        memory_free(&m);
    }
}

Test(chunk, failing_output_fails_the_chunk_at_any_byte)
{
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    struct memory whole = {0};
    struct chunk_totals totals;
    struct err err;

    cr_assert_eq(chunk_writer_new(&w, &err), 0);
    write_chunk(&whole, &a_head, "a\nb\n", 4, 4);
    for (size_t limit = 1; limit < whole.len; limit++) {
        struct memory m = {.limit = limit};
        struct bytes_out out = memory_out(&m);
        int r;

        r = chunk_writer_begin(w, &a_head, &out, &err);
        if (r == 0)
            r = chunk_writer_add(w, "a\nb\n", 4, &err);
        if (r == 0)
            r = chunk_writer_end(w, &totals, &err);
        cr_assert_lt(r, 0);
        cr_assert_str_eq(err.message, "no room");
        memory_free(&m);
    }
    memory_free(&whole);
}

/* ---- the judge ---- */

static int
run_lz4(const char *options, const char *name, struct memory *output)
{
    char command[256], buffer[4096];
    size_t n;
    FILE *p;

    snprintf(command, sizeof command, "lz4 %s %s 2>&1", options, name);
    p = popen(command, "r");
    while ((n = fread(buffer, 1, sizeof buffer, p)) > 0) {
        output->data = realloc(output->data, output->len + n);
        memcpy(output->data + output->len, buffer, n);
        output->len += n;
    }
    return pclose(p);
}

static void
judge(const struct memory *chunk, const struct stream *s)
{
    char name[] = "/tmp/test-chunk.XXXXXX";
    struct memory said = {0}, stream = {0};
    FILE *f = fdopen(mkstemp(name), "w");

    fwrite(chunk->data, 1, chunk->len, f);
    fclose(f);
    cr_assert_eq(run_lz4("-q -t", name, &said), 0, "%s: %.*s", s->name,
                 (int)said.len, said.data);
    cr_assert_eq(run_lz4("-dc", name, &stream), 0);
    cr_assert_eq(stream.len, s->len, "%s", s->name);
    cr_assert(s->len == 0 || memcmp(stream.data, s->data, s->len) == 0);
    memory_free(&said);
    memory_free(&stream);
    unlink(name);
}

Test(chunk, lz4_makes_the_stream_of_the_file_in_both_codecs)
{
    for (const struct stream *s = golden; s < golden + N_GOLDEN; s++) {
        EACH_CODEC(codec)
        {
            struct chunk_head head = head_of(s, *codec);
            struct memory m = {0};

            write_chunk(&m, &head, s->data, s->len, 64);
            judge(&m, s);
            memory_free(&m);
        }
    }
}

/* ---- identity ---- */

Test(chunk, file_of_another_chunk_is_refused_and_the_difference_named)
{
    cleanup_(chunk_reader_freep) struct chunk_reader *c = NULL;
    struct chunk_head head;
    struct memory m = {0};
    struct bytes_in in;
    struct err err;

    write_chunk(&m, &a_head, "a\n", 2, 2);
    in = memory_in(&m, "1.lz4");
    cr_assert_eq(chunk_reader_new(&c, &err), 0);
    cr_assert_eq(chunk_reader_begin(c, &in, &err), 0);
    cr_assert_eq(chunk_reader_expect(c, &a_head, &err), 0);

#define DIFFERS(change, text)                                                  \
    do {                                                                       \
        head = a_head;                                                         \
        head.change;                                                           \
        cr_assert_lt(chunk_reader_expect(c, &head, &err), 0);                  \
        cr_assert_str_eq(err.detail, text);                                    \
    } while (0)

    DIFFERS(run[0] = 0xff, "Its run is 0123456789abcdef0123456789abcdef, "
                           "expected ff23456789abcdef0123456789abcdef.");
    DIFFERS(chunk = 8, "Its chunk is 7, expected 8.");
    DIFFERS(table = 4, "Its table is 3, expected 4.");
    DIFFERS(lsn = 0, "Its LSN is 1/6B374800, expected 0/0.");
    DIFFERS(format = COPY_BINARY, "Its format is text, expected binary.");
    DIFFERS(codec = FRAME_STORED, "Its codec is lz4, expected none.");
    DIFFERS(n_columns = 2, "Its number of columns is 1, expected 2.");
    cr_assert_eq(err.class, ERR_CORRUPT);
    cr_assert_str_eq(err.message,
                     "\"1.lz4\" is not the chunk file expected here");
    memory_free(&m);
}
