/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The members of an archive, in their order: first what describes the bag,
 * then what describes the run, then the chunks as they are numbered, tables
 * before large objects, whose metadata come last.  So who reads a pipe knows
 * what a chunk is before it comes, and can load what comes as it comes.
 *
 * But for the tags, which have fixed names, a manifest is all that is needed
 * to know them: nothing that it does not list is ever made.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

enum archive_kind {
    ARCHIVE_TAG,      /* README.txt, bagit.txt ... */
    ARCHIVE_DOCUMENT, /* data/catalog.json, data/schema.dump ... */
    ARCHIVE_TABLE,    /* a chunk of a table */
    ARCHIVE_LARGE_OBJECTS,
    ARCHIVE_LARGE_OBJECT_METADATA,
};

/* The tags, in their order. */
enum {
    ARCHIVE_README,
    ARCHIVE_BAGIT,
    ARCHIVE_BAG_INFO,
    ARCHIVE_TAG_MANIFEST,
    ARCHIVE_MANIFEST,
    ARCHIVE_N_TAGS,
};
extern const char *const archive_tags[ARCHIVE_N_TAGS];

struct archive_member {
    const char *path;
    enum archive_kind kind;
    uint64_t table, chunk; /* their numbers, out of the path; 0: none */
    unsigned char sha256[32];
    /* Where it lies; volume 0: not known yet. */
    unsigned volume;
    uint64_t offset, len; /* of its data, in its volume */
};

struct archive_members {
    struct archive_member *all; /* the tags come first */
    size_t n;
    char *text; /* what the paths point into */
};

/*
 * text, of manifest-sha256.txt, is taken over, also on failure.  Digests of
 * the tags are left zero.  ERR_CORRUPT: a line is malformed, stands twice, or
 * is none of a run's.
 */
int archive_members_parse(struct archive_members *ret, char *text,
                          struct err *err);
void archive_members_clear(struct archive_members *m);

/* The chunk of this kind and number; NULL: there is none. */
const struct archive_member *
archive_members_find(const struct archive_members *m, enum archive_kind kind,
                     uint64_t chunk);

/* Fill the digests of the tags from tagmanifest-sha256.txt, and that one's own;
   ERR_CORRUPT unless it lists them all. */
int archive_members_digest_tags(struct archive_members *m,
                                const char *tagmanifest, size_t len,
                                struct err *err);

/* Seconds since 1970 of the day that bag-info.txt states; ERR_CORRUPT. */
int archive_bag_date(const char *bag_info, int64_t *ret, struct err *err);
