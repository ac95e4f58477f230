/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Chunk file: one range of one table as a complete COPY stream.
 *
 *     +-----------------------------------+
 *     | head    skippable frame 0         | which run, chunk, table, position
 *     | frame   COPY header (binary only) |
 *     | frame   whole rows, about 1 MiB   |
 *     | ...                               |
 *     | frame   COPY trailer (binary only)|
 *     | tail    skippable frame 1         | frame index, totals, digest
 *     +-----------------------------------+
 *
 * "lz4 -dc FILE" gives the COPY stream, with compression none as well.  A row
 * larger than a frame has frames of its own and goes on from one to the next.
 * The head names what the file is, so that a file in the wrong place, or of
 * another run, is noticed; head and tail have checksums of their own.
 *
 * The index has at most CHUNK_INDEX_MAX entries: when it is full every second
 * one is dropped, so that memory does not grow with the rows.
 *
 * The layout byte by byte is in docs/chunk-file.md.
 */

#include <stdint.h>

#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "formats/frame.h"
#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

enum { CHUNK_INDEX_MAX = 4096 };

/* What a chunk file says of itself. */
struct chunk_head {
    unsigned char run[16]; /* the run's UUID */
    uint64_t chunk;        /* its number in the run, from 1 */
    uint64_t table;        /* the table's number in the run, from 1 */
    uint64_t lsn;          /* of the snapshot; 0: none was promised */
    enum copy_format format;
    enum frame_codec codec;
    uint32_t n_columns;
};

struct chunk_totals {
    struct digest digest; /* and with it the number of rows */
    uint64_t raw_len;     /* of the COPY stream */
    uint64_t n_frames;
};

/*
 * ---- writing: one writer a worker, used for one chunk after the other ----
 *
 *     begin --> add, add, ... --> end
 *
 * After a failure, and to give a chunk up, begin another.
 */

struct chunk_writer;

int chunk_writer_new(struct chunk_writer **ret, struct err *err);
struct chunk_writer *chunk_writer_free(struct chunk_writer *w);
DEFINE_CLEANUP(struct chunk_writer *, chunk_writer_free)

/* out is borrowed until end. */
int chunk_writer_begin(struct chunk_writer *w, const struct chunk_head *head,
                       const struct bytes_out *out, struct err *err);

/* The next bytes of the COPY stream, cut anywhere. */
int chunk_writer_add(struct chunk_writer *w, const void *data, size_t len,
                     struct err *err);

/* The stream is complete: fails when it is not.  Writes the tail. */
int chunk_writer_end(struct chunk_writer *w, struct chunk_totals *ret,
                     struct err *err);

/* For progress: rows, and bytes of the COPY stream, so far. */
uint64_t chunk_writer_rows(const struct chunk_writer *w);
uint64_t chunk_writer_raw_len(const struct chunk_writer *w);

/* ---- reading ---- */

struct chunk_reader;

/* Outcome of chunk_reader_next(). */
enum { CHUNK_READER_E_END = 1 };

int chunk_reader_new(struct chunk_reader **ret, struct err *err);
struct chunk_reader *chunk_reader_free(struct chunk_reader *c);
DEFINE_CLEANUP(struct chunk_reader *, chunk_reader_free)

/*
 * Check head and tail; in is borrowed until the next begin.  What is damaged
 * or cut is ERR_CORRUPT.
 */
int chunk_reader_begin(struct chunk_reader *c, const struct bytes_in *in,
                       struct err *err);

const struct chunk_head *chunk_reader_head(const struct chunk_reader *c);
const struct chunk_totals *chunk_reader_totals(const struct chunk_reader *c);

/* <0 (ERR_CORRUPT) unless the file says it is exactly this chunk; the detail
   names the field that differs and both values. */
int chunk_reader_expect(const struct chunk_reader *c,
                        const struct chunk_head *head, struct err *err);

/*
 * The content of the next frame.  After the last: E_END, when the frames
 * added up to the totals of the tail, else ERR_CORRUPT.
 */
int chunk_reader_next(struct chunk_reader *c, const unsigned char **ret,
                      size_t *ret_len, struct err *err);
