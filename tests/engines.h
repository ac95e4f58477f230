/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Every engine of a sink, to run one test on all of them.
 */

#include "io/sink.h"

enum engine {
    ENGINE_URING,
    ENGINE_SYNC,
    ENGINE_FAULTY, /* sync that is interrupted and cut short all the time */
    ENGINE_NULL,   /* keeps nothing: last, so that a test can leave it out */
};

enum { N_ENGINES = ENGINE_NULL + 1, N_KEEPING = ENGINE_NULL };

/* As parameters of a test: the first N_ENGINES or N_KEEPING. */
extern int engines[N_ENGINES];

/* Fails the test when there is none. */
struct sink *engine_new(enum engine e, const struct sink_params *p);

/* A faulty sink over engine e. */
struct sink_fault;
struct sink *engine_new_faulty(enum engine e, const struct sink_params *p,
                               const struct sink_fault *faults,
                               size_t n_faults);
