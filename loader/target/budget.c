/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/budget.h"

#include "loader/pg/headroom.h"

enum { LEFT_TO_OTHERS = 1 };

static int
refuse(const char *limit, struct err *err)
{
    err_set(err, ERR_REFUSED, "the target has no connection left for a worker");
    err_detail(err, "The limit is %s; one more connection is left to others.",
               limit);
    return err_hint(err, "End sessions that are not needed, or raise the "
                         "limit.");
}

int
budget_keep(struct session *s, struct progress *p, unsigned *jobs,
            struct err *err)
{
    struct headroom left;
    int r = headroom_ask(s, 0, &left, err);

    if (r)
        return r;
    if (left.n <= LEFT_TO_OTHERS)
        return refuse(left.limit, err);
    left.n -= LEFT_TO_OTHERS;
    if ((unsigned long)left.n >= *jobs)
        return 0;
    progress_note(p,
                  "%ld of %u workers: the target has no more connections left "
                  "(%s)",
                  left.n, *jobs, left.limit);
    *jobs = (unsigned)left.n;
    return 0;
}
