/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* How staged files are written, as the user chose it. */

#include "io/sink.h"

enum sink_choice {
    SINK_CHOICE_AUTO, /* io_uring where the kernel allows it, else pwrite */
    SINK_CHOICE_URING,
    SINK_CHOICE_SYNC,
};

/* "auto", "uring", "sync".  0, or -1 when there is none of that name. */
int sink_choice_parse(const char *name, enum sink_choice *ret);

/*
 * The sink of one worker.  Memory is registered with the kernel for the first
 * few workers only: 4 MiB a process is what the usual RLIMIT_MEMLOCK of 8 MiB
 * leaves room for.  URING fails where there is none.
 */
int sink_choice_open(struct sink **ret, enum sink_choice choice,
                     struct buffer_pool *pool, unsigned worker,
                     struct err *err);
