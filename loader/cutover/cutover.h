/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Cut-over: the source stops being the one that is written to, the target
 * begins.  What is slow, or may fail, is done while both work; the source is
 * read only for as short a time as can be, and until the traffic is switched
 * every failure gives it back.
 *
 *                 lag, reverse
 *     FOLLOWING ----------------> ... read-only, drain, sequences, verify
 *         ^  ^                                 |            turn
 *         |  +---- any failure: given back ----+              |
 *         |                                                   v
 *         |                                                TURNED
 *         |                                                   | switch
 *         |                     rollback                      v
 *         +----------------------------------------------- SWITCHED
 *                                                             | finish
 *                                                             v
 *                                                          FINISHED
 *
 *     FOLLOWING  the target follows the source (handoff --to subscription)
 *     TURNED     the source follows the target; nobody writes yet
 *     SWITCHED   the same, and the users are at the target
 *
 * Never do both follow each other: the subscription of one direction is
 * disabled before the other's is enabled, both databases being still, and the
 * other's slot is moved to that instant.  So no change comes back to where it
 * was made, whatever the servers' versions.
 *
 * Each step has a row in the target's ledger (step.h).  Killed anywhere, the
 * same command goes on.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/cutover/step.h"
#include "loader/cutover/still.h"

struct cutover;

enum cutover_direction { CUTOVER_TO_TARGET, CUTOVER_TO_SOURCE };

/* How the two are compared, while nobody writes. */
enum cutover_verify { CUTOVER_NOTHING, CUTOVER_COUNTS, CUTOVER_ROWS };

/* What the caller does for us, or hears; arg is the first parameter. */
struct cutover_calls {
    /* Compare every row of the two, which are still: for CUTOVER_ROWS. */
    int (*verify)(void *arg, enum cutover_direction to, struct err *err);
    /* Is the traffic switched?  Asked where there is no hook. */
    int (*confirm)(void *arg, enum cutover_direction to, struct err *err);
    /* Hears of each step, and what else is to be said; why is NULL when all
       went well. */
    void (*begun)(void *arg, const char *step);
    void (*ended)(void *arg, const char *step, uint64_t ms, const char *what,
                  const struct err *why);
    void (*tell)(void *arg, const char *what);
    void *arg;
};

/* All pointers are borrowed for as long as the cut-over lives. */
struct cutover_params {
    const char *source, *target; /* conninfo */
    const char *reverse;         /* for the source's server, which connects to
                                    the target; NULL: as target */
    const char *ledger_schema;
    const struct facts *facts;
    int no_reverse; /* there is no way back */
    uint64_t max_lag;
    uint64_t lag_timeout_ms;
    uint64_t max_read_only_ms;
    enum still_writers writers;
    uint64_t writers_timeout_ms;
    uint64_t sequence_margin;
    enum cutover_verify verify;
    const char *hook; /* NULL: confirm is asked */
    int release_source;
    int drop_ledger;
    const struct stop *stop;
    struct cutover_calls calls;
};

/* Connects to both, and reads what was done by earlier calls.  ERR_REFUSED:
   the run has no slot, was not loaded into this target, or is another's. */
int cutover_open(struct cutover **ret, const struct cutover_params *p,
                 struct catalog *c, struct err *err);
struct cutover *cutover_free(struct cutover *c);
DEFINE_CLEANUP(struct cutover *, cutover_free)

/* Outcome: that was done already. */
enum { CUTOVER_E_DONE = 1 };

int cutover_forward(struct cutover *c, struct err *err);
int cutover_back(struct cutover *c, struct err *err);
int cutover_finish(struct cutover *c, struct err *err);

/* How long nobody could write, by the last switch; 0: there was none. */
uint64_t cutover_read_only_ms(const struct cutover *c);
/* What each step took; 0: it was not done. */
const struct step_row *cutover_rows(const struct cutover *c);

/*
 * Take away what a cut-over that is given up has left on both servers, and
 * put settings back; for abort.  ERR_REFUSED when the traffic was switched:
 * what was written since would be lost.
 */
int cutover_abandon(struct cutover *c, struct err *err);
/* Is there anything of a cut-over? */
int cutover_is_begun(const struct cutover *c);

/* ---- what the run directory knows of it, for status ---- */

/* One of these, or "under way: <step>"; the caller frees; CATALOG_E_NONE. */
#define CUTOVER_SWITCHED "switched"
#define CUTOVER_GIVEN_BACK "given back"
#define CUTOVER_ROLLED_BACK "rolled back"
#define CUTOVER_FINISHED "finished"
int cutover_state(struct catalog *c, char **ret, struct err *err);
