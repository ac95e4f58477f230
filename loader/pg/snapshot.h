/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Snapshot: the source's state at one instant, shared by many sessions.
 *
 * The holder is a session of ours in a READ ONLY, REPEATABLE READ transaction
 * that has exported its snapshot and holds every table's ACCESS SHARE lock.
 * While it lives, other sessions can come to see exactly what it sees, and no
 * table can be truncated, rewritten or dropped.  When it is gone the snapshot
 * is gone: there is no way back to that instant.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/pg/session.h"

struct snapshot;

/* s becomes the holder; borrowed until free. */
int snapshot_take(struct snapshot **ret, struct session *s, struct err *err);

/* The same for a session that has joined a snapshot: another holder of it. */
int snapshot_share(struct snapshot **ret, struct session *s, struct err *err);

/* Ends the transaction, and with it the snapshot and the locks. */
struct snapshot *snapshot_free(struct snapshot *n);
DEFINE_CLEANUP(struct snapshot *, snapshot_free)

/* The name for snapshot_join(): "00000003-0000001B-1". */
const char *snapshot_id(const struct snapshot *n);

/* The session that sees the snapshot: planning is done on it. */
struct session *snapshot_session(const struct snapshot *n);

/*
 * Lock these tables (qualified, quoted names) for as long as the snapshot
 * lives.  Waits at most so many seconds for whoever holds a stronger lock; then
 * ERR_REFUSED.
 */
int snapshot_lock(struct snapshot *n, const char *const *tables,
                  unsigned n_tables, unsigned wait_s, struct err *err);

/*
 * A session, opened (*s is NULL) or reopened, in a transaction that sees the
 * snapshot of that name.  ERR_REFUSED when the snapshot is lost.
 */
int snapshot_join(struct session **s, const struct session_params *p,
                  const char *id, struct err *err);

/* Still in that transaction?  If not, join again. */
int snapshot_is_joined(struct session *s);
