/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A sink that wraps another and changes its answers.  What it says was not
 * written is not in the file: it scribbles over it.
 */

#include "io/sink.h"

enum sink_kind { SINK_WRITE, SINK_SYNC };

struct sink_fault {
    enum sink_kind of;
    unsigned nth;   /* answer of that kind, counted from 1 */
    unsigned every; /* and then each so many-th; 0: only that one */
    int res;        /* -errno, or the bytes accepted */
};

/* Owns inner from now on; faults is borrowed, n_faults may be 0. */
int sink_new_faulty(struct sink **ret, struct sink *inner,
                    const struct sink_params *p,
                    const struct sink_fault *faults, size_t n_faults);

/* Answers given so far. */
unsigned sink_faulty_count(const struct sink *s, enum sink_kind of);
