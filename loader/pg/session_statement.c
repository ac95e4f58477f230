/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/pg/connection.h"
#include "loader/pg/session_private.h"

/* For the server to end what was cancelled. */
enum { ABANDON_MS = 5000 };

static int
fail(struct session *s, const PGresult *res, struct err *err)
{
    return session_fail(s, res, err, "could not execute %s",
                        s->doing[0] ? s->doing : "a statement");
}

/* A wait in the middle of a statement, which ends with the wait when the run
   is stopped. */
static int
wait_or_cancel(struct session *s, short events, int ms, struct err *err)
{
    int r = connection_wait(s->conn, s->stop, events, ms, err);

    if (r < 0)
        session_abandon(s);
    return r;
}

int
session_wait(struct session *s, struct err *err)
{
    int r = wait_or_cancel(s, POLLIN, CONNECTION_WAIT_MS, err);

    return r < 0 ? r : 0;
}

int
session_readable(struct session *s, struct err *err)
{
    return wait_or_cancel(s, POLLIN, 0, err);
}

int
session_flush(struct session *s, struct err *err)
{
    int r;

    while ((r = PQflush(s->conn)) > 0) {
        /* The server stops reading while nobody reads its own messages. */
        r = wait_or_cancel(s, POLLIN | POLLOUT, CONNECTION_WAIT_MS, err);
        if (r < 0)
            return r;
        if (!PQconsumeInput(s->conn))
            return fail(s, NULL, err);
    }
    return r < 0 ? fail(s, NULL, err) : 0;
}

/* Settings made for the statement that follows them are not what is done. */
static const char *
past_settings(const char *sql)
{
    const char *end;

    while (strncmp(sql, "SET LOCAL ", 10) == 0 && (end = strchr(sql, ';')) &&
           end[1 + strspn(end + 1, " \n")])
        sql = end + 1 + strspn(end + 1, " \n");
    return sql;
}

/* "LOCK TABLE" of "LOCK TABLE x": upper-case words, two at most. */
static void
note_doing(struct session *s, const char *statements)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    const char *sql = past_settings(statements);
    size_t first = strspn(sql, letters);
    size_t second = sql[first] == ' ' ? strspn(sql + first + 1, letters) : 0;

    snprintf(s->doing, sizeof s->doing, "%.*s",
             (int)(second ? first + 1 + second : first), sql);
}

/* Before anything is sent. */
static int
check_ready(struct session *s, const char *sql, struct err *err)
{
    note_doing(s, sql);
    if (s->stop && stop_check(s->stop, err))
        return -1;
    if (session_state(s) != SESSION_READY)
        return err_set(err, ERR_SERVER, "the connection to the %s is lost",
                       session_side_name(s));
    return 0;
}

int
session_send(struct session *s, const char *sql, struct err *err)
{
    int r = check_ready(s, sql, err);

    if (r)
        return r;
    return PQsendQuery(s->conn, sql) ? session_flush(s, err)
                                     : fail(s, NULL, err);
}

int
session_next(struct session *s, PGresult **ret, struct err *err)
{
    int r;

    while (PQisBusy(s->conn)) {
        r = session_wait(s, err);
        if (r)
            return r;
        if (!PQconsumeInput(s->conn))
            break; /* the connection is lost: the result will say so */
    }
    *ret = PQgetResult(s->conn);
    return 0;
}

static int
is_failure(const PGresult *res)
{
    switch (PQresultStatus(res)) {
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        return 0;
    default:
        return 1;
    }
}

static int
is_copy(const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
           status == PGRES_COPY_BOTH;
}

/* A COPY where none was begun could not be ended by reading on; the reverse
   has nothing to read. */
static int
refuse_copy(struct session *s, struct err *err)
{
    err_set(err, ERR_SERVER, "unexpected answer to %s on the %s", s->doing,
            session_side_name(s));
    strcpy(err->sqlstate, "0A000"); /* feature_not_supported: do not retry */
    return -1;
}

/* Take res and all after it: the first failure is the error, what follows are
   its consequences. */
static int
finish(struct session *s, PGresult *res, PGresult **ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *last = NULL;
    struct err later;
    int failed = 0, r;

    while (res) {
        session_clear(last);
        last = res;
        if (is_copy(res)) {
            session_abandon(s);
            return failed ? -1 : refuse_copy(s, err);
        }
        if (!failed && is_failure(res))
            failed = fail(s, res, err);
        r = session_next(s, &res, failed ? &later : err);
        if (r)
            return r;
    }
    if (failed)
        return -1;
    if (ret)
        *ret = take(last);
    return 0;
}

int
session_finish(struct session *s, PGresult **ret, struct err *err)
{
    PGresult *res;
    int r = session_next(s, &res, err);

    return r ? r : finish(s, res, ret, err);
}

int
session_copy(struct session *s, const char *sql, ExecStatusType direction,
             struct err *err)
{
    int r = session_send(s, sql, err);

