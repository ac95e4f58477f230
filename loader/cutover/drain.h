/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Drain: has everything that was committed on one server arrived on the other?
 *
 * A mark is a message of ours in the log, written in a transaction when nobody
 * else can write any more: all that the database has committed lies before it,
 * wherever the end of the log may be, which other databases move on.  When the
 * slot's consumer has confirmed the mark, it has all of that, durably.
 *
 * What was committed after the mark was committed by somebody who asked for a
 * transaction that may write (or by a server process of an extension): a stray.
 * Once nobody reads from the slot it can be looked into, which says exactly
 * whether there is one.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/pg/session.h"

/* The session must be allowed to write. */
int drain_mark(struct session *s, uint64_t *ret, struct err *err);

/*
 * Transactions that wait in the slot of pgoutput, changed a published table and were
 * not themselves applied from another server.  *ret_first: the first one's
 * position.  The slot must be free.
 */
int drain_strays(struct session *s, const char *slot, const char *publication,
                 uint64_t *ret, uint64_t *ret_first, struct err *err);

/*
 * Mark, and move the free slot past the mark: nothing of before it will be
 * sent.  *ret is the new position.  A server that crashes may forget it: the
 * consumer must know it, too (subscription_place()).
 */
int drain_skip(struct session *s, const char *slot, uint64_t *ret,
               struct err *err);
