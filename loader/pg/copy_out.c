/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/copy_out.h"

#include "io/clock.h"

/*
 * Long enough for several of the server's 8 KB to come together, short enough
 * for a Unix socket's 208 KB not to fill up, where the server would wait.
 */
enum { NAP_US = 400 };

/* For the next message. */
struct waiting {
    int napped;
    uint64_t since_ms; /* not a byte has come; 0: some has */
};

/*
 * Have libpq read what has come.  It reads 8 to 16 KB at once, so that more
 * often lies in the socket already: a nap then would be a nap for each of
 * these, and the server would wait for us.  1: the connection is lost.
 */
static int
read_more(struct session *s, struct waiting *w, struct err *err)
{
    int r = session_readable(s, err);

    if (r > 0)
        w->since_ms = 0;
    if (r == 0 && !w->napped) {
        clock_nap_us(NAP_US);
        w->napped = 1;
    } else if (r == 0) {
        if (w->since_ms == 0)
            w->since_ms = clock_ms();
        r = session_wait(s, err);
        w->napped = 0;
    }
    if (r < 0)
        return r;
    return !PQconsumeInput(session_conn(s));
}

static int
is_stalled(const struct waiting *w, unsigned patience_ms)
{
    return patience_ms > 0 && w->since_ms > 0 &&
           clock_ms() - w->since_ms >= patience_ms;
}

int
copy_out_begin(struct session *s, const char *sql, struct err *err)
{
    return session_copy(s, sql, PGRES_COPY_OUT, err);
}

int
copy_out_send(struct session *s, const char *sql, struct err *err)
{
    return session_send(s, sql, err);
}

int
copy_out_begun_within(struct session *s, unsigned patience_ms, struct err *err)
{
    struct waiting w = {0};
    int lost = 0;

    while (!lost && PQisBusy(session_conn(s))) {
        if (is_stalled(&w, patience_ms))
            return COPY_OUT_E_STALLED;
        lost = read_more(s, &w, err);
        if (lost < 0)
            return lost;
    }
    return session_copy_begun(s, PGRES_COPY_OUT, err);
}

int
copy_out_next(struct session *s, char **data, size_t *len, struct err *err)
{
    return copy_out_next_within(s, 0, data, len, err);
}

int
copy_out_next_within(struct session *s, unsigned patience_ms, char **data,
                     size_t *len, struct err *err)
{
    struct waiting w = {0};
    int lost = 0, n;
    char *message;

    while ((n = PQgetCopyData(session_conn(s), &message, 1)) == 0) {
        if (lost)
            return session_fail(s, NULL, err, "could not execute COPY");
        if (is_stalled(&w, patience_ms))
            return COPY_OUT_E_STALLED;
        lost = read_more(s, &w, err);
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
