/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Create: a sealed run directory as an archive.  The same bag gives the same
 * bytes, whoever makes it and whenever.
 *
 * All that goes in is read once, digested on its way and compared with the
 * manifest; memory is what names and digests take.  Where the archive is there
 * already nothing is written; where something else is, it is not touched.
 */

#include <stdint.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"

struct archive_create_params {
    const struct run_dir *dir; /* and all pointers: borrowed */
    const char *where;
    uint64_t volume_size; /* 0: not in volumes */
    const char *sign_key; /* NULL: it is not signed */
    const struct stop *stop;
    struct progress *progress;
};

struct archive_created {
    unsigned n_volumes, n_written; /* of them: the others were there */
    uint64_t n_members, n_bytes;   /* of the files in it; of the volumes */
    unsigned char bag[32];         /* SHA-256 of tagmanifest-sha256.txt */
};

/* ERR_REFUSED: not sealed; the place is taken.  ERR_CORRUPT: a file is not what
   was sealed. */
int archive_create(struct archive_created *ret,
                   const struct archive_create_params *p, struct err *err);
