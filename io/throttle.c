/* SPDX-License-Identifier: PostgreSQL */
#include "io/throttle.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>

#include "io/clock.h"

enum {
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
    BURST_NS = NS_PER_S / 10,
    HELD_MS = 50, /* how soon who is held back notices that he is not */
};

struct throttle {
    const struct stop *stop;
    double ns_per_byte;
    _Atomic uint64_t due_ns;  /* when the next bytes may be taken */
    _Atomic uint64_t entered; /* a bit a seat */
    atomic_uint n_allowed;
};

int
throttle_new(struct throttle **ret, uint64_t bytes_per_s,
             const struct stop *stop, struct err *err)
{
    struct throttle *t = calloc(1, sizeof *t);

    if (!t)
        return err_nomem(err);
    t->stop = stop;
    if (bytes_per_s > 0)
        t->ns_per_byte = (double)NS_PER_S / (double)bytes_per_s;
    atomic_init(&t->n_allowed, UINT_MAX);
    *ret = t;
    return 0;
}

struct throttle *
throttle_free(struct throttle *t)
{
    free(t);
    return NULL;
}

void
throttle_allow(struct throttle *t, unsigned n)
{
    atomic_store(&t->n_allowed, n);
}

void
throttle_enter(struct throttle *t, unsigned seat)
{
    atomic_fetch_or(&t->entered, UINT64_C(1) << seat);
}

void
throttle_leave(struct throttle *t, unsigned seat)
{
    atomic_fetch_and(&t->entered, ~(UINT64_C(1) << seat));
}

static int
is_held_back(struct throttle *t, unsigned seat)
{
    uint64_t before = atomic_load(&t->entered) & ((UINT64_C(1) << seat) - 1);

    return (unsigned)__builtin_popcountll(before) >= atomic_load(&t->n_allowed);
}

/* Ends early when the run is stopped at once; a signal may end it, too. */
static void
nap_ms(const struct throttle *t, unsigned ms)
{
    struct pollfd end = {.fd = stop_fd(t->stop), .events = POLLIN};

    poll(&end, 1, (int)ms);
}

/* When these bytes may be taken; they are taken now, so that the next to ask
   comes after them. */
static uint64_t
reserve(struct throttle *t, size_t n_bytes)
{
    uint64_t cost_ns = (uint64_t)((double)n_bytes * t->ns_per_byte);
    uint64_t oldest_ns = clock_ns() - BURST_NS;
    uint64_t due_ns = atomic_load(&t->due_ns), from_ns;

    do
        from_ns = due_ns > oldest_ns ? due_ns : oldest_ns;
    while (
        !atomic_compare_exchange_weak(&t->due_ns, &due_ns, from_ns + cost_ns));
    return from_ns;
}

static int
wait_until(struct throttle *t, uint64_t due_ns, struct err *err)
{
    uint64_t now_ns;

    while ((now_ns = clock_ns()) < due_ns) {
        if (stop_check(t->stop, err))
            return -1;
        nap_ms(t, (unsigned)((due_ns - now_ns) / NS_PER_MS) + 1);
    }
    return 0;
}

int
throttle_take(struct throttle *t, unsigned seat, size_t n_bytes,
              struct err *err)
{
    while (is_held_back(t, seat)) {
        if (stop_level(t->stop) != STOP_RUN)
            return err_set(err, ERR_CANCELLED, "stopped while held back");
        nap_ms(t, HELD_MS);
    }
    return t->ns_per_byte > 0 ? wait_until(t, reserve(t, n_bytes), err) : 0;
}
