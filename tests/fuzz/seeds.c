/* SPDX-License-Identifier: PostgreSQL */

/*
 * seeds DIR: what the fuzzers begin with where it is not text: the streams of
 * tests/copy_streams.h, and frames and chunk files with them inside.
 */

#include <stdio.h>

#include "formats/chunk.h"
#include "tests/copy_streams.h"
#include "tests/fuzz/fuzz.h"

static const char *dir;
static unsigned n_files;

static FILE *
create(const char *reader)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s/seed-%u", dir, reader, n_files++);
    f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

/* ---- writing formats into a file ---- */

static unsigned char room[BYTES_OUT_MIN_MAX];

static int
reserve(void *to, size_t min, unsigned char **ret, struct err *err)
{
    (void)to, (void)min, (void)err;
    *ret = room;
    return 0;
}

static int
advance(void *to, size_t n, struct err *err)
{
    (void)err;
    return fwrite(room, 1, n, to) == n ? 0 : -1;
}

static void
put_stream(const struct stream *s)
{
    FILE *f = create("copy-rows");

    fputc((int)(s->n_columns << 5) | (s->format == COPY_BINARY), f);
    fputc(6, f);
    fwrite(s->data, 1, s->len, f);
    fclose(f);
}

static void
put_frame(const struct stream *s, enum frame_codec codec)
{
    cleanup_(frame_encoder_freep) struct frame_encoder *e = NULL;
    FILE *f = create("frame");
    struct bytes_out out = {f, reserve, advance};
    struct err err;

    fuzz_assert(frame_encoder_new(&e, codec, &err) == 0);
    fputc(1, f);
    if (s->len > 0)
        fuzz_assert(frame_encode(e, s->data, s->len, &out, &err) == 0);
    fclose(f);
}

static void
put_chunk(const struct stream *s, enum frame_codec codec)
{
    const struct chunk_head head = {.chunk = 7,
                                    .table = 3,
                                    .format = s->format,
                                    .codec = codec,
                                    .n_columns = s->n_columns};
    cleanup_(chunk_writer_freep) struct chunk_writer *w = NULL;
    FILE *f = create("chunk");
    struct bytes_out out = {f, reserve, advance};
    struct chunk_totals totals;
    struct err err;

    fuzz_assert(chunk_writer_new(&w, &err) == 0);
    fputc(1, f);
    fuzz_assert(chunk_writer_begin(w, &head, &out, &err) == 0);
    fuzz_assert(chunk_writer_add(w, s->data, s->len, &err) == 0);
    fuzz_assert(chunk_writer_end(w, &totals, &err) == 0);
    fclose(f);
}

int
main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    dir = argv[1];
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        put_stream(&golden[i]);
        for (int codec = FRAME_STORED; codec <= FRAME_LZ4; codec++) {
            put_frame(&golden[i], (enum frame_codec)codec);
            put_chunk(&golden[i], (enum frame_codec)codec);
        }
    }
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        put_stream(&malformed[i]);
    return 0;
}
