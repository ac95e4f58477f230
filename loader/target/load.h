/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Load: a run directory into a fresh target database, as pg_restore would
 * leave it, or into tables that are there already (existing.h).
 *
 *     begin   ledger; what comes before the data, entry by entry; the list of
 *             what comes after
 *     lane    chunks; indexes and keys of each table that is complete; then
 *             all else that comes after the data, in order
 *     finish  sequences; the ledger's last word
 *
 * Each step is safe to repeat: the ledger in the target says what is done.
 * So begin and finish are tried again themselves when the server refuses them
 * for a moment or the connection is lost (loader/work/retry.h); but a first
 * connection is only when the server has answered.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/bag/staged.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"
#include "loader/target/existing.h"
#include "loader/target/room.h"
#include "loader/work/lane.h"

struct load;

/* All pointers are borrowed for as long as the load lives. */
struct load_params {
    const char *conninfo;
    const char *ledger_schema;
    const struct facts *facts; /* of the run */
    /* Where its chunks come from; NULL: the run directory. */
    const struct staged_source *source;
    /* That open what is encrypted; NULL: none. */
    const struct age_identities *identities;
    unsigned jobs;       /* at most: see budget.h */
    unsigned index_jobs; /* of these, for what comes after rows; 0: all */
    int no_owner;
    int no_acl;
    int no_analyze;
    enum room_choice on_full; /* the target's disk */
    uint64_t sequence_margin; /* values to skip: sequences.h */
    int roles; /* also the run's roles, and the database's own properties */
    int publications; /* the run's, too */
    int into_existing;
    struct existing_wishes existing; /* when into_existing */
    const struct stop *stop;
    struct progress *progress;
};

int load_begin(struct load **ret, const struct load_params *p,
               struct run_dir *dir, struct catalog *c, struct err *err);
struct load *load_free(struct load *x);
DEFINE_CLEANUP(struct load *, load_free)

/* An earlier call has finished it: there is nothing to do. */
int load_was_finished(const struct load *x);

struct lane load_lane(struct load *x);

/* After the lane has run dry and nothing has failed. */
int load_finish(struct load *x, struct err *err);
