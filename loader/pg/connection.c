/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/connection.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/clock.h"
#include "loader/pg/conninfo.h"
#include "loader/pg/server_error.h"

enum { CANCEL_S = 5 };

PGconn *
connection_close(PGconn *conn)
{
    PQfinish(conn);
    return NULL;
}

int
connection_wait(PGconn *conn, const struct stop *stop, short events, int ms,
                struct err *err)
{
    struct pollfd fds[] = {
        {.fd = PQsocket(conn), .events = events},
        {.fd = stop ? stop_fd(stop) : -1, .events = POLLIN},
    };
    int n;

    if (fds[0].fd < 0)
        return 1; /* libpq has closed it, and will say why */
    n = poll(fds, 2, ms);
    if (n < 0 && errno != EINTR)
        return err_sys(err, errno, "could not wait for PostgreSQL");
    if (stop && stop_check(stop, err))
        return -1;
    return n > 0;
}

static void *
cancel_main(void *arg)
{
    char why[256];

    PQcancel(arg, why, sizeof why);
    PQfreeCancel(arg);
    return NULL;
}

/* PQcancel() makes a connection of its own and waits for it, however long that
   takes; so it gets a thread of its own, which may be left to itself. */
int
connection_cancel(PGconn *conn)
{
    PGcancel *request = PQgetCancel(conn);
    struct timespec until;
    pthread_t thread;

    if (!request)
        return -1;
    if (pthread_create(&thread, NULL, cancel_main, request)) {
        PQfreeCancel(request);
        return -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CANCEL_S;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until)) {
        pthread_detach(thread);
        return -1;
    }
    return 0;
}

static void
ignore_notice(void *arg, const PGresult *res)
{
    (void)arg, (void)res;
}

static int
start(PGconn **ret, const struct connection_params *p, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    const char *const ours[][2] = {
        {"application_name", p->application_name},
        {"client_encoding", ""}, /* the session pins the database's */
        {"replication", p->replication ? "database" : ""},
    };
    enum { N_OURS = sizeof ours / sizeof *ours };
    const char **keywords, **values;
    unsigned n = 0;
    int r;

    r = conninfo_options(&options, p->conninfo, err);
    if (r)
        return r;
    while (options[n].keyword)
        n++;
    keywords = calloc(2 * (n + N_OURS + 1), sizeof *keywords);
    if (!keywords)
        return err_nomem(err);
    values = keywords + n + N_OURS + 1;

    for (unsigned i = 0; i < n; i++) {
        keywords[i] = options[i].keyword;
        values[i] = options[i].val;
    }
    for (unsigned i = 0; i < N_OURS; i++) {
        keywords[n + i] = ours[i][0]; /* the last of a name counts */
        values[n + i] = ours[i][1];
    }
    *ret = PQconnectStartParams(keywords, values, 0);
    free(keywords);
    return *ret ? 0 : err_nomem(err);
}

/* libpq goes from one host to the next by itself, so their time-outs add up;
   it heeds connect_timeout only when it does the waiting. */
static uint64_t
deadline_of(PGconn *conn)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options =
        PQconninfo(conn);
    const char *timeout = conninfo_value(options, "connect_timeout");
    const char *hosts = conninfo_value(options, "host");
    int seconds = timeout ? atoi(timeout) : 0;
    uint64_t n_hosts = 1;

    for (; hosts && (hosts = strchr(hosts, ',')); hosts++)
        n_hosts++;
    return seconds > 0 ? clock_ms() + (uint64_t)seconds * n_hosts * 1000
                       : UINT64_MAX;
}

/* 0, 1: no connection, the PGconn says why; <0: given up. */
static int
wait_until_connected(PGconn *conn, const struct connection_params *p,
                     struct err *err)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    uint64_t deadline = deadline_of(conn);
    short events;
    int r;

    if (PQstatus(conn) == CONNECTION_BAD)
        return 1;
    while (next != PGRES_POLLING_OK) {
        events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        r = connection_wait(conn, p->stop, events, CONNECTION_WAIT_MS, err);
        if (r < 0)
            return r;
        if (clock_ms() > deadline)
            return err_set(err, ERR_SERVER,
                           "could not connect to the %s: timeout expired",
                           p->side);
        if (r > 0)
            next = PQconnectPoll(conn);
        if (next == PGRES_POLLING_FAILED)
            return 1;
    }
    return 0;
}

static void
add_where(const struct connection_params *p, struct err *err)
{
    struct err ignored;
    char *where;

    if (err->class != ERR_SERVER || err->detail[0] ||
        conninfo_display(&where, p->conninfo, &ignored))
        return;
    err_detail(err, "The connection is %s", where);
    free(where);
}

int
connection_open(PGconn **ret, const struct connection_params *p,
                struct err *err)
{
    cleanup_(connection_closep) PGconn *conn = NULL;
    char what[64];
    int r;

    r = start(&conn, p, err);
    if (r)
        return r;
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* for server_error_fill() */

    r = wait_until_connected(conn, p, err);
    if (r > 0) {
        snprintf(what, sizeof what, "could not connect to the %s", p->side);
        server_error_fill(err, conn, NULL, what);
    }
    if (r) {
        add_where(p, err);
        return -1;
    }
    PQsetnonblocking(conn, 1);
    *ret = take(conn);
    return 0;
}
