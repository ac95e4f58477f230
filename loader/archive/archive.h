/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * An archive that is read: from a file, from volumes, or from a pipe.
 *
 *     open   what describes the bag is read, and checked against itself; of
 *            what can be read anywhere, also the foot and the index of every
 *            volume
 *     next, take or pass over, next ... END
 *     view   of what can be read anywhere: any member, in any order
 *
 * Bytes between members are known before they are read (formats/tar.h), so
 * whatever is not as pghaul writes it, is cut, or goes on behind its end, is
 * ERR_CORRUPT.  No name but those of archive_members is ever met.
 *
 * One thread walks; several may read through views at once.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "io/store/store.h"
#include "loader/archive/members.h"

struct archive_in;

/* Outcome. */
enum { ARCHIVE_E_END = 1 };

struct archive_in_params {
    const char *where;       /* borrowed, as is all */
    const struct stop *stop; /* may be NULL */
};

int archive_in_open(struct archive_in **ret, const struct archive_in_params *p,
                    struct err *err);
struct archive_in *archive_in_free(struct archive_in *a);
DEFINE_CLEANUP(struct archive_in *, archive_in_free)

/* Only what follows can be read, once. */
int archive_in_is_forward(const struct archive_in *a);
unsigned archive_in_n_volumes(const struct archive_in *a);
/* SHA-256 of tagmanifest-sha256.txt: which bag it is. */
const unsigned char *archive_in_bag(const struct archive_in *a);

/* All there are; places and lengths of those that a pipe has not brought yet
   are not known. */
const struct archive_members *archive_in_members(const struct archive_in *a);

/* Its text, NUL-terminated; lives as long as the archive. */
const char *archive_in_tag(const struct archive_in *a, unsigned tag,
                           size_t *ret_len);

/* ---- walking; it begins behind the tags ---- */

/* What comes next; NULL: the end. */
const struct archive_member *archive_in_peek(const struct archive_in *a);

/* Go to it.  ARCHIVE_E_END when all was there, to the last byte. */
int archive_in_next(struct archive_in *a, const struct archive_member **ret,
                    struct err *err);

/* All of it, in pieces, and its digest is right, or ERR_CORRUPT: give, which may be NULL, may have
   seen bytes that were not. */
typedef int archive_take(void *arg, const void *data, size_t len,
                         struct err *err);
int archive_in_take(struct archive_in *a, archive_take *give, void *arg,
                    struct err *err);

/* Bytes that were read, and passed over, so far. */
uint64_t archive_in_position(const struct archive_in *a);

/* ---- reading anywhere ---- */

struct archive_view {
    struct bytes_in in;
    struct store_in *store;
    uint64_t offset; /* in the store */
};

/* in is valid as long as the view stays where it is and the archive lives;
   digests are not checked. */
void archive_view_open(struct archive_view *ret, struct archive_in *a,
                       const struct archive_member *m);
