/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The rows of a query by pages.  Unlike session_each() it leaves the session
 * free while a page is visited, and unlike LIMIT it runs the query once; but
 * the session must be in a transaction, and one cursor at a time is open.
 */

#include "io/err.h"
#include "loader/pg/session.h"

/* A visit that is not 0 ends it and is returned; no page is empty. */
int cursor_each_page(struct session *s, const char *sql, unsigned n_rows,
                     int (*visit)(void *arg, const PGresult *page,
                                  struct err *err),
                     void *arg, struct err *err);
