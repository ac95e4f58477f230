/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What an archive says of itself besides the bag that is in it: text, as
 * docs/archive.md has it.
 *
 *     archive.txt   at the head of each volume: the format's version, which
 *                   volume of how many, of which bag
 *     index.txt     the last member of each: where every other one begins; its
 *                   last block of 512 bytes, the foot, lies at a fixed
 *                   distance from the end and says where the index begins
 */

#include <stddef.h>
#include <stdint.h>

#include "formats/tar.h"
#include "io/cleanup.h"
#include "io/err.h"

#define ARCHIVE_HEAD_NAME "archive.txt"
#define ARCHIVE_INDEX_NAME "index.txt"

enum {
    ARCHIVE_VERSION = 1,
    ARCHIVE_HEAD_MAX = 256, /* of archive.txt, with a NUL */
    ARCHIVE_VOLUMES_MAX = 100000,
    ARCHIVE_FOOT = TAR_BLOCK,
};

/* Which volume of which archive. */
struct archive_volume {
    unsigned number, n;    /* 1... of n */
    unsigned char bag[32]; /* SHA-256 of tagmanifest-sha256.txt */
};

/* The text of archive.txt; its length. */
size_t archive_head_print(char to[ARCHIVE_HEAD_MAX],
                          const struct archive_volume *v);
/* ERR_REFUSED: of a newer version; ERR_CORRUPT: no such text. */
int archive_head_parse(struct archive_volume *ret, const char *text, size_t len,
                       const char *archive, struct err *err);

/* ---- the index ---- */

struct archive_place {
    uint64_t offset; /* of its data, in its volume */
    uint64_t len;
    unsigned char sha256[32];
    const char *path;
};

/* Memory grows with the members, by some 120 bytes for each. */
struct archive_index {
    char *text;
    size_t len, room;
};

int archive_index_add(struct archive_index *x, const struct archive_place *p,
                      struct err *err);
void archive_index_clear(struct archive_index *x);

/* Complete it for a member whose data begin at offset: the text is followed
   by the foot. */
int archive_index_end(struct archive_index *x, const struct archive_volume *v,
                      uint64_t offset, struct err *err);

/* ---- reading it ---- */

struct archive_foot {
    struct archive_volume volume;
    uint64_t offset, len; /* of index.txt's data, without the foot */
    unsigned char sha256[32];
};

/* As archive_head_parse(). */
int archive_foot_parse(struct archive_foot *ret, const char block[ARCHIVE_FOOT],
                       const char *archive, struct err *err);

/* The next line of what archive_index_check() has taken, in place; *at begins
   at text.  1, or 0 at the end, or <0 (ERR_CORRUPT). */
int archive_index_next(char **at, struct archive_place *ret,
                       const char *archive, struct err *err);
