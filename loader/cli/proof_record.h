/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What a verification of the target came to, written down for the hand-off. */

#include <stdint.h>

#include "io/err.h"
#include "loader/cli/workplace.h"

int proof_record(struct workplace *w, int equal, uint64_t n_tables,
                 uint64_t n_rows, struct err *err);
