/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Spool: one member of an archive that came through a pipe, kept so that it
 * can be read anywhere and again.  Small ones are kept in memory, others in a
 * file that has no name and is gone with us.
 */

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/archive/archive.h"

struct spool;

/* The member that the archive is at; its digest is right. */
int spool_take(struct spool **ret, struct archive_in *a,
               const struct archive_member *m, struct err *err);
struct spool *spool_free(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_free)

const struct bytes_in *spool_in(const struct spool *s);
