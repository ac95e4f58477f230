/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * COPY FROM STDIN in blocking messages of 64 to 128 KiB, which is what the
 * server takes fastest.  A target that has gone away is noticed within a few
 * MB, not at the end.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/err.h"
#include "loader/pg/session.h"

enum { COPY_IN_MESSAGE = 128 << 10 };

/* sql is a whole COPY ... FROM STDIN. */
int copy_in_begin(struct session *s, const char *sql, struct err *err);

/* Any number of bytes; sent in messages of at most COPY_IN_MESSAGE. */
int copy_in_send(struct session *s, const void *data, size_t len,
                 struct err *err);

/* *ret_rows is what the server says it has taken. */
int copy_in_end(struct session *s, uint64_t *ret_rows, struct err *err);

/* Make the COPY fail on the server; nothing of it stays. */
void copy_in_abandon(struct session *s, const char *reason);
