/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Check: does everything still fit, so that a consumer can go on where the
 * files end, without a change that is lost or comes twice?
 *
 * Each question is a finding, as in a preflight; one that is an error is in
 * the way of the hand-off.  Nothing is changed: what can only be known by
 * trying, whether the target reaches the source, is tried and undone.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/handoff/source_now.h"
#include "loader/handoff/subscription.h"
#include "loader/run/run_dir.h"
#include "loader/source/check/findings.h"

/* What hands over the tables of one snapshot. */
struct check_epoch {
    const struct capture *capture; /* MADE */
    /* To be made on the target; NULL: another consumer. */
    const struct subscription *subscription;
    /* It is enabled, or has been: the slot and the target have moved on. */
    int follows;
};

struct check_params {
    const struct run_dir *dir;
    struct catalog *catalog;
    const struct facts *facts;
    const struct check_epoch *epochs; /* the oldest first */
    unsigned n_epochs;                /* > 0 */
    struct session *source;
    struct session *target; /* NULL: it is not asked */
    const char *ledger_schema;
    int unproven;         /* that nothing is proven is no hindrance */
    const char *consumer; /* its name, for whose plugins must fit; or NULL */
    const char *const *plugins; /* that it can read; ends in NULL */
    int by_localhost; /* a subscription's string names the machine that we
                         are on, and the target is on another */
};

/* <0: it could not be asked. */
int check_handoff(const struct check_params *p, struct findings *f,
                  struct err *err);

/* The target's part of it: of the run, and of an epoch's subscription. */
int check_target(const struct check_params *p, struct findings *f,
                 struct err *err);
int check_subscription(const struct check_params *p,
                       const struct check_epoch *e, struct findings *f,
                       struct err *err);
