/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Notice: a small JSON object in a file of the run directory by which one
 * process tells others how it is, again and again: RUN/vitals.json,
 * RUN/pace.json.  It is replaced by rename, so a reader sees one or the other.
 * It says what is now, so nothing of it need survive the machine.
 */

#include "formats/manifest.h"
#include "io/err.h"
#include "loader/run/run_dir.h"

/* Outcome: there is no such file. */
enum { NOTICE_E_NONE = 1 };

/* o is taken over, also on failure.  One writer a name. */
int notice_write(const struct run_dir *dir, const char *name, json_t *o,
                 struct err *err);

/* *ret is the caller's. */
int notice_read(const struct run_dir *dir, const char *name,
                struct manifest **ret, struct err *err);

int notice_exists(const struct run_dir *dir, const char *name);
void notice_remove(const struct run_dir *dir, const char *name);
