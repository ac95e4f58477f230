/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/follow.h"

#include <inttypes.h>

#include "loader/handoff/carry.h"
#include "loader/progress/quantity.h"

static int
place(const struct follow_params *p, struct err *err)
{
    int r = subscription_place(p->target, p->subscription, err);

    if (r == SUBSCRIPTION_E_BY_SLOT)
        progress_note(p->progress,
                      "the role may not advance replication origins on the "
                      "target: the subscription goes on from the slot's own "
                      "position, which is the same");
    return r < 0 ? r : 0;
}

static int
start(const struct follow_params *p, struct follow_result *ret, struct err *err)
{
    const struct subscription *x = p->subscription;
    struct subscription_look look;
    int r = subscription_look(p->target, x, &look, err);

    if (r)
        return r;
    ret->was_enabled = look.state == SUBSCRIPTION_ENABLED;
    r = subscription_make(p->target, x, err);
    if (!r)
        r = place(p, err);
    return r ? r : subscription_enable(p->target, x, err);
}

static void
tell(void *arg, uint64_t lag)
{
    char text[QUANTITY_SIZE];

    progress_note(arg, "the target is %s behind", quantity_bytes(text, lag));
}

static int
late(const struct follow_params *p, const struct follow_result *x,
     struct err *err)
{
    char lag[QUANTITY_SIZE], most[QUANTITY_SIZE];
    struct subscription_look look = {0};
    struct err ignored;

    subscription_look(p->target, p->subscription, &look, &ignored);
    err_set(err, ERR_REFUSED,
            "subscription \"%s\" has not caught up within %u s",
            p->subscription->name, p->wait_s);
    err_detail(err, "It is %s behind, and was to be no more than %s.%s",
               quantity_bytes(lag, x->lag), quantity_bytes(most, p->max_lag),
               look.worker_pid ? "" : "  No process applies its changes.");
    return err_hint(err, "%s",
                    look.worker_pid ? "It goes on: run this again to wait on."
                                    : "The log of the target's server says "
                                      "why.");
}

static int
catch_up(const struct follow_params *p, struct follow_result *ret,
         struct err *err)
{
    const struct subscription_wait w = {
        .subscriber = p->target,
        .publisher = p->source,
        .max_lag = p->max_lag,
        .seconds = p->wait_s,
        .stop = p->stop,
        .tell = tell,
        .arg = p->progress,
    };
    struct subscription_wait to_end = w;
    int r = subscription_wait(&w, p->subscription, &ret->lag, err);

    /* It may never have moved, where there was little to do: what is there by
       now has to arrive. */
    if (!r)
        r = subscription_end_of_log(p->source, &to_end.lsn, err);
    if (!r)
        r = subscription_wait(&to_end, p->subscription, &ret->lag, err);
    return r == SUBSCRIPTION_E_LATE ? late(p, ret, err) : r;
}

static int
carry(const struct follow_params *p, struct follow_result *ret, struct err *err)
{
    const struct carry x = {.from = p->source, .to = p->target};
    struct carried done = {0};
    int r = carry_sequences(&x, p->catalog, &done, err);

    ret->n_sequences = done.n;
    if (!r && done.n_missing > 0)
        progress_note(p->progress,
                      "%" PRIu64 " of the run's sequences are not there any "
                      "more at the source, or in the target",
                      done.n_missing);
    return r;
}

int
follow(const struct follow_params *p, struct follow_result *ret,
       struct err *err)
{
    struct follow_result x = {0};
    int r = start(p, &x, err);

    if (!r)
        r = catch_up(p, &x, err);
    if (!r)
        r = carry(p, &x, err);
    if (!r)
        *ret = x;
    return r;
}
