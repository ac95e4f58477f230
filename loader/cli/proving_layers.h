/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What verify compares besides the rows of tables. */

#include "loader/cli/workplace.h"
#include "loader/proof/result.h"
#include "loader/proof/side.h"

/* Whether rows are compared at all. */
int proving_layers_has_rows(const struct options *o);

/* The others of those that were asked for. */
int proving_layers(const struct workplace *w, const struct proof_pair *pair,
                   const struct proof_listener *listener, struct err *err);
