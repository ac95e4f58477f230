/* SPDX-License-Identifier: PostgreSQL */

/*
 * How fast are rows found and digested on one core?  One line a case: the
 * shape of the rows, the format, the work, how the stream is cut (a row as
 * libpq hands it out, 64 KiB, 1 MiB), GB/s: median, least, most.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "io/clock.h"

enum { STREAM_LEN = 8 << 20, N_ROUNDS = 15, N_COLUMNS_MAX = 40 };

struct shape {
    const char *name;
    unsigned n_columns;
    unsigned field_len[N_COLUMNS_MAX]; /* 0: as the one before */
};

static const struct shape shapes[] = {
    {"200-byte-rows", 8, {9, 7, 29, 9, 40, 60, 36, 8}},
    {"200-byte-rows-of-40", 40, {4}},
    {"12-byte-rows", 2, {5}},
};

/* How the stream is cut. */
struct cut {
    const char *name;
    size_t len; /* 0: every row by itself */
};

static const struct cut cuts[] = {
    {"row", 0},
    {"64KiB", 64 << 10},
    {"1MiB", 1 << 20},
};

enum { N_CUTS = sizeof cuts / sizeof *cuts };

struct stream {
    const char *name;
    enum copy_format format;
    unsigned n_columns;
    unsigned char *data;
    size_t len;
    size_t head_len, row_len;
};

static void
put(struct stream *s, const void *data, size_t len)
{
    memcpy(s->data + s->len, data, len);
    s->len += len;
}

static void
put_field(struct stream *s, unsigned len, unsigned seed)
{
    unsigned char be[4] = {0, 0, 0, (unsigned char)len};
    unsigned i;

    if (s->format == COPY_BINARY)
        put(s, be, sizeof be);
    for (i = 0; i < len; i++)
        s->data[s->len++] = (unsigned char)('a' + (seed + i * i) % 26);
}

static void
put_row(struct stream *s, const struct shape *shape, unsigned seed)
{
    unsigned char count[2] = {0, (unsigned char)shape->n_columns};
    unsigned i, len = 0;

    if (s->format == COPY_BINARY)
        put(s, count, sizeof count);
    for (i = 0; i < shape->n_columns; i++) {
        len = shape->field_len[i] ? shape->field_len[i] : len;
        put_field(s, len, seed + i);
        if (s->format == COPY_TEXT)
            put(s, i + 1 < shape->n_columns ? "\t" : "\n", 1);
    }
}

static void
make_stream(struct stream *s, enum copy_format format,
            const struct shape *shape)
{
    unsigned seed = 0;

    *s = (struct stream){
        .name = shape->name,
        .format = format,
        .n_columns = shape->n_columns,
    };
    s->data = malloc(STREAM_LEN + 4096);
    if (!s->data)
        exit(ERR_SYSTEM);
    if (format == COPY_BINARY)
        put(s, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
    s->head_len = s->len;
    put_row(s, shape, seed);
    s->row_len = s->len - s->head_len;
    while (s->len < STREAM_LEN)
        put_row(s, shape, seed += 7);
    if (format == COPY_BINARY)
        put(s, "\377\377", 2);
}

static void
must(int r, const struct err *err)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench-framing: %s\n", err->message);
    exit(err->class);
}

static void
feed(struct copy_rows *rows, struct digester *d, const void *data, size_t len)
{
    struct copy_piece p;
    struct err err;
    int r;

    if (d) {
        must(digester_feed(d, rows, data, len, &err), &err);
        return;
    }
    copy_rows_feed(rows, data, len);
    while ((r = copy_rows_next(rows, &p, &err)) == 0)
        ;
    must(r == COPY_ROWS_E_MORE ? 0 : r, &err);
}

/* GB/s of one pass over the stream. */
static double
pass(const struct stream *s, struct copy_rows *rows, struct digester *d,
     const struct cut *cut)
{
    size_t piece = cut->len ? cut->len : s->row_len;
    uint64_t begin = clock_ns();
    struct err err;
    size_t at, len;

    copy_rows_reset(rows, s->format, s->n_columns);
    for (at = 0; at < s->len; at += len) {
        len = at == 0 && s->head_len ? s->head_len : piece;
        len = len < s->len - at ? len : s->len - at;
        feed(rows, d, s->data + at, len);
    }
    must(copy_rows_end(rows, &err), &err);
    return (double)s->len / (double)(clock_ns() - begin);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Without a digester the rows are only found. */
static void
measure(const struct stream *s, struct digester *d, const struct cut *cut)
{
    cleanup_(copy_rows_freep) struct copy_rows *rows = NULL;
    double rate[N_ROUNDS];
    struct err err;
    int i;

    must(copy_rows_new(&rows, s->format, s->n_columns, &err), &err);
    pass(s, rows, d, cut); /* warm up */
    for (i = 0; i < N_ROUNDS; i++)
        rate[i] = pass(s, rows, d, cut);
    qsort(rate, N_ROUNDS, sizeof *rate, ascending);
    printf("%s\t%s\t%s\t%s\t%.2f\t%.2f\t%.2f\n", s->name,
           copy_format_name(s->format), d ? "digest" : "frame", cut->name,
           rate[N_ROUNDS / 2], rate[0], rate[N_ROUNDS - 1]);
}

static void
bench(const struct shape *shape, enum copy_format format)
{
    cleanup_(digester_freep) struct digester *d = NULL;
    struct stream s;
    struct err err;
    int i;

    must(digester_new(&d, &err), &err);
    make_stream(&s, format, shape);
    for (i = 0; i < N_CUTS; i++)
        measure(&s, NULL, &cuts[i]);
    for (i = 0; i < N_CUTS; i++)
        measure(&s, d, &cuts[i]);
    free(s.data);
}

int
main(void)
{
    size_t i;

    printf("shape\tformat\twork\tcut\tGB/s\tmin\tmax\n");
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        bench(&shapes[i], COPY_TEXT);
        bench(&shapes[i], COPY_BINARY);
    }
    return 0;
}
