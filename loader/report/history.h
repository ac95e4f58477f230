/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * History: what events.jsonl tells, added up.  The last commands are kept one
 * by one; what is as many as tables or tasks goes into temporary tables of
 * the catalogue's connection:
 *
 *     report_spent    milliseconds of workers, by table
 *     report_trouble  what was tried again or given up, by its reason
 *     report_notes    the first notes of each command
 */

#include <jansson.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"

enum {
    HISTORY_COMMANDS = 40, /* kept of all */
    HISTORY_LANES = 4,
    HISTORY_PHASES = 24,
    HISTORY_NAME = 32,
};

struct history_lane {
    char name[HISTORY_NAME];
    unsigned n_workers;
    uint64_t n_done, n_again, n_failed; /* tasks; again, unable, redo */
    uint64_t n_rows, n_bytes, n_stored; /* of those done */
    uint64_t begun_at, ended_at;
};

struct history_phase {
    char name[2 * HISTORY_NAME];
    uint64_t at, ms; /* began; PHASE_OPEN: it has not ended */
    int failed;
};

#define HISTORY_OPEN UINT64_MAX

struct history_command {
    uint64_t number;      /* of all, from 1 */
    uint64_t offset, end; /* its lines in the file */
    char name[HISTORY_NAME];
    char version[HISTORY_NAME];
    json_t *options;
    uint64_t at, last_at; /* begun; its last line */
    int has_ended;
    uint64_t ms; /* with has_ended */
    unsigned status;
    char why[512];
    struct history_lane lanes[HISTORY_LANES];
    unsigned n_lanes;
    struct history_phase phases[HISTORY_PHASES];
    unsigned n_phases;
    uint64_t n_notes, n_limits;
};

struct history {
    struct history_command *commands; /* the last n, the oldest first */
    unsigned n;
    uint64_t n_all;
    /* As they were last seen; NULL: never. */
    json_t *source, *target;
    uint64_t n_torn; /* lines */
};

/* All is empty when there is no log.  Without a catalogue there are no
   tables. */
int history_read(struct history *ret, const struct run_dir *dir,
                 struct catalog *c, struct err *err);
void history_clear(struct history *h);

/* How long it took, or has taken so far. */
uint64_t history_ms(const struct history_command *k);
/* The last that had this lane at work, or NULL. */
const struct history_command *history_last(const struct history *h,
                                           const char *lane);
