/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Audit: RUN/audit.jsonl, who has done what with a run: a line when a command
 * begins that can change it, and one when it ends.  Lines are only added.
 *
 * Each line ends in a SHA-256 of what stands before that, and begins with the
 * one of the line before it: a line that is changed, taken out, or moved is
 * noticed by whoever reads them all.  Lines that are cut off the end are
 * noticed by who has kept a head (bag-info.txt has the one of the sealing,
 * attestations the one of the archiving).  The layout is in docs/audit.md.
 *
 * It is written under the run's lock.
 */

#include <jansson.h>
#include <stdint.h>

#include "io/err.h"

#define AUDIT_FILE "audit.jsonl"

/* The last line: how many there are, and its SHA-256 in hexadecimal digits. */
struct audit_head {
    uint64_t n;
    char sha256[65]; /* "" when there is none */
};

/* What a crash has torn at the end is passed over. */
int audit_read_head(struct audit_head *ret, int dir_fd, struct err *err);

/*
 * Add a line: who, where and when, and then entry, which is taken over also on
 * failure.  durable: it has reached the disk.
 */
int audit_add(int dir_fd, json_t *entry, int durable, struct err *err);

/*
 * Read all of it.  ERR_CORRUPT names the first line that is not what was
 * written.  visit, which may be NULL, gets every line in order; not 0: the
 * end.
 */
typedef int audit_visit(void *arg, const struct audit_head *at,
                        const json_t *entry, struct err *err);
int audit_verify(struct audit_head *ret, int dir_fd, audit_visit *visit,
                 void *arg, struct err *err);
