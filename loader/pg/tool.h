/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * PostgreSQL's own programs, pg_dump and pg_restore, run as children.
 *
 * Nobody else's DDL is as right as theirs.  A child gets no secret in its
 * arguments or environment, its messages are kept for our error, and it is
 * ended when the run is stopped.
 */

#include <stddef.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

/*
 * The path of the oldest installed program of this name that is at least of
 * this major version: in PATH and where Debian and others keep theirs.  The
 * caller frees.  ERR_REFUSED when there is none, naming what was found.
 */
int tool_find(char **ret, const char *program, int major, struct err *err);

/*
 * The same, of pg_dump and pg_restore for the schema of a server of this
 * version.  Before 15 they are silent about the owner and the privileges of
 * the schema "public" where these are the server's own defaults, which are
 * others since: so this finds 15 or newer where there is one.
 */
enum { TOOL_KNOWS_PUBLIC = 15, TOOL_KNOWS_STATISTICS = 18 };
int tool_find_for_schema(char **ret, const char *program, int major,
                         struct err *err);

struct tool_params {
    const char *path;        /* from tool_find() */
    const char *const *args; /* without argv[0]; ends in NULL */
    const char *conninfo;    /* NULL, or the database: becomes -d ... */
    int stdout_fd;           /* -1: caught, see tool_capture() */
    const struct stop *stop;
};

/* Run it to its end.  A status other than 0 is an error with its last words
   as the detail. */
int tool_run(const struct tool_params *p, struct err *err);

/* The same, and *ret is all that it printed (with a NUL behind), at most max
   bytes; the caller frees. */
int tool_capture(const struct tool_params *p, size_t max, char **ret,
                 size_t *ret_len, struct err *err);
