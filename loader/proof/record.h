/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Record: what a proof has found, kept in RUN/proof.jsonl, a JSON object a
 * line, as it becomes known; the report is made of it.  The members are listed
 * in docs/report-json.md.
 *
 *     OPEN --told...--> OPEN --end--> ENDED
 *
 * The file is whole or not there: a proof that does not come to its end leaves
 * the record of the one before.  Memory does not grow with what is told.
 *
 * To tell cannot fail; what went wrong is said by end.
 */

#include <jansson.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/proof/result.h"
#include "loader/run/run_dir.h"

struct proof_record;

#define PROOF_RECORD_FILE "proof.jsonl"

/* head, what is compared and how, is taken over. */
int proof_record_open(struct proof_record **ret, const struct run_dir *dir,
                      json_t *head, struct err *err);
struct proof_record *proof_record_free(struct proof_record *p);
DEFINE_CLEANUP(struct proof_record *, proof_record_free)

/* What a listener is told. */
void proof_record_table(struct proof_record *p, const struct proof_table *t);
void proof_record_row(struct proof_record *p, const struct proof_row *row);
void proof_record_finding(struct proof_record *p,
                          const struct proof_finding *f);

/* The proof is over, with this verdict (why is NULL: all is well); makes the
   file durable. */
int proof_record_end(struct proof_record *p, const struct err *why,
                     struct err *err);
