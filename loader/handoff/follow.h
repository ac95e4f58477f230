/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Follow: hand a run's changes over to subscriptions on the target, one an
 * epoch, step by step (subscription.h), and wait until all have caught up with
 * one position of the source's log: from there on all tables are of one moment.
 * Each step is read from the target first: the same again goes on where it was.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/handoff/subscription.h"
#include "loader/progress/progress.h"

struct follow_params {
    struct session *source, *target;
    const struct subscription *const *subscriptions; /* end in NULL */
    struct catalog *catalog;                         /* of the sequences */
    struct progress *progress;
    const struct stop *stop;
    unsigned wait_s;
    uint64_t max_lag; /* bytes; caught up is who is no further behind */
};

struct follow_result {
    int was_enabled; /* all of them, before this call */
    uint64_t lag;    /* the largest */
    uint64_t
        n_sequences; /* that are where they are at the source, or further */
};

/* ERR_REFUSED: it goes on, but had not caught up when the time was up. */
int follow(const struct follow_params *p, struct follow_result *ret,
           struct err *err);
