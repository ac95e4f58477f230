/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Layout: which member lies where, in which volume, and the index of each;
 * known before the first byte is written, since all lengths and digests are.
 *
 *     volume 1   README.txt archive.txt bagit.txt ... data/... index.txt
 *     volume 2   archive.txt data/... index.txt
 */

#include "formats/archive_index.h"
#include "loader/archive/members.h"

struct layout_volume {
    struct archive_volume id;
    size_t first, end; /* its members: [first, end) */
    struct archive_index index;
    uint64_t index_offset; /* of its data */
    uint64_t len;          /* of the whole volume */
};

struct layout {
    struct layout_volume *volumes;
    unsigned n_volumes;
};

/* Where archive.txt stands in the volume: before its nth member. */
size_t layout_head_at(const struct layout_volume *v);

/*
 * Place all members, whose lengths are filled: fills their volume and offset.
 * volume_size 0: one volume.  ERR_REFUSED names a file that does not fit into
 * one.
 */
int layout_make(struct layout *ret, struct archive_members *m, int64_t mtime,
                uint64_t volume_size, struct err *err);
void layout_clear(struct layout *l);
