/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Report: what a run has done and what was proved of it, for people
 * (report_html) and for programs (report_json, docs/report-json.md).
 *
 * It is made of what lies in the run directory alone: the catalogue, the log
 * (events.jsonl) and the record of the last proof (proof.jsonl).  No server is
 * asked, nothing is changed, and it may be made while another command is at
 * work.
 *
 *     make --html, json--> free
 *
 * What is as many as tables is kept in temporary tables of the catalogue's
 * connection, and streamed from there.
 */

#include <stdio.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/run/run_dir.h"

struct report;

enum report_verdict {
    REPORT_EQUAL,      /* every table was compared and is equal, or within what
                          was accepted beforehand */
    REPORT_DIFFERS,    /* something is not equal */
    REPORT_INCOMPLETE, /* something is not copied, or could not be compared */
    REPORT_UNVERIFIED, /* all is copied; nothing is proved of it */
    REPORT_N_VERDICTS,
};

/* "equal", "differs", "incomplete", "unverified". */
const char *report_verdict_name(enum report_verdict v);

/* All borrowed for as long as the report lives. */
struct report_params {
    const struct run_dir *dir;
    struct catalog *catalog;
    const struct facts *facts;
    const char *version; /* of the program */
    int at_work;         /* the last command in the log is at work now */
    int verdict_only;    /* nothing else will be asked of it */
};

int report_make(struct report **ret, const struct report_params *p,
                struct err *err);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free)

enum report_verdict report_verdict(const struct report *r);
/* Why: a sentence. */
const char *report_because(const struct report *r);
/* When the proof that it rests on ended, in milliseconds since 1970; 0: there
   is none. */
uint64_t report_proved_at(const struct report *r);

int report_json(struct report *r, const struct bytes_out *out, struct err *err);
/* One self-contained page; at most some MB, whatever the run is. */
int report_html(struct report *r, FILE *to, struct err *err);
