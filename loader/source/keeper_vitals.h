/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The keeper's measuring: a thread with a session of its own writes
 * RUN/vitals.json every second.  Nothing that the source does to it, be it
 * that it answers slowly, not at all, or has no connection left, reaches the
 * keeper's own life; it says so in the file and tries again.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/run/run_dir.h"
#include "loader/source/vitals.h"

struct keeper_vitals;

/* conninfo and dir are borrowed, origin is copied. */
int keeper_vitals_start(struct keeper_vitals **ret, const struct run_dir *dir,
                        const char *conninfo,
                        const struct vitals_origin *origin, struct err *err);

/* Ends the thread at once, and removes the file. */
struct keeper_vitals *keeper_vitals_free(struct keeper_vitals *v);
DEFINE_CLEANUP(struct keeper_vitals *, keeper_vitals_free)
