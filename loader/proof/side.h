/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Side: one of the two that a proof compares.  Either a server, seen in one
 * snapshot by as many sessions as are wanted, or a bag: what a run has staged.
 *
 * Both have a catalogue of tables (catalog.h): a bag its run's own, a server
 * one that the planner makes of what the snapshot shows, in a scratch file that
 * is gone with us.
 *
 * The first session is the main thread's; workers join with sessions of their
 * own.  A server's snapshot lives as long as the side, or, where a run's keeper
 * holds it, as long as that.
 */

#include <stdint.h>

#include "formats/age/age.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/pg/session.h"
#include "loader/proof/result.h"
#include "loader/run/run_dir.h"
#include "loader/source/plan/planner.h"

struct proof_side;

/* All pointers are borrowed for as long as the side lives. */
struct proof_side_params {
    const char *name; /* in messages: "source", "target", "bag"... */
    const struct stop *stop;

    /* ---- a server ---- */
    const char *conninfo;
    enum session_side side;
    /* Of the text that is exchanged; NULL: the database's own. */
    const char *encoding;
    /* The run whose keeper holds the snapshot to be seen, and that snapshot;
       NULL: a snapshot of this instant. */
    const struct run_dir *keeper;
    const char *origin;
    /* Plan it: what of it (prepared by open; NULL: all), cut how. */
    struct selection *selection;
    struct planner_params plan;
    int no_plan; /* do not: nobody asks for its tables */

    /* ---- a bag: conninfo is NULL ---- */
    const struct run_dir *dir;
    struct catalog *catalog;
    const struct facts *facts;
    const struct age_identities *identities; /* NULL: none */
};

/* Connects, takes or joins the snapshot, and plans; or looks whether the bag is
   complete. */
int proof_side_open(struct proof_side **ret, const struct proof_side_params *p,
                    struct err *err);
struct proof_side *proof_side_free(struct proof_side *s);
DEFINE_CLEANUP(struct proof_side *, proof_side_free)

const char *proof_side_name(const struct proof_side *s);
int proof_side_is_server(const struct proof_side *s);
/* It is what the rows come from, all of them, also those that a run leaves
   out. */
int proof_side_is_source(const struct proof_side *s);
struct catalog *proof_side_catalog(const struct proof_side *s);

/* Of a server: the main thread's session, in the snapshot; what was asked for
   in the encoding. */
struct session *proof_side_session(const struct proof_side *s);
const char *proof_side_encoding(const struct proof_side *s);

/* Of a server, by any thread: a session in the snapshot, opened (*ret is NULL)
   or, when it has left it, opened anew. */
int proof_side_join(const struct proof_side *s, struct session **ret,
                    struct err *err);

/* What of a server is looked at; NULL: all. */
struct selection *proof_side_selection(const struct proof_side *s);

/* Of a bag; NULL of a server. */
const struct run_dir *proof_side_dir(const struct proof_side *s);
const struct facts *proof_side_facts(const struct proof_side *s);
const struct age_identities *proof_side_identities(const struct proof_side *s);

/* What is compared with what; borrowed by all who work on it. */
struct proof_pair {
    struct proof_side *at[PROOF_ENDS];
    int is_partial; /* the left one is a part only: what else the right one has
                       is not asked for */
};

/* The end to which limits apply: the source, and where it is not read, whatever
   server is. */
enum proof_end proof_guarded(const struct proof_pair *p);
