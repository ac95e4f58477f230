/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Replica identity: what a change says of the row that it changes.
 *
 * A published table without one refuses every UPDATE and DELETE from that
 * moment on, at the source: so it is looked at before anything is published.
 * Here the planned tables are sorted into those whose changes will be captured
 * and those that are left out, and identities are changed and put back.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/pg/session.h"

/* What becomes of a table without a usable one. */
enum identity_policy {
    IDENTITY_REFUSE,
    IDENTITY_FULL, /* ALTER TABLE ... REPLICA IDENTITY FULL, until put back */
    IDENTITY_SKIP, /* its changes are not captured */
};

/*
 * Fill the catalogue's captured tables from its planned ones, and change
 * nothing at the source.  Refused, with the names of the first few: tables
 * without an identity (by policy); tables that the role does not own, when
 * owned is asked for: only an owner can publish; tables of which only some
 * rows are copied, unless the publication filters and takes their condition;
 * and partitions that are not copied, below a table that is published as a
 * whole.
 */
struct identity_params {
    unsigned epoch;
    enum identity_policy policy;
    int owned;
    int filters; /* a publication is made, and the plugin heeds it */
};
int identity_sort(struct session *s, const struct identity_params *p,
                  struct catalog *c, struct err *err);

/* Those that were captured as they are now: which have lost their identity
   since then, which are no more.  The first few by name. */
enum { IDENTITY_TEXT = 700 };
struct identity_misfits {
    uint64_t n_bare, n_gone;
    char bare[IDENTITY_TEXT], gone[IDENTITY_TEXT];
};
int identity_look(struct session *s, struct catalog *c, unsigned epoch,
                  struct identity_misfits *ret, struct err *err);

/* Make those FULL that identity_sort() has set aside for that. */
int identity_change(struct session *s, unsigned epoch, struct catalog *c,
                    struct err *err);

/* Put all back that was changed, and is still as we left it. */
int identity_put_back(struct session *s, unsigned epoch, struct catalog *c,
                      struct err *err);
