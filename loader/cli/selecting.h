/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* How the options that select become a selection. */

#include "loader/cli/command.h"
#include "loader/source/plan/selection.h"

#define SELECTING_OPTIONS                                                      \
    (OPTION_SET(schema) | OPTION_SET(exclude_schema) | OPTION_SET(table) |     \
     OPTION_SET(exclude_table) | OPTION_SET(where))

/* The caller frees *ret.  ERR_USAGE: a pattern, or a condition, is none. */
int selecting(struct selection **ret, const struct options *o, struct err *err);
