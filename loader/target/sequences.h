/* SPDX-License-Identifier: PostgreSQL */
#pragma once

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/run/catalog.h"

/*
 * Give every sequence the value that it had at the source: the next value
 * drawn on either side is the same.  All of them in one transaction.
 */
int sequences_set(struct session *s, struct catalog *c, struct err *err);
