/* SPDX-License-Identifier: PostgreSQL */
#include "formats/chunk_tail.h"

#include <string.h>
#include <xxhash.h>

#include "formats/chunk_head.h"
#include "formats/le.h"

/* Offsets in a mark. */
enum {
    MARK_OFFSET = 0,
    MARK_RAW_OFFSET = 8,
    MARK_N_ROWS = 16,
};

/* Offsets in the footer. */
enum {
    N_ROWS = 0,
    SUM_LO = N_ROWS + 8,
    SUM_HI = SUM_LO + 8,
    RAW_LEN = SUM_HI + 8,
    N_FRAMES = RAW_LEN + 8,
    N_MARKS = N_FRAMES + 8,
    STRIDE = N_MARKS + 4,
    HEAD_SUM = STRIDE + 4,
    CHECKSUM = HEAD_SUM + 8,
    MAGIC = CHECKSUM + 8,
    END = MAGIC + 8,
};

_Static_assert((int)END == (int)CHUNK_TAIL_FOOTER,
               "the layout is promised in the manual");

static const char magic[8] = "PGHAULCT";

/* ---- the index ---- */

void
chunk_tail_reset(struct chunk_tail *t)
{
    *t = (struct chunk_tail){.stride = 1};
}

/* Keep every second mark: the memory is bounded, the chunk is not. */
static void
thin(struct chunk_tail *t)
{
    uint32_t i;

    t->n_marks /= 2;
    t->stride *= 2;
    for (i = 1; i < t->n_marks; i++)
        t->marks[i] = t->marks[2 * i];
}

void
chunk_tail_add(struct chunk_tail *t, const struct chunk_mark *mark)
{
    if (t->n_marks == CHUNK_INDEX_MAX)
        thin(t);
    if (t->totals.n_frames++ % t->stride == 0)
        t->marks[t->n_marks++] = *mark;
}

/* ---- writing ---- */

static uint64_t
checksum(const unsigned char *tail, const unsigned char *footer)
{
    const unsigned char *payload = tail + FRAME_SKIP_HEADER;

    return XXH3_64bits(payload, (size_t)(footer + CHECKSUM - payload));
}

static void
put_footer(unsigned char *to, const struct chunk_tail *t)
{
    le64_put(to + N_ROWS, t->totals.digest.n_rows);
    le64_put(to + SUM_LO, t->totals.digest.sum_lo);
    le64_put(to + SUM_HI, t->totals.digest.sum_hi);
    le64_put(to + RAW_LEN, t->totals.raw_len);
    le64_put(to + N_FRAMES, t->totals.n_frames);
    le32_put(to + N_MARKS, t->n_marks);
    le32_put(to + STRIDE, t->stride);
    le64_put(to + HEAD_SUM, t->head_sum);
    memcpy(to + MAGIC, magic, sizeof magic);
}

size_t
chunk_tail_put(unsigned char to[CHUNK_TAIL_MAX], const struct chunk_tail *t)
{
    unsigned char *at = to + FRAME_SKIP_HEADER;
    uint32_t i;

    for (i = 0; i < t->n_marks; i++, at += CHUNK_TAIL_MARK) {
        le64_put(at + MARK_OFFSET, t->marks[i].offset);
        le64_put(at + MARK_RAW_OFFSET, t->marks[i].raw_offset);
        le64_put(at + MARK_N_ROWS, t->marks[i].n_rows);
    }
    put_footer(at, t);
    le64_put(at + CHECKSUM, checksum(to, at));
    at += CHUNK_TAIL_FOOTER;
    frame_skip_header(to, 1, (uint32_t)(at - to) - FRAME_SKIP_HEADER);
    return (size_t)(at - to);
}

/* ---- reading ---- */

size_t
chunk_tail_len(const unsigned char footer[CHUNK_TAIL_FOOTER])
{
    uint32_t n_marks = le32_get(footer + N_MARKS);

    if (memcmp(footer + MAGIC, magic, sizeof magic) != 0 ||
        n_marks > CHUNK_INDEX_MAX)
        return 0;
    return FRAME_SKIP_HEADER + n_marks * (size_t)CHUNK_TAIL_MARK +
           CHUNK_TAIL_FOOTER;
}

static void
get_footer(const unsigned char *from, struct chunk_tail *ret)
{
    ret->totals = (struct chunk_totals){
        .digest.n_rows = le64_get(from + N_ROWS),
        .digest.sum_lo = le64_get(from + SUM_LO),
        .digest.sum_hi = le64_get(from + SUM_HI),
        .raw_len = le64_get(from + RAW_LEN),
        .n_frames = le64_get(from + N_FRAMES),
    };
    ret->n_marks = le32_get(from + N_MARKS);
    ret->stride = le32_get(from + STRIDE);
    ret->head_sum = le64_get(from + HEAD_SUM);
}

/* The marks go up, from the first frame, and stay below the ends. */
static int
marks_fit(const struct chunk_tail *t, uint64_t tail_offset)
{
    struct chunk_mark end = {
        .offset = tail_offset,
        .raw_offset = t->totals.raw_len,
        .n_rows = t->totals.digest.n_rows,
    };
    const struct chunk_mark *m, *next;

    if (t->n_marks == 0)
        return end.offset == CHUNK_HEAD_LEN && end.raw_offset == 0 &&
               end.n_rows == 0;
    m = t->marks;
    if (m->offset != CHUNK_HEAD_LEN || m->raw_offset != 0 || m->n_rows != 0)
        return 0;
    for (; m < t->marks + t->n_marks; m++) {
        next = m + 1 < t->marks + t->n_marks ? m + 1 : &end;
        if (m->offset >= next->offset || m->raw_offset >= next->raw_offset ||
            m->n_rows > next->n_rows)
            return 0;
    }
    return 1;
}

const char *
chunk_tail_get(const unsigned char *from, size_t len, uint64_t offset,
               struct chunk_tail *ret)
{
    const unsigned char *footer = from + len - CHUNK_TAIL_FOOTER;
    const unsigned char *at = from + FRAME_SKIP_HEADER;
    uint32_t payload_len, i;
    uint64_t n_frames;

    if (frame_skip_parse(from, 1, &payload_len) < 0 ||
        payload_len != len - FRAME_SKIP_HEADER)
        return "Its tail does not begin where it should.";
    if (le64_get(footer + CHECKSUM) != checksum(from, footer))
        return "The checksum of its tail does not match.";

    get_footer(footer, ret);
    for (i = 0; i < ret->n_marks; i++, at += CHUNK_TAIL_MARK) {
        ret->marks[i] = (struct chunk_mark){
            .offset = le64_get(at + MARK_OFFSET),
            .raw_offset = le64_get(at + MARK_RAW_OFFSET),
            .n_rows = le64_get(at + MARK_N_ROWS),
        };
    }
    n_frames = ret->totals.n_frames;
    if (ret->stride == 0 ||
        ret->n_marks != n_frames / ret->stride + (n_frames % ret->stride != 0))
        return "The index in its tail is not that of so many frames.";
    if (!marks_fit(ret, offset))
        return "The index in its tail contradicts itself.";
    return NULL;
}
