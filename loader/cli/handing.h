/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Handing: what the commands after the load have in common, which is the run's
 * slot, both servers, and the subscription between them.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/handoff/subscription.h"
#include "loader/pg/session.h"

struct handing {
    struct workplace *workplace; /* borrowed */
    struct facts facts;
    struct capture capture;
    struct session *source;
    struct session *target;           /* NULL without --target */
    struct subscription subscription; /* source to target, as asked for */
    char *conninfo;                   /* of it; may hold a password */
    int by_localhost; /* it names this machine, the target is on another */
};

/* Sessions are opened; the target's may write.  ERR_REFUSED: the run has no
   slot. */
int handing_begin(struct handing *h, struct workplace *w, struct err *err);
void handing_end(struct handing *h);

/* Of an export with --cdc that is complete: write RUN/handoff.json anew. */
int handing_write(struct workplace *w, struct err *err);
/* Of one that is not, or not any more: remove it. */
int handing_forget(struct workplace *w, struct err *err);
