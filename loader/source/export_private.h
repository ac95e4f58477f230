/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Export's parts, private to export*.c: who the source is, the plan, a new
 * snapshot, going on in one, another epoch.  now is what the source says of
 * itself at this call, x->facts what the run remembers.
 */

#include "loader/source/export.h"
#include "loader/source/export_lane.h"
#include "loader/source/guard/watch.h"
#include "loader/source/keeper/keeper.h"

struct export
{
    struct export_params params;
    struct run_dir *dir;
    struct catalog *catalog;
    struct session *session;
    int dump_fd; /* the schema's dump in memory; -1: it is a file */
    struct facts facts;
    struct export_lane lane;
    struct watch *watch;
};

enum { EXPORT_NAMED = 5 }; /* of a list that could be long */

/* ---- export_source.c ---- */

struct session_params export_session_params(const struct export *x);
/* Identity, and a fresh id for the run, from the source itself. */
int export_learn(struct export *x, struct facts *f, struct err *err);
/* A directory belongs to one database of one cluster. */
int export_require_same_source(struct export *x, const struct facts *now,
                               struct err *err);

/* ---- export_plan.c ---- */

/* What is to be copied, and the schema, out of the keeper's snapshot. */
int export_plan(struct export *x, const struct keeper_look *keeper,
                struct facts *now, struct err *err);
/* From here on the run is EXPORTING. */
int export_write_down(struct export *x, const struct keeper_look *keeper,
                      struct facts *now, struct err *err);
/* What is to be copied if it were now: for who publishes it first. */
int export_plan_for_now(struct export *x, struct err *err);
/* A plan of this epoch is thrown away. */
int export_forget_plan(struct export *x, const struct facts *now,
                       struct err *err);

/* ---- export_snapshot.c ---- */

/* All files of the stage. */
int export_remove_staged(struct export *x, struct err *err);
/* What was made at the source for older snapshots, and for this one; of this
   epoch and later ones (0: of all). */
int export_undo_capture(struct export *x, unsigned from_epoch, struct err *err);
int export_start_keeper(struct export *x, struct keeper_look *keeper,
                        struct err *err);
/* Of the epoch, with nothing of it left from before. */
int export_begin_snapshot(struct export *x, struct facts *now, struct err *err);
/* The first of a run. */
int export_begin_new(struct export *x, struct facts *now, struct err *err);

/* ---- export_resume.c ---- */

/* What is written but not listed was never finished. */
int export_sweep(struct export *x, struct err *err);
int export_all_staged(struct export *x, int *ret, struct err *err);
/* The same snapshot as before, or none. */
int export_go_on(struct export *x, struct err *err);
/* ERR_REFUSED unless the run was begun in this way. */
int export_require_same(struct export *x, const struct facts *now,
                        struct err *err);

/* ---- export_epoch.c ---- */

/*
 * Tables that are wholly staged stay as they are, the others are read in a
 * new snapshot.  Killed in its midst the run is of the old epoch still, with
 * fewer tables, and this may be done again.
 */
int export_begin_epoch(struct export *x, struct facts *now, struct err *err);
