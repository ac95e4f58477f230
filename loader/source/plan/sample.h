/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Sample: how fast a table comes, found out by reading some of it to nowhere. */

#include <stdint.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

enum {
    SAMPLE_MS = 2000,
    SAMPLE_MIN_BYTES = 1 << 20, /* of less nothing can be told */
};

struct sample {
    uint64_t n_bytes; /* of the COPY stream */
    uint64_t ms;
};

/* Read the chunk, for SAMPLE_MS at most; the session, in the snapshot, can be
   used afterwards unless it was lost. */
int sample_read(struct session *s, const struct catalog_chunk *k,
                struct sample *ret, struct err *err);
