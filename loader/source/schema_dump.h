/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The schema, as pg_dump sees it in the run's snapshot: RUN/data/schema.dump,
 * in the custom format, definitions only.  And what its planner knows of the
 * rows, RUN/data/statistics.dump, where there is a pg_dump that can tell.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"
#include "loader/source/plan/selection.h"

struct schema_dump_params {
    const char *conninfo;
    const char *snapshot;
    struct session *session;           /* in that snapshot */
    const struct selection *selection; /* prepared, or NULL: all */
    int publications;                  /* these, too */
    const char *file;                  /* its name: "schema.dump" */
    /* NULL: as it is; else it is encrypted to them... */
    const struct age_recipients *recipients;
    const struct stop *stop;
};

/* Writes it durably, over an older one.  ...and *ret_fd, the caller's, is the
   plain dump in memory, for a child to open by its number. */
int schema_dump(const struct run_dir *dir, const struct schema_dump_params *p,
                int *ret_fd, struct err *err);

/* The statistics, under the file's name; *ret_done 0: no pg_dump can. */
int schema_dump_statistics(const struct run_dir *dir,
                           const struct schema_dump_params *p, int *ret_done,
                           struct err *err);
