/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Question: one query whose answer is a finding. */

#include "loader/pg/session.h"
#include "loader/source/check/findings.h"

struct question {
    const char *name;
    /*
     * With "none": one column, the names of what is in the way; no row is ok
     * and "none" is what was seen.  Without: one row, the level as a number
     * and what was seen.
     */
    const char *sql;
    const char *none;
    const char *what; /* "3 <what>: a, b, c" */
    const char *one;  /* "1 <one>: a"; NULL: as what */
    enum finding_level level;
    const char *advice;
    int min_version; /* of the server; 0: all */
};

/* The database, when its collation's library has changed since it was made. */
#define QUESTION_COLLATION                                                     \
    "SELECT format('%s, was %s', pg_database_collation_actual_version(oid),"   \
    " datcollversion) FROM pg_database WHERE datname = current_database()"     \
    " AND datcollversion <> pg_database_collation_actual_version(oid)"

/*
 * parameter is $1 of the query; NULL: it has none.  That the server refuses an
 * answer is a warning among the findings; <0: it is gone, or we are stopped.
 */
int question_ask(const struct question *q, struct session *s,
                 const char *parameter, struct findings *f, struct err *err);

/* After a failure: a finding of that level, if the session can go on. */
int question_failed(struct findings *f, const char *name,
                    enum finding_level level, struct err *err);

/* Are there connections for us?  Shared by source and target. */
int question_connections(struct session *s, const char *name, unsigned needed,
                         struct findings *f, struct err *err);
