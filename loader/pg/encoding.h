/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Encodings of databases: whether one can hold every text of another.
 *
 * Each holds its own; UTF8 holds what has a conversion into it.  SQL_ASCII is
 * bytes of nobody knows which encoding: nothing else holds them, and as a
 * target it would count bytes for characters.  That a database in LATIN1
 * could hold a certain text in UTF8 is known only when all of it is read, and
 * a load that fails in its middle is worse than one that is refused.
 */

#include "io/err.h"

int encoding_holds(const char *to, const char *from);

/* ERR_REFUSED unless it does. */
int encoding_require(const char *to, const char *from, struct err *err);
