/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Recording: what a verification finds is kept, besides being told to whom it
 * concerns, and at its end a report is made of it (loader/proof/record.h).
 *
 * That of a run's target is kept in the run directory.  That of any other two
 * is kept where --report says, in a directory of the same sort, which holds
 * nothing but that.
 *
 *     begin --listener--> end --> clear
 */

#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/proof/record.h"
#include "loader/proof/side.h"

struct recording {               /* begins as {0} */
    struct workplace *workplace; /* borrowed */
    struct workplace own;        /* of --report; dir is NULL: the run's */
    struct facts none;           /* of no run */
    struct proof_record *record; /* NULL: none is kept */
    struct proof_listener to;
};

/*
 * Without --report nothing is kept unless rows of the target are compared, with
 * the run's directory as ours.  The servers go into the log, too.
 */
int recording_begin(struct recording *r, struct workplace *w,
                    const struct facts *f, const struct proof_pair *pair,
                    struct err *err);
void recording_clear(struct recording *r);

/* Who is told in place of to. */
struct proof_listener recording_listener(struct recording *r,
                                         const struct proof_listener *to);

/* verdict is that of the verification, with its *err: it is written down and
   passed on. */
int recording_end(struct recording *r, const struct facts *f, int verdict,
                  struct err *err);
