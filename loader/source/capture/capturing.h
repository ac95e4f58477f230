/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Capturing: slot and publication of a run, made in the only order that loses
 * nothing, and taken away again.
 *
 *     begin:    look whether it can be done, write the names down, sort the
 *               planned tables, change replica identities, publish
 *     (keeper): makes the slot and holds its snapshot
 *     confirm:  what the snapshot shows was published as planned
 *     undo:     from whatever state, also another process's: nothing is left
 *
 * Begin fails before anything is made where it can, and whoever calls it calls
 * undo after every later failure.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/facts.h"
#include "loader/source/capture/identity.h"

/* Outcome of confirm: tables were made or dropped meanwhile. */
enum { CAPTURING_E_MOVED = 1 };

enum { CAPTURING_NAME = 64 };

struct capturing_params {
    const char *slot;        /* NULL: named after the run */
    const char *publication; /* NULL: the same, for pgoutput; else none */
    const char *plugin;
    enum identity_policy identity;
    const char *conninfo;
    const struct stop *stop;
};

/*
 * s is on the source; its identity and the run's are in f.  The plan of now
 * (not of the snapshot, which is not there yet) is in the catalogue.
 */
int capturing_begin(struct session *s, const struct capturing_params *p,
                    const struct facts *f, struct catalog *c, struct err *err);

/* s is in the snapshot, whose plan is in the catalogue. */
int capturing_confirm(struct session *s, struct catalog *c, uint64_t lsn,
                      struct err *err);

/* ERR_REFUSED: the run's capture is not what is asked for (NULL: nothing). */
int capturing_require_same(const struct capturing_params *p, struct catalog *c,
                           struct err *err);

/*
 * Drop what is this run's, the newest epoch's first, put replica identities back, and forget it; nothing
 * when there is none.  What has the run's names but is not the run's is left,
 * which tell hears of, as of what is done.  ERR_REFUSED: the slot is in use,
 * or, unless forced, a consumer has read from it; or this is not the source
 * that it was made on.
 */
struct capturing_undo {
    const char *conninfo;
    unsigned from_epoch; /* of this epoch and later ones; 0: of all */
    int force;
    void (*tell)(void *arg, const char *what); /* may be NULL */
    void *arg;
};
int capturing_undo(const struct capturing_undo *u, struct catalog *c,
                   struct err *err);
