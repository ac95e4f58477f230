/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Retry: a step of the main thread that a server refuses for a moment, tried
 * again as the scheduler does it with the tasks of workers: with back-off, for
 * about a minute of refusals in a row.  The step must be safe to repeat.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/progress/progress.h"

struct retry {
    const struct stop *stop;
    struct progress *progress; /* the first refusal is noted */
    /* Whether to try again at all; NULL: what session_retry_class() says. */
    int (*is_worth)(const struct err *why);
    /* Waits for what may take hours, and is not counted: 0 when *why is not
       of that kind, 1 when it has waited; <0: stopped.  May be NULL. */
    int (*wait)(void *arg, const struct err *why, struct err *err);
};

/* again: it was tried before, and the session may be in any state. */
typedef int retry_step(void *arg, int again, struct err *err);

int retry_do(const struct retry *p, retry_step *step, void *arg,
             struct err *err);

/* Sleep; <0 (ERR_CANCELLED) as soon as anybody asks to stop. */
int retry_nap(const struct stop *stop, unsigned ms, struct err *err);
