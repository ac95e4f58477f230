/* SPDX-License-Identifier: PostgreSQL */

/*
 * What do framing, digest, index and checksums cost a chunk?  The write path
 * from COPY messages to the bytes of the file, on one core and in memory,
 * against the least that could be done: LZ4_compress_default() of the same
 * bytes in blocks of the same size, and memcpy() where nothing is compressed.
 * And the way back: a chunk read, against LZ4_decompress_safe() or memcpy().
 *
 * One line a case: MB/s of COPY stream in a second of CPU time, those of the limit, and the ratio of
 * the two (1: nothing is lost): median, least, most of rounds in which both
 * take turns.
 */

#include <endian.h>
#include <inttypes.h>
#include <lz4.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "formats/chunk.h"

enum { STREAM_LEN = 16 << 20, N_ROUNDS = 11, N_COLUMNS = 7 };

static void
must(int r, const struct err *err)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench-chunk: %s\n", err->message);
    exit(err->class);
}

static void *
room(size_t len)
{
    void *p = malloc(len);
    struct err err;

    if (!p)
        must(err_nomem(&err), &err);
    return memset(p, 1, len); /* touched: no page is new to the clock */
}

/* ---- a stream: events, about 170 bytes a row ---- */

struct stream {
    enum copy_format format;
    unsigned char *data;
    size_t len;
    size_t *ends; /* of the messages: a row each, as libpq hands them out */
    size_t n_messages;
};

static void
put(struct stream *s, const void *data, size_t len)
{
    memcpy(s->data + s->len, data, len);
    s->len += len;
}

static void
end_message(struct stream *s)
{
    s->ends[s->n_messages++] = s->len;
}

static void
put_field(struct stream *s, const void *data, size_t len)
{
    uint32_t be = htobe32((uint32_t)len);

    if (s->format == COPY_BINARY)
        put(s, &be, sizeof be);
    put(s, data, len);
    if (s->format == COPY_TEXT)
        put(s, "\t", 1);
}

static void
put_text(struct stream *s, const char *text)
{
    put_field(s, text, strlen(text));
}

static void
put_number(struct stream *s, uint64_t n)
{
    uint64_t be = htobe64(n);
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, n);
    if (s->format == COPY_BINARY)
        put_field(s, &be, sizeof be);
    else
        put_text(s, text);
}

static uint64_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state >> 32;
}

static void
put_row(struct stream *s, uint64_t id, uint64_t *random)
{
    static const char *const kinds[] = {"view", "click", "purchase", "search"};
    uint16_t count = htobe16(N_COLUMNS);
    char text[128];

    if (s->format == COPY_BINARY)
        put(s, &count, sizeof count);
    put_number(s, id);
    put_number(s, next_random(random) % 100000);
    put_number(s, UINT64_C(700000000000000) + id * 1377);
    put_text(s, kinds[next_random(random) % 4]);
    snprintf(text, sizeof text,
             "{\"page\": \"/item/%" PRIu64 "\", \"ms\": %" PRIu64
             ", \"ok\": true}",
             next_random(random) % 5000, next_random(random) % 900);
    put_text(s, text);
    snprintf(text, sizeof text, "visitor %" PRIu64 " came from campaign %d",
             next_random(random) % 10000, (int)(id % 37));
    put_text(s, text);
    snprintf(text, sizeof text,
             "%08" PRIx64 "%08" PRIx64 "%08" PRIx64 "%08" PRIx64 "%08" PRIx64
             "%08" PRIx64,
             next_random(random), next_random(random), next_random(random),
             next_random(random), next_random(random), next_random(random));
    put_text(s, text);
    if (s->format == COPY_TEXT)
        s->data[s->len - 1] = '\n';
    end_message(s);
}

