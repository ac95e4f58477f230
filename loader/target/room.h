/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Room: what becomes of a load when the target's disk is full.
 *
 *     WAIT   the worker tries its task again, seconds later, until somebody
 *            has made room; a note says so, and when it goes on
 *     STOP   the load ends, and the same command goes on
 *
 * Workers wait, the main thread tells.  A full disk of the target's log is no
 * such thing: it ends the server.
 */

#include <pthread.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/progress/progress.h"

enum room_choice { ROOM_WAIT, ROOM_STOP };

struct room {
    enum room_choice choice;
    const struct stop *stop;
    pthread_mutex_t lock; /* over the rest */
    int is_short;
    int is_told;
    char why[sizeof((struct err *)0)->message];
};

void room_init(struct room *m, enum room_choice choice,
               const struct stop *stop);
void room_clear(struct room *m);

/* The server had no room for what it was to write. */
int room_is_short(const struct err *why);

/* After a failure: 1 when it is one to wait for, which the main thread will
   tell; else 0. */
int room_lacks(struct room *m, const struct err *why);
/* The nth wait of the same task, from 0.  <0: we are stopped. */
int room_nap(struct room *m, unsigned n, struct err *err);
/* What was waited for has succeeded. */
void room_found(struct room *m);

/* By the main thread: note what is new. */
void room_tell(struct room *m, struct progress *p);
