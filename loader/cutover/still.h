/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Still: a database in which nobody writes any more.
 *
 *     WRITABLE --set--> read only for who comes --wait--> STILL
 *         ^                                                 |
 *         +------------------- put back --------------------+
 *
 * set changes the database's default (ALTER DATABASE ... SET
 * default_transaction_read_only), which sessions get when they begin: those
 * that were there before may still write, so all of them must have ended, and
 * all prepared transactions.  Of the server's own processes none counts:
 * autovacuum writes no rows, senders of the log and appliers of a subscription
 * are a cut-over's own means.  An applier is not held up by the default.
 *
 * Whoever asks for a transaction that may write gets it: that cannot be
 * prevented here, only seen in the log (drain.h).
 *
 * The session must be allowed to write itself; still_let_write().
 */

#include <stdint.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"

enum still_writers {
    STILL_WAIT,      /* until they have ended; refused when the time is up */
    STILL_TERMINATE, /* idle ones at once, others when the time is up */
    STILL_REFUSE,    /* refused if there is one */
};

struct still_params {
    enum still_writers writers;
    uint64_t timeout_ms;
    const struct stop *stop; /* may be NULL */
    /* Hears whom is waited for, every few seconds; may be NULL. */
    void (*tell)(void *arg, const char *what);
    void *arg;
};

/* This session may write, whatever the database's default is. */
int still_let_write(struct session *s, struct err *err);

/* The database's own setting: its value, or STILL_UNSET. */
#define STILL_UNSET "-"
enum { STILL_VALUE = 64 };
int still_look(struct session *s, char ret[STILL_VALUE], struct err *err);

/* Sessions that begin after *since get the new default. */
int still_set(struct session *s, char since[STILL_VALUE], struct err *err);
/* As still_look() has found it. */
int still_put_back(struct session *s, const char *was, struct err *err);
/* The same as SQL, to be run by hand; the caller frees.  NULL: no memory. */
char *still_put_back_sql(struct session *s, const char *was);

/* Until every session that is older has ended. */
int still_wait(struct session *s, const struct still_params *p,
               const char *since, struct err *err);

/* Who would be waited for now. */
struct still_count {
    unsigned n_sessions;
    unsigned n_busy; /* of them, in a transaction */
    unsigned n_prepared;
};
int still_count(struct session *s, struct still_count *ret, struct err *err);
