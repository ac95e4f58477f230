/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* One chunk into its table, exactly once: see load_lane.h. */

#include "formats/chunk.h"
#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "loader/target/load_lane.h"

/* What a worker keeps from chunk to chunk. */
struct load_chunk {
    const struct load_lane *lane;
    struct session *session;
    struct progress_cell *cell;
    struct chunk_reader *reader;
    struct copy_rows *rows;
    struct digester *digester;
};

int load_chunk(struct load_chunk *w, const struct catalog_chunk *k,
               struct err *err);
