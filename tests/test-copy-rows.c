/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "formats/copy_rows.h"
#include "tests/copy_streams.h"

/* A complete head, row or trailer.  No padding: compared as bytes. */
struct unit {
    uint32_t kind, begin, end;
};

/* What was found in a stream: only what does not depend on how it was cut. */
struct found {
    struct unit *units;
    size_t n_units;
    uint64_t n_rows;
    int r;
    struct err err;
};

#define NOT_BEGUN UINT32_MAX

static void
add_piece(struct found *f, const struct stream *s, const struct copy_piece *p,
          uint32_t *begin)
{
    uint32_t at = (uint32_t)(p->data - s->data);

    cr_assert_gt(p->len, 0);
    cr_assert_eq(p->first, *begin == NOT_BEGUN);
    if (p->first)
        *begin = at;
    if (!p->last)
        return;
    f->units = realloc(f->units, (f->n_units + 1) * sizeof *f->units);
    f->units[f->n_units++] =
        (struct unit){p->kind, *begin, at + (uint32_t)p->len};
    *begin = NOT_BEGUN;
}

/* How many bytes to feed next, of the left. */
typedef size_t cut_fn(size_t left, uint64_t *state);

static void
find(struct found *f, const struct stream *s, cut_fn *cut, uint64_t state)
{
    cleanup_(copy_rows_freep) struct copy_rows *c = NULL;
    const unsigned char *joined = s->data;
    struct copy_piece p;
    uint32_t begin = NOT_BEGUN;
    size_t at, len;

    *f = (struct found){0};
    cr_assert_eq(copy_rows_new(&c, s->format, s->n_columns, &f->err), 0);
    for (at = 0; at < s->len; at += len) {
        len = cut(s->len - at, &state);
        copy_rows_feed(c, s->data + at, len);
        while ((f->r = copy_rows_next(c, &p, &f->err)) == 0) {
            cr_assert_eq(p.data, joined);
            joined += p.len;
            add_piece(f, s, &p, &begin);
        }
        f->n_rows = copy_rows_count(c);
        if (f->r < 0)
            return;
        cr_assert_eq(joined, s->data + at + len);
    }
    f->r = copy_rows_end(c, &f->err);
}

static void
free_found(struct found *f)
{
    free(f->units);
}

static void
expect_same(const struct found *a, const struct found *b, const char *name)
{
    cr_assert_eq(a->n_units, b->n_units, "%s", name);
    cr_assert_eq(a->n_rows, b->n_rows, "%s", name);
    if (a->n_units > 0) /* else they are NULL, which memcmp() may not get */
        cr_assert_arr_eq(a->units, b->units, a->n_units * sizeof *a->units,
                         "%s", name);
    cr_assert_eq(a->r, b->r, "%s", name);
    if (a->r) {
        cr_assert_str_eq(a->err.message, b->err.message, "%s", name);
        cr_assert_str_eq(a->err.detail, b->err.detail, "%s", name);
    }
}

static size_t
cut_nowhere(size_t left, uint64_t *state)
{
    (void)state;
    return left;
}

/* After the first *state bytes. */
static size_t
cut_once(size_t left, uint64_t *state)
{
    size_t len = *state > 0 && *state < left ? (size_t)*state : left;

    *state = 0;
    return len;
}

static size_t
cut_everywhere(size_t left, uint64_t *state)
{
    (void)left, (void)state;
    return 1;
}

static uint64_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return *state >> 33;
}

/* Mostly short pieces, now and then none, now and then a long one. */
static size_t
cut_at_random(size_t left, uint64_t *state)
{
    uint64_t most = next_random(state) % 8 ? 12 : 5000;
    uint64_t len = next_random(state) % most;

    return len < left ? (size_t)len : left;
}

static void
expect_no_difference(const struct stream *s)
{
    cleanup_(free_found) struct found whole = {0};
    size_t i;

    find(&whole, s, cut_nowhere, 0);
    for (i = 0; i <= s->len; i++) {
        cleanup_(free_found) struct found f = {0};

        find(&f, s, i < s->len ? cut_once : cut_everywhere, i);
        expect_same(&f, &whole, s->name);
    }
}

static void
expect_text(const struct stream *s, const struct unit *u, const char *text)
{
    cr_assert_eq(u->end - u->begin, strlen(text));
    cr_assert_arr_eq(s->data + u->begin, text, strlen(text));
}

