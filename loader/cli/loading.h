/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Loading: what "load" does, also for who has the chunks elsewhere than in the
   run directory. */

#include "io/err.h"
#include "loader/bag/staged.h"
#include "loader/catalog/facts.h"
#include "loader/cli/account.h"
#include "loader/cli/workplace.h"

/* source NULL: the run directory. */
int loading_all(struct workplace *w, const struct facts *f,
                const struct staged_source *source, enum account_end *ret,
                struct err *err);
