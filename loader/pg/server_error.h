/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a server, or libpq in its place, has said, as a struct err: its
 * SQLSTATE, its primary message after ours, its DETAIL and CONTEXT, its HINT
 * or one of ours for the usual causes.
 */

#include <libpq-fe.h>

#include "io/err.h"

/*
 * "<what>: <the server's message>".  From the result, or from the connection
 * when r is NULL or says nothing; the connection's verbosity must be
 * PQERRORS_VERBOSE, since only so it tells the SQLSTATE.  Returns -1.
 */
int server_error_fill(struct err *err, const PGconn *conn, const PGresult *r,
                      const char *what);

/* The server's own words in an error of a statement at the source, without
   ours before them. */
const char *server_error_words(const struct err *err);
