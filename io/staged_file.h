/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Staged file: append-only, and there is no half of it.
 *
 * Bytes are produced straight into the sink's buffers and written to
 * "NAME.part" with O_DIRECT where the file system has it, into room set aside
 * beforehand.  Commit makes them durable and renames the file to NAME, which
 * must not exist; so whoever sees NAME may trust every byte of it.  A crash
 * leaves "NAME.part", never a short NAME.
 *
 *     OPEN --reserve, advance--> OPEN --commit--> COMMITTED
 *       \--a write or sync fails--> BROKEN, where only free is allowed
 *
 * One thread owns a staged file.  reserve, commit and free may wait.
 */

#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/sink.h"

struct staged_file;

struct staged_file_params {
    int dir_fd;               /* borrowed; must outlive the file */
    const char *name;         /* one path component; copied */
    struct sink *sink;        /* borrowed */
    struct buffer_pool *pool; /* the sink's */
    uint64_t expected_len;    /* set aside on disk; 0: not known */
};

struct staged_file_seal {
    uint64_t len;
    unsigned char sha256[32]; /* of all bytes, as computed before writing */
};

/* Create NAME.part (O_EXCL, O_NOFOLLOW, 0600). */
int staged_file_open(struct staged_file **ret,
                     const struct staged_file_params *p, struct err *err);

/* The file as a place to put bytes; lives as long as the file. */
const struct bytes_out *staged_file_out(struct staged_file *f);

/* Bytes appended so far. */
uint64_t staged_file_len(const struct staged_file *f);

/*
 * The commit point, and the only place where the order of durability is
 * spelled: data, true length, sync, name, directory.  <0: NAME may be
 * missing; throw the file away and begin anew under a fresh staged file.
 */
int staged_file_commit(struct staged_file *f, struct staged_file_seal *ret,
                       struct err *err);

/* Waits for writes in flight.  Removes an uncommitted NAME.part. */
struct staged_file *staged_file_free(struct staged_file *f);
DEFINE_CLEANUP(struct staged_file *, staged_file_free)
