/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Document: a file below data/ that describes the run, on its way to the disk;
 * encrypted where there are recipients.  It gets its name when all of it is
 * on disk, in place of an older one (durable_file.h).
 *
 *     open --> out, out, ... --> commit
 */

#include "formats/age/age.h"
#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/run/run_dir.h"

struct document;

/* name is one path component, and to whom it is written: NULL, as it is.  Both
   are borrowed, as is dir_fd. */
int document_open(struct document **ret, int dir_fd, const char *name,
                  const struct age_recipients *to, struct err *err);
struct document *document_free(struct document *d);
DEFINE_CLEANUP(struct document *, document_free)

/* Where its plain bytes go. */
const struct bytes_out *document_out(struct document *d);

/* ret_sha256 is of what lies on the disk. */
int document_commit(struct document *d, unsigned char ret_sha256[32],
                    struct err *err);

/* All that a run has of them, and what a crash has left of such: of an older
   snapshot, which may have been encrypted or not. */
int documents_remove(const struct run_dir *dir, struct err *err);
