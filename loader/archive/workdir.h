/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Work directory: what an archive has besides chunks, unpacked, so that it is
 * a run directory in which commands can work; its chunks stay where they are.
 *
 * Nothing is made but the five files that describe the bag and the documents
 * that its manifest lists, after they were found to be what was sealed... a
 * document that is not is removed again.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/archive/archive.h"

struct workdir;

/*
 * path NULL: a private one where temporary files are, removed with all in it
 * when it is freed.  Else it is made, or must be of this very archive, and
 * stays.
 */
int workdir_open(struct workdir **ret, struct archive_in *a, const char *path,
                 struct err *err);
struct workdir *workdir_free(struct workdir *w);
DEFINE_CLEANUP(struct workdir *, workdir_free)

const char *workdir_path(const struct workdir *w);
