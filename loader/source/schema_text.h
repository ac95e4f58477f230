/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The schema as plain SQL, to read, and to restore by hand with psql:
 * RUN/data/schema/pre-data.sql and post-data.sql, out of data/schema.dump.
 *
 * The same dump gives the same bytes.  Where pg_restore knows \restrict
 * (CVE-2025-8714) its key is the dump's own SHA-256: nobody who writes into
 * the dump can know it.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/facts.h"
#include "loader/run/run_dir.h"

struct schema_text_params {
    const struct run_dir *dir;
    int dump_fd; /* of schema_dump(); -1: of the file */
    const struct age_recipients *recipients; /* NULL: as they are */
    const struct stop *stop;
};

/* Writes both durably, over older ones, and their digests into f, where the
   server's version and the dump's digest stand. */
int schema_text(const struct schema_text_params *p, struct facts *f,
                struct err *err);
