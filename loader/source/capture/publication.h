/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Publication: names the tables whose changes a consumer is sent.
 *
 * It must be there before the slot: what reads a change asks for the
 * publication as it was when the change was made.  It holds exactly the
 * members of the capture (loader/catalog/capture.h), added by pages so that a
 * database of many tables needs no more locks than one of few.  A member of
 * which only some rows are copied has that condition as its row filter
 * (PostgreSQL 15).  Its comment says whose it is.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/pg/session.h"

/* Outcome: there is no publication of that name. */
enum { PUBLICATION_E_NONE = 1 };
/* Outcome of check: it does not hold exactly the members. */
enum { PUBLICATION_E_DIFFERS = 2 };

/* *ret_ours: made by the run of this id. */
int publication_look(struct session *s, const char *name, const char *run_id,
                     int *ret_ours, struct err *err);

/* m has its name and its run.  ERR_REFUSED when a table stays locked by
   another session for long. */
int publication_make(struct session *s, const struct capture *m,
                     struct catalog *c, struct err *err);

/*
 * Can a publication carry the condition by which the table's rows are chosen?
 * Found out by making one, in a transaction that is rolled back, while the
 * session is in none.  *ret_why is NULL, or why not (the caller frees): the
 * server takes no such filter; or UPDATE and DELETE would fail at the source,
 * for it looks at a column that is not in the replica identity.
 */
struct publication_filter {
    uint32_t oid;
    const char *table; /* quoted */
    const char *condition;
    int is_full; /* its replica identity is, or will be, whole rows */
};
int publication_try_filter(struct session *s,
                           const struct publication_filter *f, char **ret_why,
                           struct err *err);

/* As the session sees it, which is in the run's snapshot. */
int publication_check(struct session *s, const struct capture *m,
                      struct catalog *c, struct err *err);

/* What a newer epoch captures leaves m's publication. */
int publication_lose_moved(struct session *s, const struct capture *m,
                           struct catalog *c, struct err *err);

/*
 * A digest of what it is and since when.  One that was dropped and made again,
 * a table that was taken out and put back, an option that was altered and
 * altered back: they look the same, and have lost changes.  *ret is NULL when
 * there is none; the caller frees.
 */
int publication_print(struct session *s, const char *name, char **ret,
                      struct err *err);

int publication_drop(struct session *s, const char *name, struct err *err);
