/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Tar: the headers of a pax archive that holds regular files and nothing else.
 *
 * libarchive writes and reads them; here is what makes a tar of ours the same
 * bytes each time: mode 0600, owner 0, one time for all, no more than a path
 * and a length that differ.  So a header is right if it is, byte for byte, the
 * one that would be written for the path and the length that it states: links,
 * devices, sparse files, and what pax headers can say otherwise than the
 * headers that they stand before, are refused without being understood.
 *
 *     +--------+------+-----+--------+------+-----+-----+---------------+
 *     | header | data | pad | header | data | pad | ... | 1024 zero bytes|
 *     +--------+------+-----+--------+------+-----+-----+---------------+
 *
 * Data are the caller's.  The layout is in docs/archive.md.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/err.h"

enum {
    TAR_BLOCK = 512,
    TAR_HEADER_MAX = 3 * TAR_BLOCK, /* with a pax header before it */
    TAR_PATH_MAX = 256,
    TAR_END = 2 * TAR_BLOCK, /* zero bytes after the last member */
};

struct tar_member {
    char path[TAR_PATH_MAX];
    uint64_t len;
    int64_t mtime; /* seconds since 1970 */
};

/* Relative, of ASCII letters, digits and "._-+" in components that are neither
   empty nor "." nor "..": what all systems can have as a name. */
int tar_is_plain_path(const char *path);

/* *ret_len is TAR_BLOCK or TAR_HEADER_MAX. */
int tar_write_header(unsigned char to[TAR_HEADER_MAX], size_t *ret_len,
                     const struct tar_member *m, struct err *err);

/* How long the header is that begins with this block; 0: the end of the
   archive. */
size_t tar_header_len(const unsigned char block[TAR_BLOCK]);

/* ERR_CORRUPT, with a word on what it is, unless it is one of ours.  archive
   is for messages. */
int tar_read_header(struct tar_member *ret, const unsigned char *header,
                    size_t len, const char *archive, struct err *err);

/* Zero bytes after so many of data. */
static inline size_t
tar_padding(uint64_t len)
{
    return (size_t)(-len % TAR_BLOCK);
}
