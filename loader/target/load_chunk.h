/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* One chunk into its table, exactly once: see load_lane.h. */

#include "formats/chunk.h"
#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "loader/target/load_lane.h"

struct load_batch;

/* What a worker keeps from chunk to chunk. */
struct load_chunk {
    const struct load_lane *lane;
    struct session *session;
    struct progress_cell *cell;
    struct chunk_reader *reader;
    struct copy_rows *rows;
    struct digester *digester;
    struct load_batch *batch; /* of large objects; NULL before the first */
};

/* ---- for those who put the rows of a chunk in by other means ---- */

/* Takes a frame's content, whole rows, and digests them. */
typedef int load_chunk_take(struct load_chunk *w, const unsigned char *raw,
                            size_t len, struct err *err);

int load_chunk_each_frame(struct load_chunk *w, load_chunk_take *put,
                          struct err *err);

/* What was taken is, by count and digest, what was exported. */
int load_chunk_check(struct load_chunk *w, const struct catalog_chunk *k,
                     struct err *err);

/* ---- */

int load_chunk(struct load_chunk *w, const struct catalog_chunk *k,
               struct err *err);