    return r ? r : session_copy_begun(s, direction, err);
}

int
session_copy_begun(struct session *s, ExecStatusType direction, struct err *err)
{
    PGresult *res;
    int r = session_next(s, &res, err);

    if (r)
        return r;
    if (PQresultStatus(res) == direction) {
        session_clear(res);
        return 0;
    }
    r = finish(s, res, NULL, err);
    return r ? r : refuse_copy(s, err);
}

static int
drop_copy_data(PGconn *conn)
{
    char *data;
    int n;

    while ((n = PQgetCopyData(conn, &data, 1)) > 0)
        PQfreemem(data);
    return n == 0; /* more will come */
}

/* One step of reading what nobody wants; 0 when there is nothing left. */
static int
drop_result(struct session *s)
{
    PGresult *res = PQgetResult(s->conn);
    ExecStatusType status = PQresultStatus(res);

    PQclear(res);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH)
        PQputCopyEnd(s->conn, "abandoned");
    return res != NULL;
}

/*
 * A backend that waits for us to take its data does not hear the cancel: so
 * read on, whether the run is stopped or not, but not for ever.
 */
void
session_abandon(struct session *s)
{
    uint64_t deadline = clock_ms() + ABANDON_MS;
    struct err ignored;
    short events;

    if (session_state(s) != SESSION_READY ||
        PQtransactionStatus(s->conn) != PQTRANS_ACTIVE)
        return;
    s->state = SESSION_BROKEN;
    if (connection_cancel(s->conn))
        return; /* a late cancel would hit the next statement */
    while (clock_ms() < deadline && PQstatus(s->conn) == CONNECTION_OK) {
        if (PQisBusy(s->conn) || drop_copy_data(s->conn)) {
            events = PQflush(s->conn) > 0 ? POLLIN | POLLOUT : POLLIN;
            connection_wait(s->conn, NULL, events, CONNECTION_WAIT_MS,
                            &ignored);
            PQconsumeInput(s->conn);
        } else if (!drop_result(s)) {
            s->state = SESSION_READY;
            return;
        }
    }
}

int
session_exec(struct session *s, const char *sql, struct err *err)
{
    int r = session_send(s, sql, err);

    return r ? r : session_finish(s, NULL, err);
}

int
session_execf(struct session *s, struct err *err, const char *fmt, ...)
{
    va_list ap;
    char *sql;
    int r;

    va_start(ap, fmt);
    r = vasprintf(&sql, fmt, ap);
    va_end(ap);
    if (r < 0)
        return err_nomem(err);
    r = session_exec(s, sql, err);
    free(sql);
    return r;
}

int
session_query(struct session *s, const char *sql, PGresult **ret,
              struct err *err)
{
    int r = session_send(s, sql, err);

    return r ? r : session_finish(s, ret, err);
}

int
session_query_params(struct session *s, const char *sql, int n,
                     const char *const *values, PGresult **ret, struct err *err)
{
    int r = check_ready(s, sql, err);

    if (r)
        return r;
    if (!PQsendQueryParams(s->conn, sql, n, NULL, values, NULL, NULL, 0))
        return fail(s, NULL, err);
    r = session_flush(s, err);
    return r ? r : session_finish(s, ret, err);
}

int
session_exec_binary(struct session *s, const char *sql, unsigned n,
                    const struct session_value *values, struct err *err)
{
    return session_query_binary(s, sql, n, values, NULL, err);
}

int
session_query_binary(struct session *s, const char *sql, unsigned n,
                     const struct session_value *values, PGresult **ret,
                     struct err *err)
{
    const char *at[SESSION_VALUES_MAX];
    int lengths[SESSION_VALUES_MAX], formats[SESSION_VALUES_MAX];
    int r = check_ready(s, sql, err);

    assert(n <= SESSION_VALUES_MAX);
    if (r)
        return r;
    for (unsigned i = 0; i < n; i++) {
        at[i] = values[i].data;
        lengths[i] = (int)values[i].len;
        formats[i] = 1;
    }
    if (!PQsendQueryParams(s->conn, sql, (int)n, NULL, at, lengths, formats, 0))
        return fail(s, NULL, err);
    r = session_flush(s, err);
    return r ? r : session_finish(s, ret, err);
}

int
session_each(struct session *s, const char *sql,
             int (*visit)(void *arg, const PGresult *row, struct err *err),
             void *arg, struct err *err)
{
    PGresult *res;
    int r;

    r = session_send(s, sql, err);
    if (r)
        return r;
    PQsetSingleRowMode(s->conn);
    for (;;) {
        r = session_next(s, &res, err);
        if (r)
            return r;
        if (PQresultStatus(res) != PGRES_SINGLE_TUPLE)
            return finish(s, res, NULL, err);
        r = visit(arg, res, err);
        session_clear(res);
        if (r) {
            session_abandon(s);
            return r;
        }
    }
}
