/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Ledger: what has been loaded into a target, kept in the target.
 *
 *     schema pghaul
 *       run      (run uuid, source, begun, finished, into_existing, counts)
 *       ledger   (run uuid, kind, id, n_rows, n_bytes, at)
 *                kind: chunk, pre-data, post-data, step
 *       aside    what an existing target must get back: aside.h
 *       unlogged the ledger's like, unlogged: chunks of unlogged tables
 *       cutover  steps of a cut-over: loader/cutover/step.h
 *       progress a view for people (docs/ledger.md)
 *
 * A row is written in the transaction that does what the row says.  So after
 * any failure, also of the target itself, the ledger is right, and nothing
 * else needs to be.  The same holds for unlogged tables, which are emptied by a
 * crash: their ledger is, too.  But what is remembered of a ledger may have
 * been lost since it was read: see ledger_settle().
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/ledger_mark.h"
#include "loader/pg/session.h"

/* Chunks; entries of the schema, before and after the data. */
enum ledger_kind {
    LEDGER_CHUNK,
    LEDGER_PRE_DATA,
    LEDGER_POST_DATA,
    LEDGER_STEP, /* what is done once around the data: existing.h */
};

struct ledger {
    const char *schema; /* its name; borrowed */
    const char *run;    /* UUID as text; borrowed */
    int into_existing;  /* the target need not be empty */
};

/* Outcome of ledger_claim(). */
enum { LEDGER_E_ALREADY = 1 }; /* it is in the ledger: done */

/*
 * Make the schema and this run's row where they are missing.  Refused: a
 * schema of that name that is not ours; another load of this run at work (an
 * advisory lock of the session, its holder's pid in the message); a target
 * that holds tables before the first load; a run that was begun the other way
 * (into_existing).  *ret_finished: this run's load was
 * completed by an earlier call.
 */
int ledger_begin(const struct ledger *l, struct session *s, const char *source,
                 int *ret_finished, struct err *err);

/* A session of ours that was lost may not know it yet, and hold the run's lock:
   have this server process ended, if it does, and wait for that. */
int ledger_outlive(const struct ledger *l, struct session *s, int pid,
                   struct err *err);

/* A row of it. */
struct ledger_row {
    enum ledger_kind kind;
    int64_t id;
    uint64_t n_rows, n_bytes;
    const struct catalog_table *table; /* of a chunk; else NULL */
};

/* Inside a transaction: write the row.  E_ALREADY: roll back, it is done. */
int ledger_claim(const struct ledger *l, struct session *s,
                 const struct ledger_row *row, struct err *err);

/* The row is there. */
int ledger_has(const struct ledger *l, struct session *s, enum ledger_kind kind,
               int64_t id, int *ret, struct err *err);

/* Mark in the catalogue what the ledger lists. */
int ledger_read(const struct ledger *l, struct session *s, struct catalog *c,
                struct err *err);

/* For those who look at the progress: how much there is to do, and how many
   tables and entries this command has lost. */
struct ledger_counts {
    uint64_t n_chunks, n_entries, n_failures;
};

int ledger_tell(const struct ledger *l, struct session *s,
                const struct ledger_counts *n, struct err *err);

/*
 * A commit that waits for the disk makes those before it durable too.  Where
 * it succeeds on a session that is as old as they are, the server has not
 * crashed since, and nothing of them is lost.
 */
int ledger_settle(const struct ledger *l, struct session *s, struct err *err);

/* The load is complete. */
int ledger_finish(const struct ledger *l, struct session *s, struct err *err);

/* How far is this run's load?  Changes nothing, and keeps nobody from it. */
enum ledger_progress {
    LEDGER_NOTHING, /* nothing of the run is here */
    LEDGER_BEGUN,
    LEDGER_FINISHED,
};
int ledger_look(const struct ledger *l, struct session *s,
                enum ledger_progress *ret, struct err *err);

/* ---- giving up ---- */

/* Outcome: there is no ledger, or it knows nothing of the run. */
enum { LEDGER_E_NONE = 1 };

/* Find the run, and keep others from loading it: refused as by begin. */
int ledger_find(const struct ledger *l, struct session *s, struct err *err);

/* Forget the run, and with the last one the whole schema. */
int ledger_drop(const struct ledger *l, struct session *s, struct err *err);
