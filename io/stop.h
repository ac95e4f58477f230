/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A request to stop, made once and seen by every thread.
 *
 *     RUN --request--> DRAIN --request--> NOW
 *
 * DRAIN: begin nothing new, finish what is in hand.  NOW: give up what is in
 * hand.  Requests may come from a signal handler; nothing here takes a lock.
 */

#include "io/cleanup.h"

struct err;
struct stop;

enum stop_level {
    STOP_RUN,   /* nobody asked */
    STOP_DRAIN, /* entered by the first request */
    STOP_NOW,   /* entered by the second, or by stop_now() */
};

int stop_new(struct stop **ret, struct err *err);
struct stop *stop_free(struct stop *s);
DEFINE_CLEANUP(struct stop *, stop_free)

/* Async-signal-safe. */
void stop_request(struct stop *s);
void stop_now(struct stop *s);

enum stop_level stop_level(const struct stop *s);

/* Readable (level-triggered, never drained) from STOP_NOW on; for poll(). */
int stop_fd(const struct stop *s);

/* 0, or <0 with ERR_CANCELLED once the level is STOP_NOW. */
int stop_check(const struct stop *s, struct err *err);
