/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Extract: one table out of an archive, by reading its chunks and nothing else
 * of it; through a pipe the others are passed over.
 *
 * As files: its chunks as they are, each as a whole or not at all.  As a
 * stream: one COPY stream of all its rows, decompressed.  A chunk is checked
 * before the first byte of it is given out, its rows' digest after the last.
 */

#include <stdint.h>
#include <stdio.h>

#include "io/err.h"
#include "loader/archive/archive.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"

struct archive_extract_params { /* all borrowed */
    struct archive_in *archive; /* its documents were walked */
    struct catalog *catalog;
    const struct facts *facts;
    const struct catalog_table *table;
    const struct age_identities *identities; /* NULL: none */
    const char *dir; /* of the files; made when missing.  NULL: a stream */
    FILE *stream;
    const struct stop *stop;
    struct progress *progress;
};

struct archive_extracted {
    uint64_t n_chunks, n_rows, n_bytes; /* that were given out */
};

int archive_extract(struct archive_extracted *ret,
                    const struct archive_extract_params *p, struct err *err);

/* The table of that name, "t" or "s.t"; ERR_USAGE: there is none, or more than
   one. */
int archive_find_table(struct catalog_table **ret, struct catalog *c,
                       const char *name, struct err *err);
