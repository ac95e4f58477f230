/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/pg/conninfo.h"
#include "tests/server.h"

SERVERS({"one", .hba = "local all guarded scram-sha-256"})

static struct err err;

/* With what makes passfiles and connection strings stumble. */
static const char canary[] = "c4n4ry:\\ '\"#%";
static const char canary_uri[] = "c4n4ry%3A%5C%20%27%22%23%25";
static const char canary_keyword[] = "'c4n4ry:\\\\ \\'\"#%'";

/* ---- shown ---- */

Test(conninfo, is_shown_without_secrets)
{
    static const struct {
        const char *conninfo;
        const char *expected;
    } cases[] = {
        {"postgresql://me:c4n4ry@db.example.com:5433/sales?sslmode=prefer",
         "postgresql://me@db.example.com:5433/sales"},
        {"host=a,b port=1,2 user=me dbname=d password=c4n4ry",
         "postgresql://me@a:1,b:2/d"},
        {"host=a,b port=1 user=me dbname=d", "postgresql://me@a:1,b:1/d"},
        {"host=/run/pg user='m e' port=5432 dbname=a/b sslpassword=c4n4ry",
         "postgresql://m%20e@%2Frun%2Fpg:5432/a%2Fb"},
        {"host=::1 port=5432 user=me", "postgresql://me@[::1]:5432/me"},
        {"hostaddr=127.0.0.1 port=5432 user=me dbname=d",
         "postgresql://me@127.0.0.1:5432/d"},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *shown = NULL;

        cr_assert_eq(conninfo_display(&shown, cases[i].conninfo, &err), 0, "%s",
                     err.detail);
        cr_assert_str_eq(shown, cases[i].expected);
        free(shown);
    }
}

static const char *
service_file(const char *text)
{
    static char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/services", server_tmp_dir());
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    setenv("PGSERVICEFILE", path, 1);
    return path;
}

