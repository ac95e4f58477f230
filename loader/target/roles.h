/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Roles and the database's own properties into the target, from the scripts
 * that an export with --roles has made (loader/source/roles.h).
 *
 * Roles come before all else, since objects belong to them; they are the
 * cluster's, so those that are there are left as they are, and named.  The
 * database's properties come last, since they may forbid us to write.
 */

#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"
#include "loader/target/load_lane.h"

/* ERR_REFUSED when the run has none.  Done once: see the ledger. */
int roles_restore(const struct load_lane *lane, struct session *s,
                  const struct facts *f, struct progress *p, struct err *err);

/* An entry after all others; its failure is an entry's. */
int roles_add_database(const struct load_lane *lane, const struct facts *f,
                       struct err *err);
