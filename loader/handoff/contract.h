/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Contract: RUN/handoff.json, all that who goes on with a run's changes has to
 * know: from which slot, from where, of which tables, and how sure it is.  The
 * schema is documented in docs/handoff-json.md.
 *
 * It is written when an export with --cdc is complete, and again by "handoff";
 * each time it is whole or not there.  It is a copy of what the run catalogue
 * and the source say, for others: pghaul itself never reads it.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/handoff/source_now.h"
#include "loader/run/run_dir.h"

#define CONTRACT_FILE "handoff.json"

struct contract {
    const struct run_dir *dir;
    struct catalog *catalog;
    const struct facts *facts;
    const struct capture *capture; /* MADE; the newest */
    struct session *source;        /* NULL: nothing is said of how it is now */
};

/* to_fd: the directory, of whose it gets the name; RUN's, or another one. */
int contract_write(const struct contract *c, int to_fd, struct err *err);
/* Nothing happens when there is none. */
int contract_remove(const struct run_dir *dir, struct err *err);
