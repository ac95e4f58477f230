/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Carried: what the source's planner knew of the rows, put into the target
 * instead of sampling them once more.
 *
 *     statistics.dump --entries, when all else is there--> the target
 *                     --what has none then (analyze.h)---> ANALYZE
 *
 * That takes a run that has them (a pg_dump of 18 made them), a target of 18
 * and its pg_restore.  Those of a table of which some rows were chosen are not
 * those of its copy.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/progress/progress.h"
#include "loader/run/run_dir.h"

/* All borrowed. */
struct carried_params {
    const struct run_dir *dir;
    struct catalog *catalog;
    const struct facts *facts;
    const struct age_identities *identities; /* to open them; or NULL */
    const struct stop *stop;
    struct progress *progress;
    int target_major;
};

/* They become entries of the catalogue; *ret: there are some. */
int carried_add_entries(const struct carried_params *p, int *ret,
                        struct err *err);
