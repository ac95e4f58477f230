/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Stalls: what the source is at while it sends nothing.
 *
 * A COPY may be silent for long with nothing wrong: a condition finds no row, a
 * disk is slow.  Or somebody is in the way, or the network has lost us without
 * a word.  So nobody gives up, but after a while the worker, who has nothing
 * else to do, asks the server over a second connection what the process that
 * serves it waits for; the main thread says it, once, and shows it for as long
 * as it lasts.  Only when there is no such process any more is the connection
 * lost, or when it is seen again and again to have nothing left to send.  (A peer that is gone altogether is noticed by TCP: conninfo.c.)
 *
 *     worker:       HEARD --nothing for STALL_AFTER_MS: ask--> SILENT
 *                     ^------------------ over ------------------'
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

enum { STALL_AFTER_MS = 15000, STALL_WORDS = 400 };

struct stalls;

int stalls_new(struct stalls **ret, unsigned n_workers, struct err *err);
struct stalls *stalls_free(struct stalls *s);
DEFINE_CLEANUP(struct stalls *, stalls_free)

struct stall_question {
    const char *conninfo;
    const struct stop *stop;
    const char *host, *port; /* of the silent connection */
    int pid;                 /* of the server's process behind it */
    const char *what;        /* is being read: "shop.orders #3" */
    uint64_t silent_ms;
};

/* By a worker, which waits for the answer.  <0: the connection is lost
   (ERR_SERVER, to be tried again), or the run is stopped. */
int stalls_ask(struct stalls *s, unsigned worker,
               const struct stall_question *q, struct err *err);
/* By a worker: something has come, or it has given up. */
void stalls_over(struct stalls *s, unsigned worker);

/* By the main thread.  news: 1 when there is something to be said that was not
   said yet.  look: what lasts, "" for nothing. */
int stalls_news(struct stalls *s, char to[STALL_WORDS]);
void stalls_look(struct stalls *s, char to[STALL_WORDS]);
