/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "loader/cutover/cutover_private.h"
#include "loader/cutover/drain.h"
#include "loader/progress/quantity.h"
#include "loader/source/keeper/slot.h"

enum {
    ACTIVE_WAIT_MS = 30000, /* until the source follows the target */
    BEAT_US = 50000,
};

/* ---- while the source is written to ---- */

static int
refuse_lag(struct cutover *c, uint64_t lag, struct err *err)
{
    char now[QUANTITY_SIZE], limit[QUANTITY_SIZE];

    err_set(err, ERR_REFUSED, "the target is too far behind the source");
    err_detail(err, "%s of log are missing, and the limit is %s.",
               lag == UINT64_MAX ? "Some" : quantity_bytes(now, lag),
               quantity_bytes(limit, c->params->max_lag));
    return err_hint(err, "Wait longer (--lag-timeout), raise --max-lag, or "
                         "come back when less is written.");
}

static int
do_lag(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    const struct subscription_wait wait = {
        .subscriber = c->target,
        .publisher = c->source,
        .max_lag = c->params->max_lag,
        .seconds = (unsigned)((c->params->lag_timeout_ms + 999) / 1000),
        .stop = c->params->stop,
    };
    char now[QUANTITY_SIZE];
    uint64_t lag = 0, most = 0;
    int r = 0;

    for (unsigned i = 0; i < c->n_legs && !r; i++) {
        r = subscription_wait(&wait, &c->legs[i].subscription, &lag, err);
        if (lag > most)
            most = lag;
    }
    if (r == SUBSCRIPTION_E_LATE)
        r = refuse_lag(c, lag, err);
    if (!r)
        r = cutover_let_write(c, err);
    if (!r)
        snprintf(what, CUTOVER_WHAT, "%s behind", quantity_bytes(now, most));
    return r;
}

/* ---- while nobody writes ---- */

static int
do_read_only(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_still(c, c->source, STEP_READ_ONLY, what, err);
}

static uint64_t
time_left(const struct cutover *c)
{
    uint64_t now = clock_ms();

    return now < c->deadline_ms ? c->deadline_ms - now : 0;
}

static int
require_time(const struct cutover *c, struct err *err)
{
    if (c->params->stop && stop_level(c->params->stop) != STOP_RUN)
        return err_set(err, ERR_CANCELLED, "interrupted");
    if (time_left(c) > 0)
        return 0;
    err_set(err, ERR_REFUSED,
            "the source was read only for as long as it may "
            "be");
    return err_hint(err, "Give a longer --max-read-only, or compare less "
                         "(--verify).");
}

/* Where the turn was begun the target has all, and may follow no more. */
static int
drain_leg(struct cutover *c, const struct cutover_leg *leg,
          char what[CUTOVER_WHAT], struct err *err)
{
    const struct cutover_drain d = {
        .publisher = c->source,
        .subscriber = c->target,
        .subscription = &leg->subscription,
        .timeout_ms = time_left(c),
    };
    struct subscription_look look;
    int r = subscription_look(c->target, &leg->subscription, &look, err);

    if (r || (look.state != SUBSCRIPTION_ENABLED &&
              c->steps.rows[STEP_TURN].state != STEP_PENDING))
        return r;
    return cutover_drain(c, &d, what, err);
}

static int
do_drain(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int r = 0;

    snprintf(what, CUTOVER_WHAT, "the target has all already");
    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = drain_leg(c, &c->legs[i], what, err);
    return r;
}

static int
do_sequences(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_carry(c, CUTOVER_TO_TARGET, what, err);
}

static int
do_verify(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_compare(c, CUTOVER_TO_TARGET, what, err);
}

/* A rollback may have left the target read only: now it is to be written. */
static int
open_target(struct cutover *c, struct err *err)
{
    const struct step_row *row = &c->steps.rows[STEP_TARGET_READ_ONLY];
    int r;

    if (row->state == STEP_PENDING)
        return 0;
    r = still_put_back(c->target, row->was, err);
    return r ? r : step_forget(&c->steps, STEP_TARGET_READ_ONLY, err);
}

/* The way back is open when the source really follows. */
static int
wait_until_followed(struct cutover *c, struct err *err)
{
    uint64_t deadline = clock_ms() + ACTIVE_WAIT_MS;
    struct slot_look look;
    int r;

    while (!(r = slot_look(c->target, c->reverse_name, &look, err)) &&
           look.active_pid == 0) {
        if (clock_ms() >= deadline) {
            err_set(err, ERR_REFUSED,
                    "the source does not begin to follow "
                    "the target");
            return err_hint(err, "The source's log says why: it may lack "
                                 "max_logical_replication_workers, "
                                 "max_worker_processes or "
                                 "max_replication_slots.");
        }
        clock_nap_us(BEAT_US);
    }
    return r == SLOT_E_NONE ? err_set(err, ERR_REFUSED,
                                      "replication slot \"%s\" of the target "
                                      "is gone",
                                      c->reverse_name)
                            : r;
}

