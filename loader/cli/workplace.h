/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Workplace: what every command on a run directory begins with, its directory,
 * its catalogue, its progress, its log, and how it drives its lanes.
 */

#include "formats/age/age.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/cli/command.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"
#include "loader/work/drive.h"
#include "loader/work/lane.h"

struct workplace {
    const struct command_context *ctx; /* borrowed */
    struct run_dir *dir; /* this and its catalogue: NULL without --dir */
    struct catalog *catalog;
    struct progress *progress;
    struct events *events; /* NULL where nothing is done but looking */
    /* From --recipient, --identity and the like, for commands that ask for
       them; else NULL. */
    struct age_recipients *recipients;
    struct age_identities *identities;
    uint64_t begun_ms;
    const char *called; /* in accounts of it; NULL: its directory's path */
};

/* Open it, do the work in it, and close it again: the whole of a command.
   What it was asked and how it ended is logged, if it may change anything. */
int workplace_do(const struct command_context *ctx, enum run_dir_mode mode,
                 int (*work)(struct workplace *w, struct err *err),
                 struct err *err);

/* Milliseconds since it was opened. */
uint64_t workplace_elapsed_ms(const struct workplace *w);

/* Drive the lanes to their end; *ret says what has failed. */
int workplace_run(struct workplace *w, const struct lane *lanes,
                  unsigned n_lanes, struct drive_result *ret, struct err *err);

/*
 * The same for lanes that copy: a failure is an error.  Tables and entries that have failed are
 * named, one a line; then <0 with the first failure's class and words.
 */
int workplace_drive(struct workplace *w, const struct lane *lanes,
                    unsigned n_lanes, struct err *err);

/*
 * The last question of every copy: was something left out that should not
 * be?  Names it, and answers <0 with ERR_DIFFERS; else 0.
 */
int workplace_check_skips(struct workplace *w, struct err *err);
