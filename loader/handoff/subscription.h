/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Subscription: PostgreSQL's own, on one server (the subscriber), which goes
 * on from a replication slot that is there already on another one (the
 * publisher).  Rows are not copied: they are there, as of the slot's position.
 *
 *     NONE --make--> MADE --place--> PLACED --enable--> ENABLED
 *                                       ^                  |
 *                                       +---- disable -----+
 *
 *     MADE     disabled; it may be let loose, or not
 *     PLACED   the subscriber's replication origin says where it goes on
 *
 * The state is read from the subscriber; every step is safe to repeat, so who
 * was killed anywhere does all of them again.  A step that is done already is
 * nothing.  The comment of the subscription says whose it is: another one of
 * that name is never touched.
 *
 * It is the same in both directions: source to target for the hand-off, target
 * to source for the time in which one may want to go back.  That both are
 * databases of one cluster does no harm, since no slot is made here.
 *
 * A password in the connection string is stored in the subscription, where
 * superusers of the subscriber can read it; it is kept out of the server's log
 * where the role may change what is logged.
 */

#include <stdint.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"

/* What it is to be; all borrowed. */
struct subscription {
    const char *name;
    const char *run_id; /* of the run whose it is */
    /* For the subscriber's server, which connects to the publisher. */
    const char *conninfo;
    const char *publication;
    const char *slot;
    uint64_t lsn; /* where it goes on: the slot's position; 0: as the slot is */
    /* "streaming=on"...: see subscription_option_check(). */
    const char *const *options;
    unsigned n_options;
};

enum subscription_state {
    SUBSCRIPTION_NONE,
    SUBSCRIPTION_FOREIGN, /* of this name, but not this run's */
    SUBSCRIPTION_MADE,
    SUBSCRIPTION_PLACED,
    SUBSCRIPTION_ENABLED,
};

struct subscription_look {
    enum subscription_state state;
    char origin[64]; /* the name of its replication origin: "pg_16397" */
    int fits;        /* its slot and publication are those that it is to have */
    uint64_t position; /* up to where all is applied, as its origin says; 0: it
                          does not, or we may not ask */
    int worker_pid;    /* that applies; 0: there is none at the moment */
    uint64_t n_errors; /* so far; 0 before PostgreSQL 15 */
};

/* s is on the subscriber, in its database. */
int subscription_look(struct session *s, const struct subscription *x,
                      struct subscription_look *ret, struct err *err);

/* ERR_USAGE: no "name=value", one that is ours to set, or that a server of
   this version (0: any) does not know. */
int subscription_option_check(const char *option, int version, struct err *err);

/* ERR_REFUSED: the name is taken, or the subscriber cannot reach the
   publisher, which is tried. */
int subscription_make(struct session *s, const struct subscription *x,
                      struct err *err);
/* The same, and it is undone again: could it be made? */
int subscription_try(struct session *s, const struct subscription *x,
                     struct err *err);

/* Outcome of place: the role may not; it goes on from the slot's position. */
enum { SUBSCRIPTION_E_BY_SLOT = 1 };

int subscription_place(struct session *s, const struct subscription *x,
                       struct err *err);
int subscription_enable(struct session *s, const struct subscription *x,
                        struct err *err);
/* Returns when nothing of it is being applied any more. */
int subscription_disable(struct session *s, const struct subscription *x,
                         struct err *err);

/* Disabled and dropped; the slot stays, and is for slot_drop() as soon as the
   publisher has noticed: subscription_slot_is_free() waits for that. */
int subscription_drop(struct session *s, const struct subscription *x,
                      struct err *err);
/* Drop whatever subscriptions of this database are this run's, whatever their
   names; tell hears of each. */
int subscription_drop_of_run(struct session *s, const char *run_id,
                             void (*tell)(void *arg, const char *what),
                             void *arg, struct err *err);
int subscription_slot_is_free(struct session *publisher, const char *slot,
                              struct err *err);

/* ---- how far it is ---- */

/* The publisher's log ends here now. */
int subscription_end_of_log(struct session *publisher, uint64_t *ret,
                            struct err *err);

/* Bytes of log that the subscriber has not confirmed.  ERR_REFUSED: the slot
   is lost. */
int subscription_lag(struct session *publisher, const char *slot, uint64_t *ret,
                     struct err *err);

struct subscription_wait {
    struct session *subscriber;
    struct session *publisher;
    uint64_t lsn;     /* until all up to here is applied and durable; 0: */
    uint64_t max_lag; /* until no more bytes than this are missing */
    unsigned seconds;
    const struct stop *stop;
    /* Hears every second or two what is missing; may be NULL. */
    void (*tell)(void *arg, uint64_t lag);
    void *arg;
};

/* Outcome: not so far when the time was up. */
enum { SUBSCRIPTION_E_LATE = 1 };

/*
 * *ret_lag is filled also when it is late.  A server that goes away and comes
 * back is waited for.  <0: it cannot come, for the slot is lost, or the
 * subscription was disabled, as disable_on_error does.
 */
int subscription_wait(const struct subscription_wait *w,
                      const struct subscription *x, uint64_t *ret_lag,
                      struct err *err);
