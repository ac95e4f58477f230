/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Repair file: the statements of --repair-sql, in one transaction, behind a
 * comment that says what they are.  Nothing here runs them.  The file is new,
 * and only its owner may read it, as it holds rows.
 */

#include <stdint.h>
#include <stdio.h>

#include "io/err.h"

int repair_open(FILE **ret, const char *path, const char *left,
                const char *right, struct err *err);

/* n_partly: so many tables have more differences than statements.  All of it is
   on disk, or it is an error. */
int repair_close(FILE *f, const char *path, uint64_t n_partly, struct err *err);
