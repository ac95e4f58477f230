/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* ACCESS SHARE locks on every table that the selection keeps: while the snapshot lives
   none of them can be truncated, rewritten, altered or dropped. */

#include "io/err.h"
#include "loader/pg/snapshot.h"
#include "loader/source/plan/selection.h"

enum { LOCKS_WAIT_S = 30 };

/* Waits at most so long for who holds a stronger lock on one of them.  When the
   server's lock table is full: ERR_REFUSED with the setting that would do.  The
   selection is prepared, or NULL. */
int locks_take(struct snapshot *n, const struct selection *selection,
               unsigned wait_s, struct err *err);
