/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A libpq connection whose waits end when the run is stopped: made, waited
 * for, and interrupted.  What is said on it is the session's business.
 */

#include <libpq-fe.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

struct connection_params {
    const char *conninfo;
    const char *application_name;
    const char *side;        /* "source" or "target", for messages */
    const struct stop *stop; /* may be NULL */
    int replication;
};

/* Nobody sleeps longer than this without asking libpq, since bytes may lie in
   the TLS layer, where poll() does not see them. */
enum { CONNECTION_WAIT_MS = 1000 };

/* Connect; non-blocking, verbose in its errors, silent about notices. */
int connection_open(PGconn **ret, const struct connection_params *p,
                    struct err *err);
PGconn *connection_close(PGconn *conn);
DEFINE_CLEANUP(PGconn *, connection_close)

/* Wait for poll()'s events.  1: ready; 0: not yet, after so many ms or a
   signal; <0: failed, or the run is stopped. */
int connection_wait(PGconn *conn, const struct stop *stop, short events, int ms,
                    struct err *err);

/* Have the server cancel what it does for us.  0: it has been told; <0: it
   could not be told in time, and may still be later. */
int connection_cancel(PGconn *conn);
