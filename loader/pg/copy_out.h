/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * COPY TO STDOUT, read with few wake-ups: when nothing has come and nothing
 * lies in the socket, the reader naps a little before it sleeps in poll(), so
 * that the server's 8 KB pieces pile up.  Woken for each of them, the
 * server's own process would pay up to a third more CPU.
 */

#include <stddef.h>

#include "io/err.h"
#include "loader/pg/session.h"

/* Outcomes. */
enum {
    COPY_OUT_E_END = 1, /* complete; the session is READY again */
    COPY_OUT_E_STALLED, /* not a byte has come for so long; ask again */
};

/* sql is a whole COPY ... TO STDOUT. */
int copy_out_begin(struct session *s, const char *sql, struct err *err);

/* The same in two steps.  A server says that it has begun together with the
   first rows, so that may take long: E_STALLED as below. */
int copy_out_send(struct session *s, const char *sql, struct err *err);
int copy_out_begun_within(struct session *s, unsigned patience_ms,
                          struct err *err);

/* The next message's bytes; free with PQfreemem. */
int copy_out_next(struct session *s, char **data, size_t *len, struct err *err);
/* The same, with E_STALLED after patience_ms without a byte (0: never). */
int copy_out_next_within(struct session *s, unsigned patience_ms, char **data,
                         size_t *len, struct err *err);

/*
 * Give up in the middle: cancel on the server and read what is left, so that
 * the session can be used or closed.  Never fails; a dead one stays BROKEN.
 */
void copy_out_abandon(struct session *s);
