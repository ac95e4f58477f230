/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Export: a source's snapshot into a run directory.
 *
 *     begin --lane (drive)--> finish --> free
 *
 * Begin decides by what the catalogue says:
 *
 *     NEW        start a keeper, plan in its snapshot, dump the schema
 *                -> EXPORTING
 *     EXPORTING  go on in the keeper's snapshot.  Is it lost, this is an
 *                error, and what is staged stays: a new epoch reads the tables
 *                that are not wholly staged in another snapshot, --start-over
 *                throws all away
 *     STAGED     nothing is left to do, but to seal the directory if a crash
 *                has kept that from being done
 *
 * Files of two snapshots are never mixed: a run begun again has a new id, a
 * new epoch its own tables.  Nor are two selections, or two sets of
 * recipients: going on with others is ERR_REFUSED.
 *
 * With recipients all that holds rows or definitions is encrypted before it is
 * written, and only who has an identity reads it again; this export does not.
 *
 * With a slot (capturing.h) the source's tables are planned twice: to publish
 * them, and in the slot's snapshot, which must show the same.  When a run is
 * begun again, or cannot be begun, its slot and publication are dropped.
 *
 * Limits that cannot be measured are refused before anything is begun.  When
 * one is reached that only letting the source go can keep (guard.h), free does
 * that: the keeper is ended, and with it the snapshot, and slot and publication
 * are dropped.
 */

#include "formats/age/age.h"
#include "formats/frame.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"
#include "loader/run/sink_choice.h"
#include "loader/source/capture/capturing.h"
#include "loader/source/guard/guard.h"
#include "loader/source/plan/planner.h"
#include "loader/work/lane.h"

struct export;

/* All pointers are borrowed for as long as the export lives. */
struct export_params {
    const char *conninfo;
    struct planner_params plan;
    struct selection *selection; /* what of it; not prepared; or NULL: all */
    enum frame_codec codec;
    const struct age_recipients *recipients; /* NULL: files are as they are */
    const struct age_identities
        *identities; /* for a new epoch alone, or NULL */
    enum sink_choice sink;
    unsigned jobs;
    int start_over; /* with a new snapshot, whatever is staged */
    int new_epoch;  /* the snapshot is lost: another, for what is not staged */
    int cdc;        /* from a slot that stays; as capture says */
    struct capturing_params capture;
    unsigned slot_timeout_s, keeper_hours;
    int roles; /* also roles, and the database's own properties */
    struct guard_limits limits;
    uint64_t max_rate; /* bytes a second, by all workers; 0: no limit */
    /* For who loads at once: files of so many bytes at most wait for it, and
       a worker's more (0: any number); each is removed when it is loaded. */
    uint64_t max_staged;
    int discard;
    const struct stop *stop;
    struct progress *progress;
};

int export_begin(struct export **ret, const struct export_params *p,
                 struct run_dir *dir, struct catalog *c, struct err *err);
struct export *export_free(struct export *x);
DEFINE_CLEANUP(struct export *, export_free)

/* What it is an export of. */
const struct facts *export_facts(const struct export *x);

/* All was staged by an earlier call. */
int export_was_finished(const struct export *x);

/* The work that is left; nothing when all is staged. */
struct lane export_lane(struct export *x);

/*
 * After the lane has run dry: all chunks are staged, or the tables that could
 * not be are the catalogue's failures and the export stays EXPORTING, with its
 * keeper.  When all are staged the source is let go and the directory sealed,
 * unless its files are discarded.
 */
int export_finish(struct export *x, struct err *err);

/* All is loaded: remove the staged files that are left. */
int export_discard(struct export *x, struct err *err);