Test(conninfo, service_is_looked_up)
{
    char *shown = NULL;

    service_file("[sales]\nhost=there\nport=5439\nuser=she\ndbname=d\n"
                 "password=c4n4ry\n");
    cr_assert_eq(conninfo_display(&shown, "service=sales", &err), 0);
    cr_assert_str_eq(shown, "postgresql://she@there:5439/d");
    free(shown);

    cr_assert_lt(conninfo_display(&shown, "service=marketing", &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_str_eq(err.detail,
                     "definition of service \"marketing\" not found");
}

/* ---- our defaults ---- */

static const char *
option(const char *conninfo, const char *keyword)
{
    static char value[64];
    PQconninfoOption *options = NULL;

    cr_assert_eq(conninfo_options(&options, conninfo, &err), 0, "%s",
                 err.detail);
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            snprintf(value, sizeof value, "%s", o->val ? o->val : "-");
    }
    conninfo_options_free(options);
    return value;
}

Test(conninfo, silent_peers_are_noticed_unless_the_user_knows_better)
{
    cr_assert_str_eq(option("", "connect_timeout"), "30");
    cr_assert_str_eq(option("", "keepalives_idle"), "60");
    cr_assert_str_eq(option("", "tcp_user_timeout"), "-");
    cr_assert_str_eq(option("connect_timeout=5", "connect_timeout"), "5");

    service_file("[slow]\nconnect_timeout=300\n");
    cr_assert_str_eq(option("service=slow", "connect_timeout"), "-");
    setenv("PGCONNECT_TIMEOUT", "7", 1);
    cr_assert_str_eq(option("", "connect_timeout"), "-");
}

Test(conninfo, server_elsewhere_is_spoken_to_with_encryption_only)
{
    static const struct {
        const char *conninfo;
        const char *expected;
    } cases[] = {
        {"host=db.example.com", "require"},
        {"host=10.0.0.1", "require"},
        {"host=localhost.example.com", "require"},
        {"host=/tmp,db.example.com", "require"},
        {"host=localhost hostaddr=10.0.0.1", "require"},
        {"service=elsewhere", "require"},
        {"host=db.example.com sslmode=prefer", "prefer"},
        {"host=db.example.com sslmode=verify-full", "verify-full"},
        {"service=guarded", "-"},
        {"", "-"},
        {"host=/tmp", "-"},
        {"host=localhost", "-"},
        {"host=127.0.0.1,::1", "-"},
    };

    service_file("[elsewhere]\nhost=db.example.com\n"
                 "[guarded]\nhost=db.example.com\nsslmode=verify-ca\n");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(option(cases[i].conninfo, "sslmode"),
                         cases[i].expected, "%s", cases[i].conninfo);
    setenv("PGSSLMODE", "allow", 1);
    cr_assert_str_eq(option("host=db.example.com", "sslmode"), "-");
}

/* ---- handed on ---- */

/* Execute argv with what the child is to have; its stderr to a file. */
static pid_t
start_child(const struct conninfo_child *c, const char *const argv[],
            const char *log)
{
    pid_t pid = fork();
    int fd;

    if (pid == 0) {
        fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        if (c->passfile_fd >= 0)
            fcntl(c->passfile_fd, F_SETFD, 0);
        execve(argv[0], (char *const *)argv, c->env);
        _exit(127);
    }
    return pid;
}

static const char *
contents(const char *path)
{
    static char text[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    cr_assert(n >= 0);
    /* Arguments and variables end in NUL. */
    for (ssize_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : '\n';
    text[n] = '\0';
    return text;
}

static pid_t
start_pg_dump(const struct conninfo_child *c, const char *log)
{
    char path[256];

    snprintf(path, sizeof path, "%s/pg_dump", server_bin_dir());
    return start_child(c,
                       (const char *const[]){path, "-w", "-j2", "-Fd", "-f",
                                             server_tmp_dir(), "-d",
                                             c->conninfo, NULL},
                       log);
}

static const char *
make_guarded_database(void)
{
    const char *db = server_database("one");
    PGconn *conn = PQconnectdb(db);
    char *literal = PQescapeLiteral(conn, canary, strlen(canary));
    char sql[256];

    snprintf(sql, sizeof sql,
             "DROP ROLE IF EXISTS guarded;"
             "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD %s",
             literal);
    server_sql(db, sql);
    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS x");
    PQfreemem(literal);
    PQfinish(conn);
    return db;
}

static void
assert_pg_dump_gets_in(const char *conninfo)
{
    struct conninfo_child c;
    char log[256];
    int status;

    cr_assert_eq(conninfo_child_new(&c, conninfo, &err), 0, "%s", err.message);
    cr_assert_null(strstr(c.conninfo, "c4n4ry"));
    snprintf(log, sizeof log, "%s/log", server_tmp_dir());
    cr_assert(waitpid(start_pg_dump(&c, log), &status, 0) > 0);
    cr_assert_eq(status, 0, "%s: %s", conninfo, contents(log));
    conninfo_child_free(&c);
}

Test(conninfo, pg_dump_gets_in_with_a_password_from_anywhere)
{
    const char *dir = server_socket_dir("one");
    const char *name = strstr(make_guarded_database(), "dbname=") + 7;
    char text[1024];

    snprintf(text, sizeof text,
             "host=%s port=5432 user=guarded dbname=%s "
             "password=%s",
             dir, name, canary_keyword);
    assert_pg_dump_gets_in(text);

    snprintf(text, sizeof text, "postgresql://guarded:%s@:5432/%s?host=%s",
             canary_uri, name, dir);
    assert_pg_dump_gets_in(text);

    snprintf(text, sizeof text,
             "host=/nowhere,%s port=5432 user=guarded dbname=%s password=%s",
             dir, name, canary_keyword);
    assert_pg_dump_gets_in(text);

    snprintf(text, sizeof text,
             "[s]\nhost=%s\nport=5432\nuser=guarded\ndbname=%s\npassword=%s\n",
             dir, name, canary);
    service_file(text);
    assert_pg_dump_gets_in("service=s");

    snprintf(text, sizeof text, "host=%s port=5432 user=guarded dbname=%s", dir,
             name);
    setenv("PGPASSWORD", canary, 1);
    assert_pg_dump_gets_in(text);
    setenv("PGPASSWORD", "wrong", 1);
    snprintf(text, sizeof text,
             "host=%s port=5432 user=guarded dbname=%s "
             "password=%s",
             dir, name, canary_keyword);
    assert_pg_dump_gets_in(text);
}

static void
wait_for_lock_wait(const char *db)
{
    for (unsigned i = 0; i < 100; i++) {
        if (strcmp(server_value(db, "SELECT count(*) FROM pg_stat_activity"
                                    " WHERE wait_event_type = 'Lock'"),
                   "0") != 0)
            return;
        clock_nap_us(50000);
    }
    cr_assert_fail("pg_dump did not come");
}

Test(conninfo, password_is_in_no_argument_and_no_variable_of_the_child)
{
    const char *db = make_guarded_database();
    PGconn *locker = PQconnectdb(db);
    struct conninfo_child c;
    char text[1024], log[256];
    int status;
    pid_t pid;

    PQclear(PQexec(locker, "BEGIN; LOCK TABLE t"));
    snprintf(text, sizeof text, "%s user=guarded password=%s", db,
             canary_keyword);
    setenv("PGPASSWORD", canary, 1);
    cr_assert_eq(conninfo_child_new(&c, text, &err), 0, "%s", err.message);
    snprintf(log, sizeof log, "%s/log", server_tmp_dir());
    pid = start_pg_dump(&c, log);
    wait_for_lock_wait(db);

    snprintf(text, sizeof text, "/proc/%d/cmdline", pid);
    cr_assert_not_null(strstr(contents(text), "user='guarded'"));
    cr_assert_null(strstr(contents(text), "c4n4ry"));
    snprintf(text, sizeof text, "/proc/%d/environ", pid);
    cr_assert_not_null(strstr(contents(text), "PATH="));
    cr_assert_null(strstr(contents(text), "c4n4ry"));

    PQfinish(locker);
    cr_assert(waitpid(pid, &status, 0) > 0);
    cr_assert_eq(status, 0, "%s", contents(log));
    conninfo_child_free(&c);
}

Test(conninfo, password_file_is_ours_alone_and_not_inherited_unasked)
{
    struct conninfo_child c;
    struct stat st;

    cr_assert_eq(conninfo_child_new(&c, "host=/tmp password=x", &err), 0);
    cr_assert_eq(fstat(c.passfile_fd, &st), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
    cr_assert_eq(st.st_nlink, 0);
    cr_assert_eq(fcntl(c.passfile_fd, F_GETFD), FD_CLOEXEC);
    conninfo_child_free(&c);
    cr_assert_eq(c.passfile_fd, -1);
}

Test(conninfo, child_keeps_the_users_passfile_when_there_is_no_password)
{
    struct conninfo_child c;

    cr_assert_eq(conninfo_child_new(&c, "host=/tmp passfile=/my/own", &err), 0);
    cr_assert_eq(c.passfile_fd, -1);
    cr_assert_not_null(strstr(c.conninfo, "passfile='/my/own'"));
    conninfo_child_free(&c);

    cr_assert_eq(conninfo_child_new(&c, "passfile=/my/own password=x", &err),
                 0);
    cr_assert_null(strstr(c.conninfo, "/my/own"));
    conninfo_child_free(&c);
}

Test(conninfo, secret_that_cannot_be_hidden_is_refused)
{
    struct conninfo_child c;

    cr_assert_lt(conninfo_child_new(&c, "host=x sslpassword=c4n4ry", &err), 0);
    cr_assert_str_eq(err.message,
                     "could not hand sslpassword on to another program");
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_lt(conninfo_child_new(&c, "host=x password='c4n4ry\nx'", &err),
                 0);
    cr_assert_null(strstr(err.message, "c4n4ry"));
}
