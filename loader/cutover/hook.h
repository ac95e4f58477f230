/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Hook: the user's own command that moves the traffic, run by /bin/sh.
 *
 * Its environment is ours without PGPASSWORD, and says what it is run for:
 *
 *     PGHAUL_TRAFFIC   "target" or "source": where the traffic is to go
 *     PGHAUL_RUN       the run's id
 *     PGHAUL_SOURCE, PGHAUL_TARGET   without secrets
 *
 * What it prints goes to our standard error.
 */

#include "io/err.h"

struct hook {
    const char *command;
    const char *traffic;
    const char *run;
    const char *source, *target; /* conninfo */
};

/* Waits for its end, however long that takes.  ERR_REFUSED: its status was
   not 0. */
int hook_run(const struct hook *h, struct err *err);
