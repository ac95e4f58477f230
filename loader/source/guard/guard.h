/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Guard: what limits on the source mean for those who work on it, as a pure
 * function of what was measured and of the time.  It asks nobody and knows
 * nothing of exports: whatever has workers can be guarded.
 *
 * Two kinds of limit:
 *
 *   - What working less makes better: the lag of standbys, the sessions of
 *     others.  Then the user's choice decides:
 *
 *       slow    half the workers each few seconds, down to one; when it is
 *               better (by a fifth), one more each few seconds
 *       pause   none; then one more each few seconds, as above
 *       stop    the end, when it lasts for some seconds: what is staged is
 *               kept, and so is the snapshot
 *
 *   - What working less makes worse, since it comes from the run's mere being:
 *     the age of the snapshot, the WAL.  Reaching one is the end, whatever was
 *     chosen, and the source is to be let go: who sets such a limit would
 *     rather do this again than have a full disk or tables that are not
 *     vacuumed, at night, with nobody there.
 *
 * What cannot be measured for half a minute counts as reached by a limit of
 * the first kind, and ends nothing that is of the second, whose figures only
 * grow slowly: a source that gives no answer is no reason to throw work away.
 */

#include <stdint.h>

#include "loader/source/guard/vitals.h"

enum guard_choice { GUARD_SLOW, GUARD_PAUSE, GUARD_STOP };

enum {
    GUARD_CUT_MS = 3000,    /* between two steps down: for it to be felt */
    GUARD_RAISE_MS = 5000,  /* between two steps up */
    GUARD_LASTS_MS = 3000,  /* then it is no accident */
    GUARD_BLIND_MS = 30000, /* since the last measurement */
    GUARD_WORDS = 384,
};

struct guard_limits {
    uint64_t max[N_VITALS]; /* 0: none */
    enum guard_choice choice;
};

/* The vitals that have a limit, as a set for vitals_require(). */
unsigned guard_set(const struct guard_limits *l);

struct guard {
    const struct guard_limits *limits; /* borrowed */
    unsigned n_workers, n_allowed;
    uint64_t n_seen, seen_ms; /* the last measurement, and when it came */
    uint64_t over_ms;         /* since when a limit is reached; 0: none is */
    uint64_t cut_ms, raise_ms;
    unsigned told; /* what was news last */
};

void guard_begin(struct guard *g, const struct guard_limits *l,
                 unsigned n_workers, uint64_t now_ms);

struct guard_verdict {
    enum guard_end {
        GUARD_GO_ON,
        GUARD_END,    /* the limit of the first kind that was chosen to */
        GUARD_LET_GO, /* a limit of the second kind */
    } end;
    unsigned n_allowed; /* workers */
    int is_news;        /* something has changed */
    /* "slowed to 1 of 4 workers: replica lag 12 s > 10 s"; with an end, the
       part after the colon; "" when nothing is limited. */
    char words[GUARD_WORDS];
    enum vital cause; /* with an end, or words */
};

/* v: the last measurement, n is 0 when there was none. */
struct guard_verdict guard_step(struct guard *g, const struct vitals *v,
                                uint64_t now_ms);

/* "replica lag", "12 s": for people. */
const char *guard_name(enum vital which);
char *guard_value(char to[64], enum vital which, uint64_t value);
