/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/copy_in.h"

#include <inttypes.h>

int
copy_in_begin(struct session *s, const char *sql, struct err *err)
{
    return session_copy(s, sql, PGRES_COPY_IN, err);
}

/* What the server said before it went away is worth more than what the socket
   says: end the COPY, so that libpq looks at it. */
static int
fail(struct session *s, struct err *err)
{
    PQputCopyEnd(session_conn(s), "connection lost");
    if (session_finish(s, NULL, err) == 0)
        session_fail(s, NULL, err, "could not execute COPY");
    return -1;
}

/*
 * After a failed send libpq swallows what it is given until it is made to read
 * and finds the end.  A server that is content says nothing meanwhile, so
 * there is seldom anything to read.
 */
static int
send_message(struct session *s, const char *data, int len, struct err *err)
{
    PGconn *conn = session_conn(s);
    int r = session_readable(s, err);

    if (r < 0)
        return r;
    if ((r && !PQconsumeInput(conn)) || PQputCopyData(conn, data, len) != 1)
        return fail(s, err);
    r = session_flush(s, err);
    return r && err->class == ERR_SERVER ? fail(s, err) : r;
}

int
copy_in_send(struct session *s, const void *data, size_t len, struct err *err)
{
    const char *from = data;
    size_t part;
    int r;

    for (; len > 0; from += part, len -= part) {
        part = len < COPY_IN_MESSAGE ? len : COPY_IN_MESSAGE;
        r = send_message(s, from, (int)part, err);
        if (r)
            return r;
    }
    return 0;
}

int
copy_in_end(struct session *s, uint64_t *ret_rows, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    if (PQputCopyEnd(session_conn(s), NULL) != 1)
        return fail(s, err);
    r = session_flush(s, err);
    if (!r)
        r = session_finish(s, &res, err);
    if (r)
        return r;
    *ret_rows = strtoumax(PQcmdTuples(res), NULL, 10);
    return 0;
}

/* The COPY may be waiting for a lock and not listen, so it is cancelled too. */
void
copy_in_abandon(struct session *s, const char *reason)
{
    PQputCopyEnd(session_conn(s), reason);
    session_abandon(s);
}