Test(copy_rows, text_rows_are_lines)
{
    cleanup_(free_found) struct found f = {0};

    find(&f, &golden[0], cut_nowhere, 0);
    cr_assert_eq(f.r, 0);
    cr_assert_eq(f.n_units, 4);
    expect_text(&golden[0], &f.units[0], "1\ttab\\there\t\\\\x00ff\n");
    expect_text(&golden[0], &f.units[1], "2\ttwo\\nlines\t\\N\n");
    expect_text(&golden[0], &f.units[2], "3\t\\\\.\t\\\\x\n");
    expect_text(&golden[0], &f.units[3], "4\t\\N\t\\\\x5c2e0a\n");
}

Test(copy_rows, binary_has_a_head_rows_and_a_trailer)
{
    static const struct unit expected[] = {
        {COPY_HEAD, 0, 19}, {COPY_ROW, 19, 47},  {COPY_ROW, 47, 74},
        {COPY_ROW, 74, 94}, {COPY_ROW, 94, 115}, {COPY_TRAILER, 115, 117},
    };
    cleanup_(free_found) struct found f = {0};

    find(&f, &golden[1], cut_nowhere, 0);
    cr_assert_eq(f.r, 0);
    cr_assert_eq(f.n_units, 6);
    cr_assert_arr_eq(f.units, expected, sizeof expected);
}

Test(copy_rows, every_row_a_server_wrote_is_counted)
{
    static const uint64_t n_rows[N_GOLDEN] = {4, 4, 3, 3, 3, 3, 0, 0, 1};
    size_t i;

    for (i = 0; i < N_GOLDEN; i++) {
        cleanup_(free_found) struct found f = {0};

        find(&f, &golden[i], cut_nowhere, 0);
        cr_assert_eq(f.r, 0, "%s: %s", golden[i].name, f.err.message);
        cr_assert_eq(f.n_rows, n_rows[i], "%s", golden[i].name);
    }
}

Test(copy_rows, malformed_streams_are_refused_with_row_and_offset)
{
    size_t i;

    for (i = 0; i < N_MALFORMED; i++) {
        cleanup_(free_found) struct found f = {0};

        find(&f, &malformed[i], cut_nowhere, 0);
        cr_assert_lt(f.r, 0, "%s", malformed[i].name);
        cr_assert_eq(f.err.class, ERR_CORRUPT, "%s", malformed[i].name);
        cr_assert_str_eq(f.err.message, malformed[i].message, "%s",
                         malformed[i].name);
        cr_assert_str_eq(f.err.detail, malformed[i].detail, "%s",
                         malformed[i].name);
    }
}

Test(copy_rows, a_cut_at_any_byte_changes_neither_rows_nor_errors)
{
    size_t i;

    for (i = 0; i < N_GOLDEN; i++)
        expect_no_difference(&golden[i]);
    for (i = 0; i < N_MALFORMED; i++)
        expect_no_difference(&malformed[i]);
}

/* The rows of a golden stream again and again, in random order. */
static struct stream
make_large(const struct stream *from, size_t n_rows, uint64_t seed)
{
    cleanup_(free_found) struct found f = {0};
    unsigned char *data = malloc(from->len * n_rows);
    struct stream s = *from;
    size_t i, head, n_from;
    const struct unit *u;

    find(&f, from, cut_nowhere, 0);
    head = f.units[0].kind == COPY_HEAD ? f.units[0].end : 0;
    memcpy(data, from->data, s.len = head);
    for (i = 0; i < n_rows; i++) {
        n_from = next_random(&seed) % f.n_rows + (head > 0);
        u = &f.units[n_from];
        memcpy(data + s.len, from->data + u->begin, u->end - u->begin);
        s.len += u->end - u->begin;
    }
    u = &f.units[f.n_units - 1];
    if (u->kind == COPY_TRAILER) {
        memcpy(data + s.len, TRAILER, 2);
        s.len += 2;
    }
    s.data = data;
    return s;
}

