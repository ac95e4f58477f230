/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What session.c (the connection's life) and session_statement.c (what is
 * done on it) share.
 */

#include "loader/pg/session.h"

/* Changed by connect_now(), session_state() and session_abandon(). */
enum session_state {
    SESSION_READY,
    SESSION_BROKEN, /* not pinned, lost, or given up; session_reopen() helps */
};

struct session {
    PGconn *conn;
    enum session_state state;
    enum session_side side;
    int replication;
    int stores;
    int bare;
    int version;
    char encoding[64];        /* the database's */
    char client_encoding[64]; /* empty: the same */
    char doing[32];           /* first words of the statement, for messages */
    char *conninfo;
    char *application_name;
    const struct stop *stop; /* borrowed */
};

const char *session_side_name(const struct session *s);

/* libpq may learn that the connection is lost at any call. */
enum session_state session_state(struct session *s);
