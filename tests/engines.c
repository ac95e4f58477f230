/* SPDX-License-Identifier: PostgreSQL */
#include "tests/engines.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "tests/sink_faulty.h"

int engines[N_ENGINES] = {ENGINE_URING, ENGINE_SYNC, ENGINE_FAULTY,
                          ENGINE_NULL};

static const struct sink_fault nuisances[] = {
    {SINK_WRITE, 1, 5, -EAGAIN},  {SINK_WRITE, 2, 5, 4096},
    {SINK_WRITE, 3, 7, 1},        {SINK_WRITE, 4, 11, -EINTR},
    {SINK_WRITE, 5, 13, 0},       {SINK_WRITE, 6, 17, -ECANCELED},
    {SINK_WRITE, 7, 19, 9 * 512},
};

struct sink *
engine_new_faulty(enum engine e, const struct sink_params *p,
                  const struct sink_fault *faults, size_t n_faults)
{
    struct sink *s;

    cr_assert_eq(sink_new_faulty(&s, engine_new(e, p), p, faults, n_faults), 0);
    return s;
}

struct sink *
engine_new(enum engine e, const struct sink_params *p)
{
    struct sink *s = NULL;
    struct err err = {0};
    int r = -1;

    switch (e) {
    case ENGINE_URING:
        r = sink_new_uring(&s, p, &err);
        break;
    case ENGINE_SYNC:
        r = sink_new_sync(&s, p, &err);
        break;
    case ENGINE_NULL:
        r = sink_new_null(&s, p, &err);
        break;
    case ENGINE_FAULTY:
        return engine_new_faulty(ENGINE_SYNC, p, nuisances,
                                 sizeof nuisances / sizeof *nuisances);
    }
    cr_assert_eq(r, 0, "%s", err.message);
    return s;
}
