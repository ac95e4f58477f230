/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Descriptors as locals: closed when they leave scope, unless handed on. */

#include <unistd.h>

#include "io/cleanup.h"

/* For cleanup_(); -1 is no descriptor. */
static inline void
fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline int
fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}
