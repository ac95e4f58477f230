/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * An archive as a source of chunks (loader/bag/staged.h).
 *
 * What can be read anywhere is, by all workers at once.  Through a pipe chunks
 * come in one order: they are handed out in it, and whoever needs one first
 * reads on up to it and keeps, for others, what was handed out to them.  So no
 * more is kept than is in hand, and nobody waits for somebody who waits.
 */

#include "loader/archive/archive.h"
#include "loader/bag/staged.h"

struct archive_source;

/* a is borrowed, its documents were walked; so are the identities, which may be
   NULL. */
int archive_source_new(struct archive_source **ret, struct archive_in *a,
                       const struct age_identities *identities,
                       struct err *err);
struct archive_source *archive_source_free(struct archive_source *s);
DEFINE_CLEANUP(struct archive_source *, archive_source_free)

/* Lives as long. */
const struct staged_source *archive_source_staged(struct archive_source *s);

/*
 * When all has been loaded: through a pipe, read what is left of it, which was
 * loaded before or is wanted by nobody, so that its end is seen.  ERR_CORRUPT:
 * it does not end as it should.
 */
int archive_source_finish(struct archive_source *s, struct err *err);
