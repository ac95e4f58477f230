/* SPDX-License-Identifier: PostgreSQL */

/*
 * drain [-j N] [-n] CONNINFO < STATEMENTS: run COPY ... TO STDOUT statements,
 * one a line, on N connections that share one snapshot, and throw the bytes
 * away: what no reader of the same statements can do better than.  Prints
 * how many bytes and messages came.
 *
 * Connections are read as loader/pg/copy_out.h says, and with -n in the way
 * of PQgetCopyData's example: asleep until something comes.
 */

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/err.h"

enum { NAP_US = 400, N_WORKERS_MAX = 64 };

struct drain {
    const char *conninfo;
    char *snapshot;
    int naive;
    char **statements;
    size_t n_statements;
    atomic_size_t next;
    atomic_ullong n_bytes, n_messages;
};

static void
must(int good, PGconn *conn)
{
    if (good)
        return;
    fprintf(stderr, "drain: %s", PQerrorMessage(conn));
    exit(ERR_SERVER);
}

static PGresult *
run(PGconn *conn, const char *sql, ExecStatusType expected)
{
    PGresult *r = PQexec(conn, sql);

    must(PQresultStatus(r) == expected, conn);
    return r;
}

static PGconn *
begin(const struct drain *d)
{
    PGconn *conn = PQconnectdb(d->conninfo);
    char sql[200];

    must(PQstatus(conn) == CONNECTION_OK, conn);
    PQclear(run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                PGRES_COMMAND_OK));
    if (d->snapshot) {
        snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", d->snapshot);
        PQclear(run(conn, sql, PGRES_COMMAND_OK));
    }
    return conn;
}

static int
next_message(const struct drain *d, PGconn *conn, char **data)
{
    struct pollfd p = {.fd = PQsocket(conn), .events = POLLIN};
    int n;

    if (d->naive)
        return PQgetCopyData(conn, data, 0);
    while ((n = PQgetCopyData(conn, data, 1)) == 0) {
        if (poll(&p, 1, 0) == 0) {
            usleep(NAP_US);
            poll(&p, 1, -1);
        }
        must(PQconsumeInput(conn), conn);
    }
    return n;
}

static void
drain_statement(struct drain *d, PGconn *conn, const char *sql)
{
    unsigned long long n_bytes = 0, n_messages = 0;
    PGresult *r;
    char *data;
    int n;

    PQclear(run(conn, sql, PGRES_COPY_OUT));
    while ((n = next_message(d, conn, &data)) > 0) {
        n_bytes += (unsigned)n;
        n_messages++;
        PQfreemem(data);
    }
    must(n == -1, conn);
    while ((r = PQgetResult(conn))) {
        must(PQresultStatus(r) == PGRES_COMMAND_OK, conn);
        PQclear(r);
    }
    d->n_bytes += n_bytes;
    d->n_messages += n_messages;
}

static void *
work(void *arg)
{
    struct drain *d = arg;
    PGconn *conn = begin(d);
    size_t i;

    while ((i = d->next++) < d->n_statements)
        drain_statement(d, conn, d->statements[i]);
    PQfinish(conn);
    return NULL;
}

static void
read_statements(struct drain *d)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        d->statements = reallocarray(d->statements, d->n_statements + 1,
                                     sizeof *d->statements);
        if (!d->statements)
            abort();
        d->statements[d->n_statements++] = line;
        line = NULL;
    }
    free(line);
}

static void
drain(struct drain *d, int n_workers)
{
    PGconn *keeper = begin(d);
    pthread_t threads[N_WORKERS_MAX];
    PGresult *r;
    int i;

    r = run(keeper, "SELECT pg_export_snapshot()", PGRES_TUPLES_OK);
    d->snapshot = strdup(PQgetvalue(r, 0, 0));
    PQclear(r);
    for (i = 0; i < n_workers; i++) {
        if (pthread_create(&threads[i], NULL, work, d))
            abort();
    }
    for (i = 0; i < n_workers; i++)
        pthread_join(threads[i], NULL);
    PQfinish(keeper);
}

int
main(int argc, char **argv)
{
    struct drain d = {0};
    int n_workers = 1, c;

    while ((c = getopt(argc, argv, "j:n")) != -1) {
        if (c == 'j')
            n_workers = atoi(optarg);
        else if (c == 'n')
            d.naive = 1;
        else
            n_workers = 0; /* refused below */
    }
    if (optind + 1 != argc || n_workers < 1 || n_workers > N_WORKERS_MAX) {
        fputs("usage: drain [-j N] [-n] CONNINFO < STATEMENTS\n", stderr);
        return ERR_USAGE;
    }
    d.conninfo = argv[optind];
    read_statements(&d);
    drain(&d, n_workers);
    printf("%llu %llu\n", d.n_bytes, d.n_messages);
    return 0;
}
