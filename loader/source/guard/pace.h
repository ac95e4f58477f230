/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Pace: how an export is getting on, in RUN/pace.json, written by it every few
 * seconds for others: for status, and for the keeper, which enforces the
 * limits that it finds there when the exporter is dead.  So it stays when the
 * exporter ends, until the export is complete or begun anew.
 */

#include <sys/types.h>

#include "loader/source/guard/forecast.h"
#include "loader/source/guard/stall.h"

enum { PACE_E_NONE = 1 };

struct pace {
    pid_t pid; /* of the exporter */
    uint64_t total, done, bytes_per_s;
    uint64_t left_ms; /* FORECAST_NEVER: nobody knows */
    unsigned n_allowed, n_workers;
    char limit[GUARD_WORDS];       /* what slows it down; or "" */
    char forecast[FORECAST_WORDS]; /* or "" */
    char stall[STALL_WORDS];       /* what the source is at; or "" */
    struct guard_limits limits;    /* without the choice */
};

int pace_write(const struct run_dir *dir, const struct pace *p,
               struct err *err);
/* E_NONE: no export has said so. */
int pace_read(const struct run_dir *dir, struct pace *ret, struct err *err);
void pace_remove(const struct run_dir *dir);

/* Why the source was let go before the export was complete: RUN/let-go.json,
   for who wants to go on.  to is "" when it was not. */
void pace_write_end(const struct run_dir *dir, const char *why);
void pace_read_end(const struct run_dir *dir, char to[GUARD_WORDS]);
