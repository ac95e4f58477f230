/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Verify: is an archive what was sealed?  Every byte of it is read: what is
 * in it against the manifest, what is between against what must stand there.
 *
 * Deep: also the rows, whose digests are computed anew out of every chunk and
 * compared with the catalogue's.  A sample reads the documents, and of the
 * chunks each nth; what it passes over it says nothing about.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/archive/archive.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"

struct archive_verify_params {
    struct archive_in *archive; /* its documents were walked */
    int deep;
    unsigned part, of; /* of a sample: this one of so many; 0: all */
    /* With deep, out of the archive's own documents. */
    struct catalog *catalog;
    const struct facts *facts;
    const struct age_identities *identities; /* NULL: none */
    struct progress *progress;
};

struct archive_verified {
    uint64_t n_members, n_bytes; /* that were read and are right */
    uint64_t n_passed_over;      /* chunks that are not of the sample */
    uint64_t n_rows;             /* deep */
};

int archive_verify(struct archive_verified *ret,
                   const struct archive_verify_params *p, struct err *err);
