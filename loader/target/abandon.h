/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Abandon: undo what a load has left in its target, finished or not.
 *
 *     rows (when asked)  the run's tables are emptied; of their triggers those
 *                        fire that are ALWAYS to fire, where the role may
 *                        choose
 *     aside              triggers, keys and indexes are put back as they were
 *     ledger             the run's rows go, and with the last run the schema
 *
 * Objects that a load has created stay.  It may be repeated: each step finds
 * what the one before has left.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"

struct abandon_params {
    const char *conninfo;
    const char *ledger_schema;
    const struct facts *facts;
    int drop_data;
    const struct stop *stop;
    void (*tell)(void *arg, const char *what); /* of what was done */
    void *arg;
};

/* Outcome: the target knows nothing of this run. */
enum { ABANDON_E_NONE = 1 };

/* ERR_REFUSED while a load of the run is at work. */
int abandon_load(const struct abandon_params *p, struct catalog *c,
                 struct err *err);
