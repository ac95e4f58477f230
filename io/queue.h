/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A bounded queue of pointers between threads: any number push, any number
 * pop.  Closing it lets the poppers empty it and then tells them it is over.
 *
 *     OPEN --close--> CLOSED (push refused; pop until empty, then E_CLOSED)
 *
 * The queue never looks at the items; who pushes hands them over.
 */

#include <stddef.h>

#include "io/cleanup.h"
#include "io/err.h"

struct queue;

/* Outcomes. */
enum {
    QUEUE_E_CLOSED = 1, /* push: refused.  pop: closed, and empty */
    QUEUE_E_TIMEOUT,    /* nothing came in time */
};

int queue_new(struct queue **ret, size_t capacity, struct err *err);

/* The queue must be empty, or its items owned elsewhere. */
struct queue *queue_free(struct queue *q);
DEFINE_CLEANUP(struct queue *, queue_free)

/* Waits while the queue is full.  E_CLOSED: the item stays the caller's. */
int queue_push(struct queue *q, void *item);

/* Waits at most timeout_ms (<0: for ever). */
int queue_pop(struct queue *q, void **item, int timeout_ms);

void queue_close(struct queue *q);
