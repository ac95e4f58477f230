/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What the files of a cut-over share. */

#include "loader/catalog/capture.h"
#include "loader/cutover/cutover.h"
#include "loader/cutover/survey.h"
#include "loader/handoff/subscription.h"
#include "loader/target/ledger.h"

enum { CUTOVER_NAME = 64 };

/* By which the target follows, for the tables of one epoch. */
struct cutover_leg {
    const struct capture *capture;
    char name[CUTOVER_NAME]; /* "": there is no subscription */
    struct subscription subscription;
};

struct cutover {
    const struct cutover_params *params;
    struct catalog *catalog;
    struct captures captures;
    struct cutover_leg *legs; /* one each; none after a finish */
    unsigned n_legs;
    /* Both may write, whatever their database's default is. */
    struct session *source, *target;
    struct ledger ledger;
    struct steps steps;
    /* Of the source, which follows the target: all tables by one. */
    char reverse_name[CUTOVER_NAME];
    const char *reverse_option;
    struct subscription reverse;
    uint64_t deadline_ms; /* of the source's being read only; 0: it is not */
    uint64_t read_only_ms;
};

void cutover_tell(struct cutover *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What a step does; what is a phrase about it, for people. */
enum { CUTOVER_WHAT = 256 };
typedef int cutover_do(struct cutover *c, char what[CUTOVER_WHAT],
                       struct err *err);
/* Its row, before and after. */
int cutover_step(struct cutover *c, enum step step, cutover_do *run,
                 struct err *err);
/* The same unless it is done. */
int cutover_step_once(struct cutover *c, enum step step, cutover_do *run,
                      struct err *err);

/* What status shows. */
int cutover_set_state(struct cutover *c, const char *state, struct err *err);

/* Waits until the slot's consumer has all that its server has committed,
   within so many milliseconds. */
struct cutover_drain {
    struct session *publisher, *subscriber;
    const struct subscription *subscription;
    uint64_t timeout_ms;
};
int cutover_drain(struct cutover *c, const struct cutover_drain *d,
                  char what[CUTOVER_WHAT], struct err *err);

/* The subscription applies nothing any more, and its slot is free. */
struct cutover_end {
    struct session *publisher, *subscriber;
    const struct subscription *subscription;
};
int cutover_disable(const struct cutover_end *e, struct err *err);

/* The names of the source's publications, as an array's text. */
char *cutover_publications(const struct cutover *c);

/* Sessions that were opened anew meanwhile have lost their settings. */
int cutover_let_write(struct cutover *c, struct err *err);

/* Make the database of s read only, its setting noted in the row. */
int cutover_still(struct cutover *c, struct session *s, enum step step,
                  char what[CUTOVER_WHAT], struct err *err);

int cutover_carry(struct cutover *c, enum cutover_direction to,
                  char what[CUTOVER_WHAT], struct err *err);
int cutover_compare(struct cutover *c, enum cutover_direction to,
                    char what[CUTOVER_WHAT], struct err *err);
int cutover_switch(struct cutover *c, enum cutover_direction to,
                   char what[CUTOVER_WHAT], struct err *err);

/* The slot is free: who wrote past the default?  ERR_REFUSED: somebody did. */
int cutover_refuse_strays(struct cutover *c, struct session *s,
                          const struct subscription *x, struct err *err);

/*
 * The target follows the source again, and nothing of the way back is left.
 * Both are still, or the way back was never open.
 */
int cutover_turn_back(struct cutover *c, char what[CUTOVER_WHAT],
                      struct err *err);
/* The source as it was before a cut-over that has not switched. */
int cutover_give_back(struct cutover *c, struct err *err);

/* The figures of a survey. */
int survey_measure(struct cutover *c, struct survey_estimate *e,
                   struct err *err);

/* ---- the way back: publication and slot at the target, subscription at the
   source ---- */

/* What the source's publications hold: a row of [["schema", "table"], ...] as
   JSON, and whether they publish roots. */
int reverse_members(struct cutover *c, PGresult **ret, struct err *err);
int reverse_make(struct cutover *c, char what[CUTOVER_WHAT], struct err *err);
/* From here on; both are still. */
int reverse_open(struct cutover *c, struct err *err);
int reverse_drop(struct cutover *c, struct err *err);