Test(copy_rows, random_cuts_and_damage_change_neither_rows_nor_errors)
{
    uint64_t seed, state;
    struct stream s;

    for (seed = 0; seed < 200; seed++) {
        cleanup_(free_found) struct found whole = {0}, f = {0};

        state = seed;
        s = make_large(&golden[seed % 4], 500, seed);
        if (seed >= 20) /* one byte is wrong: refused or not, but the same */
            ((unsigned char *)s.data)[next_random(&state) % s.len] =
                (unsigned char)next_random(&state);
        find(&whole, &s, cut_nowhere, 0);
        find(&f, &s, cut_at_random, seed);
        cr_assert(seed >= 20 || (whole.r == 0 && whole.n_rows == 500));
        expect_same(&f, &whole, s.name);
        free((void *)s.data);
    }
}

static long
resident_kb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* One row, of which n MiB come between what is before and after. */
static void
pass_huge_row(struct copy_rows *c, const char *before, size_t before_len,
              unsigned n, const char *after)
{
    static unsigned char mib[1 << 20];
    struct copy_piece p;
    struct err err;
    unsigned i;

    memset(mib, '\\', sizeof mib);
    copy_rows_feed(c, before, before_len);
    while (copy_rows_next(c, &p, &err) == 0)
        ;
    for (i = 0; i < n; i++) {
        copy_rows_feed(c, mib, sizeof mib);
        cr_assert_eq(copy_rows_next(c, &p, &err), 0);
        cr_assert_eq(p.len, sizeof mib);
        cr_assert(!p.first);
        cr_assert_eq(copy_rows_next(c, &p, &err), COPY_ROWS_E_MORE);
    }
    copy_rows_feed(c, after, strlen(after));
    while (copy_rows_next(c, &p, &err) == 0)
        ;
    cr_assert(p.last);
    cr_assert_eq(copy_rows_end(c, &err), 0);
    cr_assert_eq(copy_rows_count(c), 1);
}

Test(copy_rows, a_row_of_a_gigabyte_needs_no_memory)
{
    cleanup_(copy_rows_freep) struct copy_rows *c = NULL;
    static const char head[] = HEAD "\0\1\77\360\0\0"; /* 1023 MiB */
    struct err err;
    long before;

    cr_assert_eq(copy_rows_new(&c, COPY_TEXT, 1, &err), 0);
    pass_huge_row(c, "x", 1, 1, "\n"); /* touch what is touched */
    before = resident_kb();

    copy_rows_reset(c, COPY_TEXT, 1);
    pass_huge_row(c, "x", 1, 64, "\n");
    copy_rows_reset(c, COPY_BINARY, 1);
    pass_huge_row(c, head, sizeof head - 1, 1023, TRAILER);
    cr_assert_leq(resident_kb() - before, 64);
}

Test(copy_rows, reset_begins_another_stream_in_the_middle_of_one)
{
    cleanup_(copy_rows_freep) struct copy_rows *c = NULL;
    struct copy_piece p;
    struct err err;

    cr_assert_eq(copy_rows_new(&c, COPY_TEXT, 2, &err), 0);
    copy_rows_feed(c, "a\tb\nc\t\\.", 8);
    cr_assert_eq(copy_rows_next(c, &p, &err), 0);
    cr_assert_eq(copy_rows_next(c, &p, &err), 0);
    cr_assert(p.first && !p.last);

    copy_rows_reset(c, COPY_TEXT, 1);
    copy_rows_feed(c, "\n", 1);
    cr_assert_eq(copy_rows_next(c, &p, &err), 0);
    cr_assert(p.first && p.last);
    cr_assert_eq(copy_rows_count(c), 1);
}

Test(copy_rows, nothing_comes_after_an_error, .signal = SIGABRT)
{
    cleanup_(copy_rows_freep) struct copy_rows *c = NULL;
    struct copy_piece p;
    struct err err;

    cr_assert_eq(copy_rows_new(&c, COPY_TEXT, 1, &err), 0);
    copy_rows_feed(c, "a\tb\nc\n", 6);
    cr_assert_lt(copy_rows_next(c, &p, &err), 0);
    copy_rows_next(c, &p, &err);
}

Test(copy_rows, formats_have_names)
{
    enum copy_format f;

    cr_assert_eq(copy_format_parse(copy_format_name(COPY_TEXT), &f), 0);
    cr_assert_eq(f, COPY_TEXT);
    cr_assert_eq(copy_format_parse(copy_format_name(COPY_BINARY), &f), 0);
    cr_assert_eq(f, COPY_BINARY);
    cr_assert_lt(copy_format_parse("csv", &f), 0);
}