static int
disable_legs(struct cutover *c, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = cutover_disable(
            &(const struct cutover_end){c->source, c->target,
                                        &c->legs[i].subscription},
            err);
    return r;
}

static int
refuse_strays(struct cutover *c, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = cutover_refuse_strays(c, c->source, &c->legs[i].subscription, err);
    return r;
}

static int
do_turn(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    const struct still_params still = {.writers = STILL_REFUSE};
    int r = disable_legs(c, err);

    /* Once more: one that was just beginning may have been seen too late. */
    if (!r)
        r = still_wait(c->source, &still, c->steps.rows[STEP_READ_ONLY].since,
                       err);
    if (!r)
        r = refuse_strays(c, err);
    if (!r && !c->params->no_reverse)
        r = reverse_open(c, err);
    if (!r && !c->params->no_reverse)
        r = wait_until_followed(c, err);
    if (!r)
        r = open_target(c, err);
    snprintf(what, CUTOVER_WHAT,
             c->params->no_reverse ? "the target follows no more"
                                   : "the source follows the target");
    return r;
}

/* ---- the switch ---- */

static int
do_switch(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int r = cutover_switch(c, CUTOVER_TO_TARGET, what, err);

    return r ? r : step_age(&c->steps, STEP_READ_ONLY, &c->read_only_ms, err);
}

static int
switch_traffic(struct cutover *c, struct err *err)
{
    int r = cutover_step(c, STEP_SWITCH, do_switch, err);

    if (!r)
        return cutover_set_state(c, CUTOVER_SWITCHED, err);
    cutover_tell(c, "the source is read only, the target can be written to: "
                    "the same command goes on with the switch, --rollback "
                    "goes back");
    return r;
}

/* ---- all of it ---- */

static int
be_still(struct cutover *c, struct err *err)
{
    int r;

    c->deadline_ms = clock_ms() + c->params->max_read_only_ms;
    r = cutover_step(c, STEP_READ_ONLY, do_read_only, err);
    if (!r)
        r = cutover_step(c, STEP_DRAIN, do_drain, err);
    if (!r)
        r = cutover_step(c, STEP_SEQUENCES, do_sequences, err);
    if (!r)
        r = cutover_step_once(c, STEP_VERIFY, do_verify, err);
    if (!r)
        r = require_time(c, err);
    return r ? r : cutover_step(c, STEP_TURN, do_turn, err);
}

/* The first failure is what is said; that the source could not be given back
   is said besides. */
static int
be_still_or_give_back(struct cutover *c, struct err *err)
{
    struct err other;
    int r = be_still(c, err);

    if (!r)
        return 0;
    if (cutover_give_back(c, &other) == 0)
        cutover_tell(c, "the source is as it was before: it can be written to");
    else
        cutover_tell(c,
                     "the source may still be read only: %s%s%s; "
                     "\"cutover --rollback\" gives it back",
                     other.message, other.detail[0] ? ": " : "", other.detail);
    return r;
}

static int
prepare(struct cutover *c, struct err *err)
{
    int r = 0;

    /* An earlier call has looked at that before it made the source read only.
       The way back is made where it is not there. */
    if (c->steps.rows[STEP_READ_ONLY].state == STEP_PENDING)
        r = cutover_step(c, STEP_LAG, do_lag, err);
    if (!r && !c->params->no_reverse)
        r = cutover_step(c, STEP_REVERSE, reverse_make, err);
    return r;
}

/* With an earlier call's word, since what it made is there. */
static int
require_same_way(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;

    if (rows[STEP_READ_ONLY].state == STEP_PENDING ||
        (rows[STEP_REVERSE].state == STEP_PENDING) == !!c->params->no_reverse)
        return 0;
    err_set(err, ERR_REFUSED, "the cut-over was begun %s --no-reverse",
            c->params->no_reverse ? "without" : "with");
    return err_hint(err, "Go on in the same way, or give it up with "
                         "--rollback.");
}

static int
require_forward(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;

    if (rows[STEP_FINISH].state != STEP_PENDING)
        return err_set(err, ERR_REFUSED, "the cut-over is finished");
    if (rows[STEP_BACK_READ_ONLY].state != STEP_PENDING) {
        err_set(err, ERR_REFUSED, "the cut-over is being rolled back");
        return err_hint(err, "Go on with --rollback.");
    }
    if (rows[STEP_SWITCH].state == STEP_DONE)
        return CUTOVER_E_DONE;
    return require_same_way(c, err);
}

int
cutover_forward(struct cutover *c, struct err *err)
{
    int r = require_forward(c, err);

    if (r)
        return r;
    steps_clear(&c->steps);
    r = steps_open(&c->steps, c->target, c->ledger.schema, c->ledger.run, 1,
                   err);
    if (!r && c->steps.rows[STEP_TURN].state != STEP_DONE) {
        r = prepare(c, err);
        if (!r)
            r = be_still_or_give_back(c, err);
    }
    return r ? r : switch_traffic(c, err);
}
