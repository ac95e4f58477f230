/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The keeper's measuring: a thread with a session of its own writes
 * RUN/vitals.json every second.  Nothing that the source does to it, be it
 * that it answers slowly, not at all, or has no connection left, reaches the
 * keeper's own life; it says so in the file and tries again.
 *
 * An exporter ends by itself when a limit is reached after which the source is
 * to be let go.  One that was killed, or hangs, does not: then the keeper does
 * it, after 20 seconds, by the limits that the exporter has left (pace.h).
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/run/run_dir.h"
#include "loader/source/guard/vitals.h"

struct keeper_vitals;

/* conninfo and dir are borrowed, origin is copied. */
int keeper_vitals_start(struct keeper_vitals **ret, const struct run_dir *dir,
                        const char *conninfo,
                        const struct vitals_origin *origin, struct err *err);

/* The keeper is to end: a limit was reached, and nobody else has seen to it. */
int keeper_vitals_want_end(const struct keeper_vitals *v);

/* Ends the thread at once, and removes the file. */
struct keeper_vitals *keeper_vitals_free(struct keeper_vitals *v);
DEFINE_CLEANUP(struct keeper_vitals *, keeper_vitals_free)
