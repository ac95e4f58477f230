/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/follow.h"

#include <inttypes.h>

#include "loader/handoff/carry.h"
#include "loader/progress/quantity.h"

static int
place(const struct follow_params *p, const struct subscription *x,
      struct err *err)
{
    int r = subscription_place(p->target, x, err);

    if (r == SUBSCRIPTION_E_BY_SLOT)
        progress_note(p->progress,
                      "the role may not advance replication origins on the "
                      "target: the subscription goes on from the slot's own "
                      "position, which is the same");
    return r < 0 ? r : 0;
}

static int
start(const struct follow_params *p, const struct subscription *x,
      struct follow_result *ret, struct err *err)
{
    struct subscription_look look;
    int r = subscription_look(p->target, x, &look, err);

    if (r)
        return r;
    ret->was_enabled &= look.state == SUBSCRIPTION_ENABLED;
    r = subscription_make(p->target, x, err);
    if (!r)
        r = place(p, x, err);
    return r ? r : subscription_enable(p->target, x, err);
}

static void
tell(void *arg, uint64_t lag)
{
    char text[QUANTITY_SIZE];

    progress_note(arg, "the target is %s behind", quantity_bytes(text, lag));
}

static int
late(const struct follow_params *p, const struct subscription *x,
     uint64_t missing, struct err *err)
{
    char lag[QUANTITY_SIZE], most[QUANTITY_SIZE];
    struct subscription_look look = {0};
    struct err ignored;

    subscription_look(p->target, x, &look, &ignored);
    err_set(err, ERR_REFUSED,
            "subscription \"%s\" has not caught up within %u s", x->name,
            p->wait_s);
    err_detail(err, "It is %s behind, and was to be no more than %s.%s",
               quantity_bytes(lag, missing), quantity_bytes(most, p->max_lag),
               look.worker_pid ? "" : "  No process applies its changes.");
    return err_hint(err, "%s",
                    look.worker_pid ? "It goes on: run this again to wait on."
                                    : "The log of the target's server says "
                                      "why.");
}

/* Until all up to lsn is there; 0: until little is missing. */
static int
catch_up(const struct follow_params *p, const struct subscription *x,
         uint64_t lsn, struct follow_result *ret, struct err *err)
{
    const struct subscription_wait w = {
        .subscriber = p->target,
        .publisher = p->source,
        .lsn = lsn,
        .max_lag = p->max_lag,
        .seconds = p->wait_s,
        .stop = p->stop,
        .tell = tell,
        .arg = p->progress,
    };
    uint64_t lag = 0;
    int r = subscription_wait(&w, x, &lag, err);

    if (lag > ret->lag)
        ret->lag = lag;
    return r == SUBSCRIPTION_E_LATE ? late(p, x, lag, err) : r;
}

static int
all_catch_up(const struct follow_params *p, uint64_t lsn,
             struct follow_result *ret, struct err *err)
{
    const struct subscription *const *x = p->subscriptions;
    int r = 0;

    for (ret->lag = 0; *x && !r; x++)
        r = catch_up(p, *x, lsn, ret, err);
    return r;
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

/* Who had little to do may never have moved: what is there by now has to
   arrive, in all of them. */
int
follow(const struct follow_params *p, struct follow_result *ret,
       struct err *err)
{
    const struct subscription *const *x = p->subscriptions;
    struct follow_result all = {.was_enabled = 1};
    uint64_t end;
    int r = 0;

    for (; *x && !r; x++)
        r = start(p, *x, &all, err);
    if (!r)
        r = all_catch_up(p, 0, &all, err);
    if (!r)
        r = subscription_end_of_log(p->source, &end, err);
    if (!r)
        r = all_catch_up(p, end, &all, err);
    if (!r)
        r = carry(p, &all, err);
    if (!r)
        *ret = all;
    return r;
}
