/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Unchecked: keys that PostgreSQL checks by triggers, and so did not check
 * while the rows came with session_replication_role = replica: foreign keys
 * and deferrable unique keys.  Each is checked here by one query over its
 * table.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* Of the tables of PLACES.  ERR_DIFFERS when one is
   violated; each is noted with the number of rows and the first of them. */
int unchecked_find(struct session *s, struct progress *p, struct err *err);
