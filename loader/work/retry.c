/* SPDX-License-Identifier: PostgreSQL */
#include "loader/work/retry.h"

#include "io/clock.h"
#include "loader/pg/session.h"
#include "loader/work/scheduler.h"

enum { NAP_MS = 50 };

int
retry_nap(const struct stop *stop, unsigned ms, struct err *err)
{
    uint64_t end_ms = clock_ms() + ms;

    for (;;) {
        uint64_t now_ms = clock_ms();

        if (stop_level(stop) != STOP_RUN)
            return err_set(err, ERR_CANCELLED, "interrupted");
        if (now_ms >= end_ms)
            return 0;
        clock_nap_us(1000 * (unsigned)(end_ms - now_ms < NAP_MS
                                           ? end_ms - now_ms
                                           : NAP_MS));
    }
}

static int
is_worth(const struct retry *p, const struct err *why)
{
    return p->is_worth ? p->is_worth(why)
                       : session_retry_class(why) != SESSION_RETRY_NEVER;
}

/* What has worked for longer than any back-off is no refusal in a row. */
static unsigned
count(unsigned n_tries, uint64_t begun_ms)
{
    return clock_ms() - begun_ms > SCHEDULER_BACKOFF_MAX_MS ? 1 : n_tries + 1;
}

int
retry_do(const struct retry *p, retry_step *step, void *arg, struct err *err)
{
    unsigned n_tries = 0;

    for (int again = 0;; again = 1) {
        uint64_t begun_ms = clock_ms();
        int r = step(arg, again, err);
        struct err why;

        if (r >= 0)
            return r;
        why = *err;
        if (p->wait && (r = p->wait(arg, &why, err))) {
            if (r < 0)
                return r;
            continue;
        }
        n_tries = count(n_tries, begun_ms);
        *err = why;
        if (!is_worth(p, &why) || n_tries >= SCHEDULER_TRIES)
            return -1;
        if (n_tries == 1)
            progress_note(p->progress, "trying again: %s", why.message);
        r = retry_nap(p->stop,
                      (unsigned)scheduler_backoff_ms(n_tries, clock_ns()), err);
        if (r)
            return r;
    }
}
