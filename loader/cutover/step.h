/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Step: what a cut-over does one after the other, and the row that each step
 * has in the target's ledger, written before and after it.
 *
 *     (no row) --begin--> BEGUN --done--> DONE
 *
 *     forward  lag, reverse, read-only, drain, sequences, verify, turn, switch
 *     back     back-read-only, back-drain, back-sequences, back-verify,
 *              back-turn, back-release, back-switch
 *     after    finish
 *     fact     target-read-only: of a rollback that is complete
 *
 * A row that is begun again keeps the time at which it was begun first, and
 * what was noted in it: how a setting was before it was changed is noted once.
 * The table is described in docs/cutover-ledger.md.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/err.h"
#include "loader/pg/session.h"

enum step {
    STEP_LAG,
    STEP_REVERSE,
    STEP_READ_ONLY,
    STEP_DRAIN,
    STEP_SEQUENCES,
    STEP_VERIFY,
    STEP_TURN,
    STEP_SWITCH,
    STEP_BACK_READ_ONLY,
    STEP_BACK_DRAIN,
    STEP_BACK_SEQUENCES,
    STEP_BACK_VERIFY,
    STEP_BACK_TURN,
    STEP_BACK_RELEASE,
    STEP_BACK_SWITCH,
    STEP_FINISH,
    STEP_TARGET_READ_ONLY,
    N_STEPS
};

const char *step_name(enum step step);

enum step_state { STEP_PENDING, STEP_BEGUN, STEP_DONE };

/* "was": a setting's value before it was changed; "since": the instant at a
   server from which on the change holds.  "": not noted. */
enum { STEP_TEXT = 64 };
struct step_row {
    enum step_state state;
    char was[STEP_TEXT];
    char since[STEP_TEXT];
    uint64_t ms; /* how long it took, when it is done */
};

struct steps {
    struct session *target; /* borrowed; its search_path is pinned */
    const char *run;        /* UUID; borrowed */
    char *table;            /* quoted, owned */
    struct step_row rows[N_STEPS];
};

/* Reads what is there; the schema is the ledger's.  make: the table, too. */
int steps_open(struct steps *ret, struct session *target, const char *schema,
               const char *run, int make, struct err *err);
void steps_clear(struct steps *s);

int step_begin(struct steps *s, enum step step, struct err *err);
int step_note_was(struct steps *s, enum step step, const char *was,
                  struct err *err);
int step_note_since(struct steps *s, enum step step, const char *since,
                    struct err *err);
int step_done(struct steps *s, enum step step, uint64_t ms, struct err *err);

/* It is begun first now. */
int step_restart(struct steps *s, enum step step, struct err *err);

/* Milliseconds since the row was begun first, by the target's clock. */
int step_age(struct steps *s, enum step step, uint64_t *ret, struct err *err);

/* Forget all rows; the row of keep, when it is there, becomes the one of as
   (N_STEPS, N_STEPS: none is kept). */
int steps_forget(struct steps *s, enum step keep, enum step as,
                 struct err *err);
int step_rename(struct steps *s, enum step step, enum step as, struct err *err);
int step_forget(struct steps *s, enum step step, struct err *err);
