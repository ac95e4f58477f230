/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Keeper: a small process of its own that keeps the source's snapshot alive,
 * so that the exporter may be killed, upgraded, started again, and go on with
 * the very same snapshot.
 *
 *     keeper    holder A: locks, snapshot ----export----> id A
 *               holder B: imports id A, exports it again -> id B
 *     exporter  joins id A or id B; so does each of its workers
 *
 * A snapshot can be imported for as long as a transaction that has exported it
 * lasts, and whoever imported it can export it again: when one holder is lost,
 * it is replaced from the other, its locks too.  When both are lost at once
 * (the source was restarted) the snapshot is lost for good and the keeper
 * ends.
 *
 * With a slot, the first snapshot is the slot's (slot.h), and the keeper ends
 * as well when the slot is lost.  After the export it is started once more
 * where an idle slot would be given up: then it holds no snapshot, and keeps
 * the slot only.
 *
 * It also ends when it is told (keeper_end), when its time is up, or when its
 * run directory is gone.  It never outlives the use that it has.
 *
 *     RUN/keeper.lock   locked by the keeper for as long as it lives
 *     RUN/keeper.json   who it is and the ids in force; replaced by rename.
 *                       It stays, with the reason, when what was kept is lost
 */

#include <stdint.h>
#include <sys/types.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"
#include "loader/source/plan/selection.h"

enum {
    KEEPER_HOLDERS = 2,
};

/* Outcome: no keeper is at work in this directory. */
enum { KEEPER_E_NONE = 1 };

/* What is known of one. */
struct keeper_look {
    pid_t pid;
    char origin[64];                    /* the first id: which snapshot it is */
    char snapshots[KEEPER_HOLDERS][64]; /* ids in force */
    int64_t begun;                      /* seconds since 1970, to be shown */
    uint64_t lsn;   /* the slot's consistent point; 0: there is no slot */
    char lost[400]; /* why what it kept is lost; "": it is not */
    char hint[300]; /* and what to do about it */
    int in_vain;    /* it is the slot: who is in the snapshot need not go on */
};

/* What it is to keep. */
struct keeper_params {
    const char *conninfo;
    struct selection *selection; /* of the tables to be locked; or NULL */
    unsigned hours;              /* the time that it may last */
    /* A slot to make, and to take the snapshot from; NULL: none. */
    const char *slot;
    const char *plugin;
    const char *publication; /* NULL: none */
    unsigned slot_timeout_s;
    uint64_t slot_lsn; /* the slot is there, from this point: no snapshot is
                          taken, it is kept from idling out; 0: make it */
    const struct stop *stop;
    struct progress *progress; /* of the exporter: hears what is waited for */
};

/* ---- the exporter's side ---- */

/*
 * Start one, detached, and wait until it holds its snapshot and locks.  What
 * hinders it is our error, word for word.  A request to stop ends the wait,
 * and the keeper.
 */
int keeper_start(const struct run_dir *dir, const struct keeper_params *p,
                 struct keeper_look *ret, struct err *err);

/* ERR_REFUSED with the keeper's last words when the slot is lost, and with it
   what the snapshot was for. */
int keeper_check(const struct run_dir *dir, struct err *err);

/* E_NONE when there is none (any more). */
int keeper_look(const struct run_dir *dir, struct keeper_look *ret,
                struct err *err);

/*
 * A session in the keeper's snapshot, opened (*s is NULL) or reopened.  While
 * a holder is being replaced it waits.  ERR_REFUSED when the snapshot of this
 * origin is lost.
 */
int keeper_join(const struct run_dir *dir, const char *origin,
                struct session **s, const struct session_params *p,
                struct err *err);

/* Tell it to end and wait until it has; nothing when there is none. */
int keeper_end(const struct run_dir *dir, struct err *err);

/* ---- the keeper's own process ---- */

/* Take the snapshot, say so on standard output, and hold it until the end. */
int keeper_run(const struct run_dir *dir, const struct keeper_params *p,
               struct err *err);
