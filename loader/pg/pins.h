/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Pins: the settings that decide what a value looks like as text, what a text
 * means as a value, which rows are seen and how long one may take; each
 * session sets them all, so that no ALTER ROLE, ALTER DATABASE or PGOPTIONS
 * does.  Any role may set them.
 */

#include "io/err.h"

struct pin {
    const char *name;
    const char *value;
    int min_version; /* of the server; 0: all */
    int max_version; /* 0: all */
};

/* Ends with a NULL name. */
extern const struct pin pins[];

/*
 * The statements that pin them, for PQexec() as one string; *ret is the
 * caller's.  encoding is the database's.  source: also refuse to be served
 * from a view or foreign table in a table's place (CVE-2024-7348), which a
 * target's own views, when they are refreshed, could not bear.
 */
int pins_sql(char **ret, int version, const char *encoding, int source,
             struct err *err);
