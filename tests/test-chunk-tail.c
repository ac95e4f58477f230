/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "formats/chunk_head.h"
#include "formats/chunk_tail.h"
#include "tests/chunk_files.h"
#include "tests/memory.h"

Test(chunk_tail, full_index_drops_every_second_mark)
{
    struct chunk_tail *t = malloc(sizeof *t), *read = malloc(sizeof *read);
    unsigned char *bytes = malloc(CHUNK_TAIL_MAX);
    size_t len;

    chunk_tail_reset(t);
    for (uint64_t i = 0; i < 10000; i++) {
        struct chunk_mark mark = {CHUNK_HEAD_LEN + 10 * i, 100 * i, i};

        chunk_tail_add(t, &mark);
    }
    cr_assert_eq(t->totals.n_frames, 10000);
    cr_assert_eq(t->stride, 4);
    cr_assert_eq(t->n_marks, 2500);
    for (uint64_t i = 0; i < 2500; i++)
        cr_assert_eq(t->marks[i].n_rows, 4 * i);

    t->totals.raw_len = 1000000;
    t->totals.digest.n_rows = 10000;
    len = chunk_tail_put(bytes, t);
    cr_assert_eq(len, 8 + 2500 * 24 + 72);
    cr_assert_eq(chunk_tail_len(bytes + len - 72), len);
    cr_assert_null(chunk_tail_get(bytes, len, CHUNK_HEAD_LEN + 100000, read));
    cr_assert_eq(memcmp(read, t, sizeof *t - sizeof t->marks), 0);
    cr_assert_eq(memcmp(read->marks, t->marks, 2500 * sizeof *t->marks), 0);
    free(bytes);
    free(read);
    free(t);
}

Test(chunk_tail, index_just_full_keeps_all_marks)
{
    struct chunk_tail *t = malloc(sizeof *t);

    chunk_tail_reset(t);
    for (uint64_t i = 0; i < CHUNK_INDEX_MAX; i++)
        chunk_tail_add(t, &(struct chunk_mark){i, i, i});
    cr_assert_eq(t->stride, 1);
    cr_assert_eq(t->n_marks, CHUNK_INDEX_MAX);
    free(t);
}

Test(chunk_tail, marks_say_where_frames_begin_and_how_many_rows_ended_before)
{
    static const struct chunk_mark expected[] = {
        /* offset: header, block header, checksum and end are 27 bytes, and
           8 more for every further block; 1 MiB has five */
        {80, 0, 0},
        {80 + 10 + 27, 10, 1},
        {80 + 10 + 27 + 1048576 + 59, 10 + 1048576, 1},
        {80 + 10 + 27 + 1048576 + 59 + 1 + 27, 10 + 1048577, 2},
    };
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    struct chunk_tail *t = malloc(sizeof *t);
    unsigned char *raw = malloc(10 + FRAME_RAW_MAX + 1 + 20);
    struct chunk_head head = a_head;
    struct chunk_totals totals;
    struct err err;

    memset(raw, 'x', 10 + FRAME_RAW_MAX + 1 + 20);
    raw[9] = raw[10 + FRAME_RAW_MAX] = raw[10 + FRAME_RAW_MAX + 20] = '\n';
    head.codec = FRAME_STORED;
    cr_assert_eq(chunk_writer_new(&w, &err), 0);

    /* Twice: a chunk inherits nothing from the one before. */
    for (int i = 0; i < 2; i++) {
        struct memory m = {0};
        struct bytes_out out = memory_out(&m);
        size_t len = 8 + 4 * 24 + 72;

        cr_assert_eq(chunk_writer_begin(w, &head, &out, &err), 0);
        cr_assert_eq(
            chunk_writer_add(w, raw, 10 + FRAME_RAW_MAX + 1 + 20, &err), 0);
        cr_assert_eq(chunk_writer_end(w, &totals, &err), 0);
        cr_assert_null(
            chunk_tail_get(m.data + m.len - len, len, m.len - len, t));
        cr_assert_eq(t->n_marks, 4);
        cr_assert_eq(memcmp(t->marks, expected, sizeof expected), 0);
        memory_free(&m);
    }
    free(raw);
    free(t);
}