static void
make_stream(struct stream *s, enum copy_format format)
{
    uint64_t id = 0, random = 1;

    *s = (struct stream){.format = format};
    s->data = room(STREAM_LEN + 4096);
    s->ends = room(STREAM_LEN / 64 * sizeof *s->ends);
    if (format == COPY_BINARY) {
        put(s, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
        end_message(s);
    }
    while (s->len < STREAM_LEN)
        put_row(s, id++, &random);
    if (format == COPY_BINARY) {
        put(s, "\377\377", 2);
        end_message(s);
    }
}

/* ---- a file in memory, large enough ---- */

struct file {
    unsigned char *data;
    size_t len;
};

static int
file_reserve(void *to, size_t min, unsigned char **ret, struct err *err)
{
    struct file *f = to;

    (void)min, (void)err;
    *ret = f->data + f->len;
    return 0;
}

static int
file_advance(void *to, size_t n, struct err *err)
{
    struct file *f = to;

    (void)err;
    f->len += n;
    return 0;
}

static int
file_read_at(void *from, uint64_t offset, void *to, size_t len, struct err *err)
{
    struct file *f = from;

    (void)err;
    memcpy(to, f->data + offset, len);
    return 0;
}

/* ---- the contestants: each works through the stream once ---- */

struct bench {
    struct stream stream;
    enum frame_codec codec;
    struct chunk_writer *writer;
    struct chunk_reader *reader;
    struct file file;
    unsigned char *blocks; /* of the limit, FRAME_BLOCK of the stream each */
    int block_lens[STREAM_LEN / FRAME_BLOCK + 1];
    unsigned char raw[FRAME_BLOCK];
};

enum { BLOCK_ROOM = FRAME_BLOCK + (16 << 10) };

static void
write_chunk(struct bench *b)
{
    const struct chunk_head head = {
        .format = b->stream.format,
        .codec = b->codec,
        .n_columns = N_COLUMNS,
    };
    const struct bytes_out out = {
        .to = &b->file, .reserve = file_reserve, .advance = file_advance};
    struct chunk_totals totals;
    size_t i, at = 0;
    struct err err;

    b->file.len = 0;
    must(chunk_writer_begin(b->writer, &head, &out, &err), &err);
    for (i = 0; i < b->stream.n_messages; at = b->stream.ends[i++])
        must(chunk_writer_add(b->writer, b->stream.data + at,
                              b->stream.ends[i] - at, &err),
             &err);
    must(chunk_writer_end(b->writer, &totals, &err), &err);
}

static void
read_chunk(struct bench *b)
{
    const struct bytes_in in = {
        .from = &b->file,
        .len = b->file.len,
        .name = "memory",
        .read_at = file_read_at,
    };
    const unsigned char *data;
    struct err err;
    size_t len;
    int r;

    must(chunk_reader_begin(b->reader, &in, &err), &err);
    while ((r = chunk_reader_next(b->reader, &data, &len, &err)) == 0)
        ;
    must(r == CHUNK_READER_E_END ? 0 : r, &err);
}

static void
write_limit(struct bench *b)
{
    const char *from = (const char *)b->stream.data;
    size_t at, i;
    int n;

    for (i = 0, at = 0; at < b->stream.len; i++, at += FRAME_BLOCK) {
        n = b->stream.len - at < FRAME_BLOCK ? (int)(b->stream.len - at)
                                             : FRAME_BLOCK;
        if (b->codec == FRAME_LZ4)
            n = LZ4_compress_default(
                from + at, (char *)b->blocks + i * BLOCK_ROOM, n, BLOCK_ROOM);
        else
            memcpy(b->blocks + i * BLOCK_ROOM, from + at, (size_t)n);
        b->block_lens[i] = n;
    }
}

static void
read_limit(struct bench *b)
{
    const unsigned char *block = b->blocks;
    size_t i, at;

    for (i = 0, at = 0; at < b->stream.len; i++, at += FRAME_BLOCK) {
        if (b->codec == FRAME_LZ4)
            LZ4_decompress_safe((const char *)block, (char *)b->raw,
                                b->block_lens[i], FRAME_BLOCK);
        else
            memcpy(b->raw, block, (size_t)b->block_lens[i]);
        block += BLOCK_ROOM;
    }
}

/* ---- measuring ---- */

/* CPU time: others may want the machine, too. */
static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* MB/s. */
static double
rate(struct bench *b, void (*work)(struct bench *b))
{
    double begin = seconds();

    work(b);
    return (double)b->stream.len / 1e6 / (seconds() - begin);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
compare(struct bench *b, const char *work, void (*ours)(struct bench *b),
        void (*limit)(struct bench *b))
{
    double our[N_ROUNDS], their[N_ROUNDS], ratio[N_ROUNDS];
    int i;

    ours(b); /* warm up */
    limit(b);
    for (i = 0; i < N_ROUNDS; i++) {
        our[i] = rate(b, ours);
        their[i] = rate(b, limit);
        ratio[i] = our[i] / their[i];
    }
    qsort(our, N_ROUNDS, sizeof *our, ascending);
    qsort(their, N_ROUNDS, sizeof *their, ascending);
    qsort(ratio, N_ROUNDS, sizeof *ratio, ascending);
    printf("%s\t%s\t%s\t%.0f\t%.0f\t%.3f\t%.3f\t%.3f\t%.3f\n", work,
           copy_format_name(b->stream.format), frame_codec_name(b->codec),
           our[N_ROUNDS / 2], their[N_ROUNDS / 2], ratio[N_ROUNDS / 2],
           ratio[0], ratio[N_ROUNDS - 1],
           (double)b->stream.len / (double)b->file.len);
}

static void
bench(struct bench *b, enum copy_format format)
{
    make_stream(&b->stream, format);
    for (b->codec = FRAME_STORED; b->codec <= FRAME_LZ4; b->codec++) {
        compare(b, "write", write_chunk, write_limit);
        compare(b, "read", read_chunk, read_limit);
    }
    free(b->stream.data);
    free(b->stream.ends);
}

int
main(void)
{
    struct bench *b = room(sizeof *b);
    struct utsname machine;
    struct err err;

    must(chunk_writer_new(&b->writer, &err), &err);
    must(chunk_reader_new(&b->reader, &err), &err);
    b->file.data = room(STREAM_LEN + (4 << 20));
    b->blocks =
        room(sizeof b->block_lens / sizeof *b->block_lens * (size_t)BLOCK_ROOM);

    uname(&machine);
    printf("# %s %s, lz4 %s\n", machine.machine, machine.release,
           LZ4_versionString());
    printf("work\tformat\tcodec\tMB/s\tlimit MB/s\tratio\tmin\tmax\t"
           "compression\n");
    bench(b, COPY_TEXT);
    bench(b, COPY_BINARY);

    chunk_reader_free(b->reader);
    chunk_writer_free(b->writer);
    free(b->blocks);
    free(b->file.data);
    free(b);
    return 0;
}
