/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Durable file: a small file that is whole, or is not there.
 *
 * It is written to "NAME.part" and gets its name when every byte is on disk,
 * in place of an older one: whoever opens NAME sees all of the old file or all
 * of the new, also after a power cut.  What a crash leaves is "NAME.part",
 * which the next to write the file replaces.
 *
 *     OPEN --out, or fd--> OPEN --commit--> COMMITTED
 *
 * Large files that are to be fast and never replaced are staged_file.h's.
 *
 * One thread owns a durable file; all but out and fd may wait.
 */

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

struct durable_file;

/* name is one path component, copied; dir_fd is borrowed for as long as the
   file lives.  Mode 0600. */
int durable_file_open(struct durable_file **ret, int dir_fd, const char *name,
                      struct err *err);

/* Where to put its bytes... */
const struct bytes_out *durable_file_out(struct durable_file *f);
/* ...or what a program writes them to by itself.  One of the two. */
int durable_file_fd(const struct durable_file *f);

/*
 * Bytes, then the name, then the directory that holds it.  ret_sha256 may be
 * NULL; it is of what came through out.  <0: the new file is not there, free
 * it.
 */
int durable_file_commit(struct durable_file *f, unsigned char ret_sha256[32],
                        struct err *err);

/* Removes an uncommitted NAME.part. */
struct durable_file *durable_file_free(struct durable_file *f);
DEFINE_CLEANUP(struct durable_file *, durable_file_free)
