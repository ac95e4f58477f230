/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Handing: what the commands after the load have in common, which is the run's
 * slots, both servers, and the subscriptions between them, one an epoch.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/handoff/subscription.h"
#include "loader/pg/session.h"

/* Of one epoch. */
struct hand {
    const struct capture *capture;
    struct subscription subscription; /* source to target, as asked for */
    char *name;                       /* of it */
};

struct handing {
    struct workplace *workplace; /* borrowed */
    struct facts facts;
    struct captures captures;
    struct hand *hands; /* one each */
    unsigned n_hands;
    struct session *source;
    struct session *target; /* NULL without --target */
    char *conninfo;         /* of the subscriptions; may hold a password */
    int by_localhost; /* it names this machine, the target is on another */
};

/* Sessions are opened; the target's may write.  There is a hand at least;
   ERR_REFUSED: the run has no slot. */
int handing_begin(struct handing *h, struct workplace *w, struct err *err);
void handing_end(struct handing *h);

/* Of an export with --cdc that is complete: write RUN/handoff.json anew. */
int handing_write(struct workplace *w, struct err *err);
/* Of one that is not, or not any more: remove it. */
int handing_forget(struct workplace *w, struct err *err);
