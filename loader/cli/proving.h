/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Proving: which two are compared, as the options say:
 *
 *     --dir --target              the bag, and the target
 *     --dir --source              the bag, and the source as it is now
 *     --source --target           two servers, each as it is now
 *     --dir --source --target     the same; the source in the run's own snapshot
 *                                 for as long as its keeper lives
 *     --dir --other-dir           two bags
 */

#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/proof/side.h"
#include "loader/source/plan/selection.h"

struct proving {                     /* begins as {0} */
    struct workplace *workplace;     /* borrowed */
    struct facts facts, other_facts; /* of --dir, --other-dir */
    struct run_dir *other_dir;
    struct catalog *other_catalog;
    struct selection *selection;
    struct proof_pair pair;
};

/* ERR_USAGE: the options name no two. */
int proving_check_options(const struct options *o, struct err *err);

int proving_open(struct proving *p, struct workplace *w, struct err *err);
void proving_close(struct proving *p);
