/* SPDX-License-Identifier: PostgreSQL */
#include "tests/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/server_process.h"

enum { AWAIT_MS = 120000, POLL_MS = 5 };

const char *
server_bin_dir(void)
{
    const char *newest = getenv("PGBIN");
    glob_t found = {0};

    if (newest)
        return newest;
    newest = "/usr/bin";
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        newest = found.gl_pathv[0];
        for (size_t i = 1; i < found.gl_pathc; i++) {
            if (strverscmp(found.gl_pathv[i], newest) > 0)
                newest = found.gl_pathv[i];
        }
    }
    newest = server_process_text("%s", newest);
    globfree(&found);
    return newest;
}

const char *
server_own_bin_dir(const char *server)
{
    const char *other =
        getenv(strcmp(server, "target") == 0 ? "PGHAUL_TEST_TARGET"
                                             : "PGHAUL_TEST_SOURCE");

    return other ? other : server_bin_dir();
}

static const char *
root(void)
{
    const char *why = getenv(SERVER_FAILURE_ENV);

    if (why)
        cr_assert_fail("no servers to test with: %s", why);
    return getenv(SERVER_ROOT_ENV);
}

const char *
server_socket_dir(const char *server)
{
    return server_process_text("%s/%s", root(), server);
}

const char *
server_data_dir(const char *server)
{
    return server_process_text("%s/%s/data", root(), server);
}

const char *
server_log_file(const char *server)
{
    return server_process_text("%s/%s/log", root(), server);
}

const char *
server_conninfo_of(const char *server, const char *database)
{
    return server_process_text("host=%s port=5432 user=postgres dbname=%s",
                               server_socket_dir(server), database);
}

const char *
server_conninfo(const char *server)
{
    return server_conninfo_of(server, "postgres");
}

const char *
server_database_with(const char *server, const char *words)
{
    static unsigned n;
    const char *name = server_process_text("test_%d_%u", getpid(), n++);

    server_sql(server_conninfo(server),
               server_process_text("CREATE DATABASE %s %s", name, words));
    return server_conninfo_of(server, name);
}

const char *
server_database(const char *server)
{
    return server_database_with(server, "");
}

static void
ignore_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static PGconn *
connect_to(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);

    PQsetNoticeProcessor(conn, ignore_notice, NULL);
    return conn;
}

