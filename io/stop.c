/* SPDX-License-Identifier: PostgreSQL */
#include "io/stop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/err.h"

/* A signal handler may not wait for a lock hidden in an atomic. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "atomic int must be lock-free");

struct stop {
    atomic_int level; /* enum stop_level; only grows */
    int fd;           /* eventfd: 0 until the level is STOP_NOW */
};

int
stop_new(struct stop **ret, struct err *err)
{
    cleanup_(stop_freep) struct stop *s = malloc(sizeof *s);

    if (!s)
        return err_nomem(err);
    atomic_init(&s->level, STOP_RUN);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->fd < 0)
        return err_sys(err, errno, "could not create an event descriptor");

    *ret = take(s);
    return 0;
}

struct stop *
stop_free(struct stop *s)
{
    if (!s)
        return NULL;
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return NULL;
}

/* The level is NOW, by this caller alone: wake those who poll. */
static void
wake(struct stop *s)
{
    int saved_errno = errno; /* the interrupted code's, in a handler */
    ssize_t n = write(s->fd, &(uint64_t){1}, sizeof(uint64_t));

    assert(n == sizeof(uint64_t)); /* a counter of 0 has room for 1 */
    errno = saved_errno;
}

void
stop_request(struct stop *s)
{
    int level = STOP_RUN;

    if (atomic_compare_exchange_strong(&s->level, &level, STOP_DRAIN))
        return;
    if (level == STOP_DRAIN)
        stop_now(s);
}

void
stop_now(struct stop *s)
{
    if (atomic_exchange(&s->level, STOP_NOW) != STOP_NOW)
        wake(s);
}

enum stop_level
stop_level(const struct stop *s)
{
    return (enum stop_level)atomic_load(&s->level);
}

int
stop_fd(const struct stop *s)
{
    return s->fd;
}

int
stop_check(const struct stop *s, struct err *err)
{
    if (stop_level(s) < STOP_NOW)
        return 0;
    return err_set(err, ERR_CANCELLED, "stopped on request");
}
