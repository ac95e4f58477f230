/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The verdict of a verification, as it comes together table by table.
 *
 * Tables that differ or could not be read are named as soon as it is known.
 * With --json every table stands in the object on standard output; until the
 * end it is gathered in a temporary file, so that memory does not grow with
 * the tables and a failure leaves no half of it.
 */

#include <jansson.h>
#include <stdio.h>

#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/proof/accept.h"
#include "loader/proof/result.h"
#include "loader/proof/side.h"

struct verdict {
    struct workplace *workplace;   /* borrowed */
    const char *names[PROOF_ENDS]; /* "bag", "target" */
    uint64_t n[PROOF_N_VERDICTS];  /* tables */
    uint64_t n_rows;               /* in equal tables */
    uint64_t n_told;
    const struct accept *accept;
    uint64_t n_findings, n_bad_findings;
    FILE *json;     /* NULL without --json */
    FILE *findings; /* the same of what is no table */
    json_t *rows;   /* told, of the table that comes next */
};

/* The rules are borrowed. */
int verdict_begin(struct verdict *v, struct workplace *w,
                  const struct proof_pair *pair, const struct accept *accept,
                  struct err *err);
void verdict_clear(struct verdict *v);

/* A struct proof_listener's; arg is the verdict. */
void verdict_table(void *arg, const struct proof_table *result);
void verdict_row(void *arg, const struct proof_row *row);
void verdict_finding(void *arg, const struct proof_finding *finding);

/* 0 when all that was compared is equal, else ERR_DIFFERS. */
int verdict_end(struct verdict *v, const struct facts *f, struct err *err);
