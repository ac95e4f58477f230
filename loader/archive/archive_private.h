/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to the archive that is read. */

#include "formats/archive_index.h"
#include "loader/archive/archive.h"
#include "loader/archive/digesting.h"

struct archive_text {
    char *at;
    size_t len;
};

struct archive_in {
    struct archive_in_params params;
    struct store_in **stores; /* of a pipe: one, whatever is in it */
    unsigned n_stores;
    int is_forward;
    struct archive_volume id; /* of the volume in hand */
    struct archive_members members;
    struct archive_text tags[ARCHIVE_N_TAGS];
    struct archive_member tag_places[ARCHIVE_N_TAGS];
    int64_t mtime; /* of all members */

    /* The walk. */
    struct store_in *store;     /* of the volume in hand */
    uint64_t base;              /* where the volume begins in it */
    uint64_t at;                /* where we are in it */
    size_t next;                /* the member to come */
    uint64_t left;              /* of the data of the one before it */
    size_t padding;             /* behind them */
    struct archive_index index; /* of what was met in the volume */
    struct digesting *digest;
    unsigned char *piece;
};

enum { ARCHIVE_PIECE = 512 << 10 };

/* "is not an archive as pghaul writes it", with a detail. */
int archive_not_ours(const struct archive_in *a, struct err *err,
                     const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- archive_volumes.c ---- */

/* Open all there is of it, and look at its feet. */
int archive_open_stores(struct archive_in *a, struct err *err);
/* Where every member is, out of the indexes. */
int archive_read_indexes(struct archive_in *a, struct err *err);

/* ---- archive_walk.c ---- */

/* Walk the tags, and make the list of members out of them. */
int archive_walk_tags(struct archive_in *a, struct err *err);
