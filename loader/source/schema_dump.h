/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The schema, as pg_dump sees it in the run's snapshot: RUN/data/schema.dump,
 * in the custom format, definitions only.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"

/* Writes it durably, over an older one; s is a session in that snapshot. */
int schema_dump(const struct run_dir *dir, const char *conninfo,
                struct session *s, const char *snapshot,
                const struct stop *stop, struct err *err);
