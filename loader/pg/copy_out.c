/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/copy_out.h"

#include "io/clock.h"

/*
 * Long enough for several of the server's 8 KB to come together, short enough
 * for a Unix socket's 208 KB not to fill up, where the server would wait.
 */
enum { NAP_US = 400 };

int
copy_out_begin(struct session *s, const char *sql, struct err *err)
{
    return session_copy(s, sql, PGRES_COPY_OUT, err);
}

/*
 * Have libpq read what has come.  It reads 8 to 16 KB at once, so that more
 * often lies in the socket already: a nap then would be a nap for each of
 * these, and the server would wait for us.  1: the connection is lost.
 */
static int
read_more(struct session *s, int *napped, struct err *err)
{
    int r = session_readable(s, err);

    if (r == 0 && !*napped) {
        clock_nap_us(NAP_US);
        *napped = 1;
    } else if (r == 0) {
        r = session_wait(s, err);
        *napped = 0;
    }
    if (r < 0)
        return r;
    return !PQconsumeInput(session_conn(s));
}

int
copy_out_next(struct session *s, char **data, size_t *len, struct err *err)
{
    int lost = 0, napped = 0, n;
    char *message;

    while ((n = PQgetCopyData(session_conn(s), &message, 1)) == 0) {
        if (lost)
            return session_fail(s, NULL, err, "could not execute COPY");
        lost = read_more(s, &napped, err);
        if (lost < 0)
            return lost;
    }
    if (n == -2)
        return session_fail(s, NULL, err, "could not execute COPY");
    if (n == -1)
        return session_finish(s, NULL, err) ? -1 : COPY_OUT_E_END;
    *data = message;
    *len = (size_t)n;
    return 0;
}

void
copy_out_abandon(struct session *s)
{
    session_abandon(s);
}
