/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Schema: what the one side consists of, compared with what the other does
 * (inventory.h).  Each difference is a finding: of the layer "schema" or, with
 * drift, "drift"; but constraints that do not hold are "keys", and indexes that
 * are not valid "indexes".
 */

#include "io/err.h"
#include "loader/proof/result.h"
#include "loader/proof/side.h"

/* All borrowed. */
struct schema_proof_params {
    const struct proof_pair *pair;
    int no_owner, no_acl; /* do not compare these */
    int drift;            /* both are the source, at different times */
    const struct proof_listener *listener;
};

/* What a side cannot say of itself is a finding, too. */
int schema_proof(const struct schema_proof_params *p, struct err *err);
