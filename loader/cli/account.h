/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The account that a command gives of what it did: a few lines for people, or
 * one JSON object (--json), on standard output.
 */

#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"

/* How a command came to its end. */
enum account_end {
    ACCOUNT_DONE,
    ACCOUNT_NOTHING_TO_DO, /* an earlier call had done it all */
};

/* "exported" or "loaded" (verb), with figures of the run. */
int account_copy(struct workplace *w, const struct facts *f, const char *verb,
                 enum account_end end, struct err *err);
/* Where the run is: what is planned, staged, loaded, failed, skipped. */
int account_status(struct workplace *w, const struct facts *f, struct err *err);
