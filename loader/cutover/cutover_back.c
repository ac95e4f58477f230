/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/cutover/cutover_private.h"
#include "loader/cutover/drain.h"

/* ---- the target follows the source again ---- */

/* Was the source ever let follow the target?  A turn that is done has let it,
   also where no origin says so. */
static int
was_opened(struct cutover *c, int *ret, struct err *err)
{
    struct subscription_look look;
    int r = subscription_look(c->source, &c->reverse, &look, err);

    *ret = look.state >= SUBSCRIPTION_PLACED ||
           (look.state == SUBSCRIPTION_MADE &&
            c->steps.rows[STEP_TURN].state == STEP_DONE);
    return r;
}

static int
close_reverse(struct cutover *c, struct err *err)
{
    const struct cutover_end reverse = {c->target, c->source, &c->reverse};
    struct err ignored;
    int r = cutover_disable(&reverse, err);

    if (!r)
        r = cutover_refuse_strays(c, c->target, &c->reverse, err);
    if (r) /* what was written at the target must not be lost */
        subscription_enable(c->source, &c->reverse, &ignored);
    return r;
}

/*
 * What the forward slots have are the changes that the source has from the
 * target: they must not go back there.  Except that somebody has written at
 * the source meanwhile; then the target cannot follow any more.
 */
static int
count_own_changes(struct cutover *c, const struct cutover_leg *leg,
                  uint64_t *n_total, struct err *err)
{
    const struct subscription *x = &leg->subscription;
    uint64_t n = 0, first;
    int r = drain_strays(c->source, x->slot, x->publication, &n, &first, err);

    *n_total += n;
    return r;
}

static int
skip_own_changes(struct cutover *c, struct cutover_leg *leg, struct err *err)
{
    struct subscription *x = &leg->subscription;
    int r = drain_skip(c->source, x->slot, &x->lsn, err);

    if (!r)
        r = subscription_place(c->target, x, err);
    return r < 0 ? r : 0;
}

/* Bit i: leg i does not follow. */
static int
idle_legs(struct cutover *c, uint64_t *ret, struct err *err)
{
    struct subscription_look look;
    int r = 0;

    *ret = 0;
    for (unsigned i = 0; i < c->n_legs && !r; i++) {
        r = subscription_look(c->target, &c->legs[i].subscription, &look, err);
        if (!r && look.state != SUBSCRIPTION_ENABLED)
            *ret |= UINT64_C(1) << i;
    }
    return r;
}

static int
open_forward(struct cutover *c, int opened, char what[CUTOVER_WHAT],
             struct err *err)
{
    uint64_t idle, n_own = 0;
    int r = idle_legs(c, &idle, err);

    snprintf(what, CUTOVER_WHAT, "the target follows the source");
    for (unsigned i = 0; i < c->n_legs && opened && !r; i++)
        if (idle >> i & 1)
            r = count_own_changes(c, &c->legs[i], &n_own, err);
    if (!r && n_own > 0)
        snprintf(what, CUTOVER_WHAT,
                 "the target can follow no more: %" PRIu64 " transaction%s of "
                 "the source's own cannot be told from what came from the "
                 "target; load anew",
                 n_own, n_own == 1 ? "" : "s");
    for (unsigned i = 0; i < c->n_legs && n_own == 0 && !r; i++) {
        if (!(idle >> i & 1))
            continue;
        if (opened)
            r = skip_own_changes(c, &c->legs[i], err);
        if (!r)
            r = subscription_enable(c->target, &c->legs[i].subscription, err);
    }
    return r;
}

int
cutover_turn_back(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int opened, r = was_opened(c, &opened, err);

    if (!r && opened)
        r = close_reverse(c, err);
    if (!r)
        r = open_forward(c, opened, what, err);
    return r ? r : reverse_drop(c, err);
}

/* ---- before the switch ---- */

static int
put_back_source(struct cutover *c, struct err *err)
{
    const struct step_row *row = &c->steps.rows[STEP_READ_ONLY];

    return row->was[0] ? still_put_back(c->source, row->was, err) : 0;
}

/* Where the turn was not begun the target follows all the time, and the source
   is given back before all else, whatever has become of the target. */
int
cutover_give_back(struct cutover *c, struct err *err)
{
    int turned = c->steps.rows[STEP_TURN].state != STEP_PENDING;
    char what[CUTOVER_WHAT];
    int r = turned ? 0 : put_back_source(c, err);

    if (!r)
        r = cutover_turn_back(c, what, err);
    if (!r && turned)
        r = put_back_source(c, err);
    if (!r)
        r = steps_forget(&c->steps, STEP_TARGET_READ_ONLY,
                         STEP_TARGET_READ_ONLY, err);
    if (r)
        return r;
    return cutover_set_state(c,
                             c->steps.rows[STEP_TARGET_READ_ONLY].state ==
                                     STEP_PENDING
                                 ? CUTOVER_GIVEN_BACK
                                 : CUTOVER_ROLLED_BACK,
                             err);
}

/* ---- after it ---- */

static int
do_read_only(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_still(c, c->target, STEP_BACK_READ_ONLY, what, err);
}

static int
do_drain(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    const struct cutover_drain d = {
        .publisher = c->target,
        .subscriber = c->source,
        .subscription = &c->reverse,
        .timeout_ms = c->params->max_read_only_ms,
    };

    return cutover_drain(c, &d, what, err);
}

