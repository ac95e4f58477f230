/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Misfits: do the run's tables find their place in an existing schema?
 *
 * Tables and columns are found by name; a column must have the type that it
 * has at the source, since rows may be staged in binary.  What the target has
 * besides is filled by its defaults, or is a misfit where there is none.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* Of PLACES.  ERR_REFUSED when there are any; each is noted. */
int misfits_find(struct session *s, struct progress *p, struct err *err);
