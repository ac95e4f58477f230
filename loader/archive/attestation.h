/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Attestations: what was found when an archive was looked at, a JSON object a
 * line in FILE.attestations.jsonl beside it, never in it.
 *
 * Each line has the SHA-256 of the one before it, so that none can be changed
 * or taken out of the midst unnoticed.
 */

#include <jansson.h>

#include "io/err.h"

/*
 * Add who, where and when to what, which is taken over, and append it.  where
 * is the archive's name; of a stream nothing is written, since there is
 * nothing that it would lie beside.
 */
int attestation_add(const char *where, json_t *what, struct err *err);

/* Read them all, in order; ERR_CORRUPT: a line does not follow the one before
   it.  None when there is no such file. */
int attestation_each(const char *where,
                     int (*visit)(void *arg, const json_t *line,
                                  struct err *err),
                     void *arg, struct err *err);
