/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Sequences: each goes on in the target where it was at the source.
 *
 * One that is behind the column that owns it, as after rows with explicit
 * keys, would give out keys that are there: it is moved to the column's last
 * value, and that is noted.  Not one that cycles: its column is meant to hold
 * what comes again.
 *
 * A margin skips so many values more, for what the source gives out after the
 * export: in steps of the increment, up to the limit, and not of one that
 * cycles.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

int sequences_set(struct session *s, struct catalog *c, uint64_t margin,
                  struct progress *p, struct err *err);
