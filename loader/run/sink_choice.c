/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/sink_choice.h"

#include <string.h>

enum { REGISTERED_MAX = 4 << 20 }; /* bytes, in the whole process */

int
sink_choice_parse(const char *name, enum sink_choice *ret)
{
    static const char *const names[] = {
        [SINK_CHOICE_AUTO] = "auto",
        [SINK_CHOICE_URING] = "uring",
        [SINK_CHOICE_SYNC] = "sync",
    };

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum sink_choice)i;
            return 0;
        }
    }
    return -1;
}

int
sink_choice_open(struct sink **ret, enum sink_choice choice,
                 struct buffer_pool *pool, unsigned worker, struct err *err)
{
    unsigned n = buffer_pool_count(pool);
    struct sink_params p = {
        .pool = pool,
        .depth = n,
        .register_buffers = (worker + 1) * n * BUFFER_PIECE <= REGISTERED_MAX,
    };
    struct err why;
    int r;

    switch (choice) {
    case SINK_CHOICE_SYNC:
        return sink_new_sync(ret, &p, err);
    case SINK_CHOICE_URING:
        r = sink_new_uring(ret, &p, err);
        return r ? -1 : 0;
    case SINK_CHOICE_AUTO:
        break;
    }
    return sink_new_best(ret, &p, &why, err);
}
