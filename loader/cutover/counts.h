/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Counts: has every published table as many rows on the one side as on the
 * other?  Both are still.  Asked of both servers at once, table by table.
 */

#include <stdint.h>

#include "io/err.h"
#include "io/stop.h"
#include "loader/pg/session.h"

struct counts {
    struct session *source, *target;
    const char *publications; /* of the source; an array's text */
    const struct stop *stop;  /* may be NULL */
};

/* ERR_DIFFERS names the first that differ; *ret_n: so many were compared. */
int counts_compare(const struct counts *x, uint64_t *ret_n, struct err *err);
