/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The comparison of a cut-over: every row of every table that is followed, of
 * two servers that are still.  What is only in the one that follows, or was
 * never followed, is not looked at.
 */

#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/cutover/cutover.h"

/* ERR_DIFFERS: the tables were named. */
int cutover_verify(struct workplace *w, const struct facts *f,
                   enum cutover_direction to, struct err *err);
