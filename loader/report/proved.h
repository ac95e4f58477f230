/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Proved: the record of the last proof (RUN/proof.jsonl, written by
 * loader/proof/record.h), added up.  What is as many as tables goes into
 * temporary tables of the catalogue's connection:
 *
 *     report_proved    the tables
 *     report_rows      single rows that differ
 *     report_findings  what is no table
 */

#include <jansson.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"

/* By how much they trouble: in the order of the report. */
enum proved_rank {
    PROVED_DIFFERS,
    PROVED_MISSING,
    PROVED_FAILED,
    PROVED_ACCEPTED,
    PROVED_EQUAL,
    PROVED_N_RANKS,
};

struct proved {
    int is_there; /* a proof came to its end */
    json_t *head, *end;
    uint64_t n_tables[PROVED_N_RANKS];
    uint64_t n_findings[PROVED_N_RANKS];
    uint64_t n_rows;       /* compared, on the right */
    uint64_t n_rows_wrong; /* missing, extra, differing */
    int is_sample;         /* not all rows of all tables */
};

int proved_read(struct proved *ret, const struct run_dir *dir,
                struct catalog *c, struct err *err);
void proved_clear(struct proved *p);

/* When it began and ended, in milliseconds since 1970. */
uint64_t proved_begun_at(const struct proved *p);
uint64_t proved_ended_at(const struct proved *p);