static int
do_sequences(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_carry(c, CUTOVER_TO_SOURCE, what, err);
}

static int
do_verify(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    return cutover_compare(c, CUTOVER_TO_SOURCE, what, err);
}

static int
do_release(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    snprintf(what, CUTOVER_WHAT, "\"%s\" can be written to",
             PQdb(session_conn(c->source)));
    return still_put_back(c->source, c->steps.rows[STEP_READ_ONLY].was, err);
}

static int
do_switch(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int r = cutover_switch(c, CUTOVER_TO_SOURCE, what, err);

    return r ? r
             : step_age(&c->steps, STEP_BACK_READ_ONLY, &c->read_only_ms, err);
}

/* Until nothing can be lost any more, the target goes on as it was when one of
   these fails. */
static int
gather(struct cutover *c, struct err *err)
{
    int r = cutover_step(c, STEP_BACK_READ_ONLY, do_read_only, err);

    if (!r)
        r = cutover_step(c, STEP_BACK_DRAIN, do_drain, err);
    if (!r)
        r = cutover_step(c, STEP_BACK_SEQUENCES, do_sequences, err);
    return r ? r : cutover_step_once(c, STEP_BACK_VERIFY, do_verify, err);
}

static int
stay(struct cutover *c, struct err *err)
{
    static const enum step steps[] = {STEP_BACK_DRAIN, STEP_BACK_SEQUENCES,
                                      STEP_BACK_VERIFY, STEP_BACK_READ_ONLY};
    int r =
        still_put_back(c->target, c->steps.rows[STEP_BACK_READ_ONLY].was, err);

    for (unsigned i = 0; !r && i < sizeof steps / sizeof *steps; i++)
        r = step_forget(&c->steps, steps[i], err);
    return r ? r : cutover_set_state(c, CUTOVER_SWITCHED, err);
}

static int
gather_or_stay(struct cutover *c, struct err *err)
{
    struct err other;
    int r = gather(c, err);

    if (!r || !c->steps.rows[STEP_BACK_READ_ONLY].was[0])
        return r;
    if (stay(c, &other) == 0)
        cutover_tell(c, "the target is as it was before: it can be written to");
    else
        cutover_tell(c,
                     "the target may still be read only: %s; \"cutover "
                     "--rollback\" goes on",
                     other.message);
    return r;
}

static int
refuse_no_way_back(struct err *err)
{
    err_set(err, ERR_REFUSED, "there is no way back");
    err_detail(err, "The cut-over was made with --no-reverse: what was written "
                    "at the target since is there alone.");
    return -1;
}

/* The rows of the cut-over go, but how the target's setting was stays known:
   it is read only until it is switched to again. */
static int
end(struct cutover *c, struct err *err)
{
    int r = steps_forget(&c->steps, STEP_BACK_READ_ONLY, STEP_TARGET_READ_ONLY,
                         err);

    return r ? r : cutover_set_state(c, CUTOVER_ROLLED_BACK, err);
}

static int
go_back(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;
    int r = 0;

    /* It may be read only still from a rollback before this cut-over. */
    if (rows[STEP_BACK_READ_ONLY].state == STEP_PENDING)
        r = step_rename(&c->steps, STEP_TARGET_READ_ONLY, STEP_BACK_READ_ONLY,
                        err);
    if (!r && rows[STEP_BACK_TURN].state == STEP_PENDING)
        r = gather_or_stay(c, err);
    if (!r)
        r = cutover_step_once(c, STEP_BACK_TURN, cutover_turn_back, err);
    if (!r)
        r = cutover_step_once(c, STEP_BACK_RELEASE, do_release, err);
    if (!r)
        r = cutover_step_once(c, STEP_BACK_SWITCH, do_switch, err);
    return r ? r : end(c, err);
}

/* Was the way back ever open?  Then the target may have been written to. */
static int
was_open(struct cutover *c, int *ret, struct err *err)
{
    const struct step_row *rows = c->steps.rows;
    struct subscription_look look = {0};
    int r = 0;

    *ret = rows[STEP_TURN].state == STEP_DONE ||
           rows[STEP_BACK_READ_ONLY].state != STEP_PENDING;
    if (!*ret && rows[STEP_TURN].state == STEP_BEGUN)
        r = subscription_look(c->source, &c->reverse, &look, err);
    if (look.state == SUBSCRIPTION_ENABLED)
        *ret = 1;
    return r;
}

int
cutover_back(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;
    int open, r;

    if (rows[STEP_FINISH].state != STEP_PENDING)
        return err_set(err, ERR_REFUSED, "the cut-over is finished");
    if (rows[STEP_LAG].state == STEP_PENDING &&
        rows[STEP_BACK_READ_ONLY].state == STEP_PENDING)
        return CUTOVER_E_DONE;
    if (rows[STEP_SWITCH].state != STEP_PENDING &&
        rows[STEP_REVERSE].state == STEP_PENDING)
        return refuse_no_way_back(err);
    r = was_open(c, &open, err);
    if (r)
        return r;
    if (open && rows[STEP_REVERSE].state != STEP_PENDING)
        return go_back(c, err);
    return cutover_give_back(c, err);
}
