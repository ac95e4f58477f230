/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Survey: can the cut-over be made, and how long would it take?  Every step's
 * preconditions are looked at, on both servers; nothing is changed.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/source/check/findings.h"

struct cutover;

/* What was measured, and what it lets one expect. */
struct survey_estimate {
    uint64_t lag;         /* bytes of log that the target has not confirmed */
    uint64_t n_sessions;  /* of others at the source */
    uint64_t n_busy;      /* of them, in a transaction */
    uint64_t n_tables;    /* published */
    uint64_t n_sequences; /* of the run */
    /* Milliseconds a step; how long sessions go on nobody knows. */
    uint64_t drain_ms, sequences_ms, verify_ms, turn_ms;
};

/* The findings are added to f. */
int survey(struct cutover *c, struct findings *f, struct survey_estimate *ret,
           struct err *err);
