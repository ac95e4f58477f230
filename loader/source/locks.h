/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* ACCESS SHARE locks on every table of the user's: while the snapshot lives
   none of them can be truncated, rewritten, altered or dropped. */

#include "io/err.h"
#include "loader/pg/snapshot.h"

/* Waits at most half a minute for who holds a stronger lock, then names it. */
int locks_take(struct snapshot *n, struct err *err);
