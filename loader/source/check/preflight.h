/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Preflight: can it be done, and what must be changed first?
 *
 * What can be tried is tried, with the functions that the copy itself uses:
 * the snapshot is exported and imported, every table is locked.  Nothing is
 * changed on either server, and all is let go at the end.
 */

#include "io/stop.h"
#include "loader/pg/session.h"
#include "loader/source/check/findings.h"
#include "loader/source/plan/selection.h"

struct preflight_params {
    const char *source;
    const char *target;          /* may be NULL */
    const char *dir;             /* the run directory to be; may be NULL */
    struct selection *selection; /* may be NULL */
    unsigned jobs;
    int no_owner, no_acl, roles; /* as they would be loaded */
    const struct stop *stop;
};

/* Append to *f, which is the caller's to clear in any case.  <0: a server
   cannot be reached, or we are stopped. */
int preflight_run(const struct preflight_params *p, struct findings *f,
                  struct err *err);

/* ---- its parts ---- */

/* Nobody's lock is waited for longer, be it asked for or come by the way, as
   with a table's size. */
#define PREFLIGHT_PATIENCE "SET lock_timeout = '2s'"

/* What is asked of the source, before and after the attempts. */
int preflight_ask_rights(const struct preflight_params *p,
                         struct session *source, struct findings *f,
                         struct err *err);
int preflight_ask_source(const struct preflight_params *p,
                         struct session *source, struct findings *f,
                         struct err *err);

int preflight_target(const struct preflight_params *p, struct session *source,
                     struct findings *f, struct err *err);