/* What the last of the statements in sql gives, as server_value(). */
static const char *
ask(PGconn *conn, const char *sql)
{
    PGresult *r = PQstatus(conn) == CONNECTION_OK ? PQexec(conn, sql) : NULL;
    const char *value = NULL, *why;

    if (PQresultStatus(r) != PGRES_COMMAND_OK &&
        PQresultStatus(r) != PGRES_TUPLES_OK) {
        why = server_process_text("%s", PQerrorMessage(conn));
        PQclear(r);
        PQfinish(conn);
        cr_assert_fail("%s%s", why, sql);
    }
    if (PQntuples(r) > 0 && !PQgetisnull(r, 0, 0))
        value = server_process_text("%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    return value;
}

const char *
server_value(const char *conninfo, const char *sql)
{
    PGconn *conn = connect_to(conninfo);
    const char *value = ask(conn, sql);

    PQfinish(conn);
    return value;
}

void
server_sql(const char *conninfo, const char *sql)
{
    server_value(conninfo, sql);
}

/* One session asks: to begin one costs a hundred times a question. */
void
server_await(const char *conninfo, const char *condition)
{
    PGconn *conn = connect_to(conninfo);
    uint64_t deadline = clock_ms() + AWAIT_MS;
    const char *value = ask(conn, condition);

    while (!value || strcmp(value, "t") != 0) {
        if (clock_ms() > deadline) {
            PQfinish(conn);
            cr_assert_fail("never: %s", condition);
        }
        usleep(POLL_MS * 1000);
        value = ask(conn, condition);
    }
    PQfinish(conn);
}

int
server_version(const char *conninfo)
{
    return atoi(server_value(conninfo, "SHOW server_version_num"));
}

int
server_terminate(const char *conninfo, const char *which)
{
    const char *n = server_value(
        conninfo, server_process_text("SELECT count(pg_terminate_backend(pid))"
                                      " FROM pg_stat_activity WHERE %s",
                                      which));

    server_await(
        conninfo,
        server_process_text(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE %s", which));
    return atoi(n);
}

/* A row's text depends on settings, which a test may have made others. */
#define PLAIN_TEXT                                                             \
    "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';"              \
    "SET timezone = 'UTC'; SET extra_float_digits = 3;"                        \
    "SET bytea_output = 'hex'; SET lc_monetary = 'C';"                         \
    "SET row_security = off; SET statement_timeout = 0;"

#define SUMS_OF                                                                \
    "concat_ws(chr(32), count(*),"                                             \
    " sum(hashtextextended((r.*)::text, 0)::numeric),"                         \
    " sum(hashtextextended((r.*)::text, 1)::numeric)) FROM ONLY "

const char *
server_fingerprint(const char *conninfo, const char *table)
{
    return server_value(
        conninfo,
        server_process_text(PLAIN_TEXT "SELECT " SUMS_OF "%s AS r", table));
}

const char *
server_fingerprints(const char *conninfo, const char *which)
{
    PGconn *conn = connect_to(conninfo);
    const char *each =
        ask(conn,
            server_process_text(
                "SELECT string_agg(format('SELECT %%L || " SUMS_OF "%%s AS r',"
                " oid::regclass || ' ', oid::regclass), ' UNION ALL ')"
                " FROM pg_class WHERE %s",
                which));
    const char *all = NULL;

    if (each)
        all = ask(conn, server_process_text(
                            PLAIN_TEXT "SELECT string_agg(t, E'\n' ORDER BY t)"
                                       " FROM (%s) AS s (t)",
                            each));
    PQfinish(conn);
    cr_assert_not_null(all, "no table is %s", which);
    return all;
}

static void
ctl(const char *server, const char *const words[])
{
    const char *argv[10] = {
        server_process_text("%s/pg_ctl", server_own_bin_dir(server)),
        "-D",
        server_data_dir(server),
        "-s",
        "-l",
        server_log_file(server),
    };
    int status;
    unsigned n = 6;

    while (*words)
        argv[n++] = *words++;
    status = server_process_wait(
        server_process_start_logged(argv, server_log_file(server)));
    cr_assert_eq(status, 0, "pg_ctl %s exited with %d", words[-1], status);
}

void
server_crash(const char *server)
{
    ctl(server, (const char *const[]){"-m", "immediate", "stop", NULL});
}

void
server_start(const char *server)
{
    ctl(server, (const char *const[]){"-w", "start", NULL});
}

/* A file in memory cannot fill up as a pipe does, so nobody need read while
   the program runs. */
struct server_program
server_program_start(const char *const argv[])
{
    struct server_program p = {
        .out_fd = memfd_create("stdout", MFD_CLOEXEC),
        .err_fd = memfd_create("stderr", MFD_CLOEXEC),
    };

    p.pid = server_process_start(argv, p.out_fd, p.err_fd, 0);
    cr_assert(p.pid > 0, "could not start %s", argv[0]);
    return p;
}

static char *
caught(int fd)
{
    struct stat st;
    char *text;

    cr_assert(fstat(fd, &st) == 0);
    text = server_process_keep(calloc(1, (size_t)st.st_size + 1));
    cr_assert(pread(fd, text, (size_t)st.st_size, 0) == st.st_size);
    close(fd);
    return text;
}

struct server_run
server_program_wait(struct server_program *p)
{
    struct server_run run = {.status = server_process_wait(p->pid)};

    run.output = caught(p->out_fd);
    run.errors = caught(p->err_fd);
    return run;
}

void
server_program_await(const struct server_program *p, const char *text)
{
    uint64_t deadline = clock_ms() + AWAIT_MS;
    char said[4096];
    ssize_t n;

    do {
        cr_assert_lt(clock_ms(), deadline, "it never says: %s", text);
        usleep(POLL_MS * 1000);
        n = pread(p->err_fd, said, sizeof said - 1, 0);
        cr_assert_geq(n, 0);
        said[n] = '\0';
    } while (!strstr(said, text));
}

struct server_run
server_run(const char *const argv[])
{
    struct server_program p = server_program_start(argv);

    return server_program_wait(&p);
}

const char *
server_pghaul(void)
{
    const char *path = getenv("PGHAUL");

    return path ? path : "pghaul";
}

const char *
server_tmp_dir(void)
{
    char path[] = "/tmp/pgh.XXXXXX/tmp.XXXXXX";

    snprintf(path, sizeof path, "%s/tmp.XXXXXX", root());
    cr_assert(mkdtemp(path));
    return server_process_text("%s", path);
}
