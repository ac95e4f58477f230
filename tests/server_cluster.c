/* SPDX-License-Identifier: PostgreSQL */

/*
 * The clusters' life, seen by the program that runs the tests:
 *
 *     PRE_ALL:   janitor forked, clusters made and started
 *     POST_ALL:  the janitor is told to clean up, and waited for
 *
 * The janitor sits at the reading end of a pipe that is never written to.  It
 * stops and removes all when the pipe's other end closes: by POST_ALL, or by
 * the kernel when the program is killed.
 */

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/server.h"
#include "tests/server_process.h"
#include "tests/server_template.h"

enum { MAX_CLUSTERS = 8 };

/* A crash of the machine costs nothing here; the rest is what pghaul asks of
   a source. */
static const char base_conf[] = "fsync = off\n"
                                "full_page_writes = off\n"
                                "listen_addresses = ''\n"
                                "port = 5432\n"
                                "unix_socket_directories = '%s'\n"
                                "wal_level = logical\n"
                                "max_connections = 60\n"
                                "shared_buffers = 64MB\n"
                                "autovacuum = off\n"
                                "log_line_prefix = '%%m [%%p] %%a '\n"
                                "%s\n";

static char root[] = "/tmp/pgh.XXXXXX"; /* short: a socket's path is <= 107 */
static int janitor_fd = -1;
static pid_t janitor;
static int is_new[MAX_CLUSTERS]; /* by initdb, not by copy */

static const char *
path_of(unsigned i, const char *file)
{
    return server_process_text("%s/%s/%s", root, server_specs[i].name, file);
}

static const char *
program(unsigned i, const char *name)
{
    return server_process_text("%s/%s",
                               server_own_bin_dir(server_specs[i].name), name);
}

static pid_t
start_initdb(unsigned i)
{
    const char *argv[] = {
        program(i, "initdb"),
        "-D",
        path_of(i, "data"),
        "-U",
        "postgres",
        "--no-sync",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        NULL,
    };

    is_new[i] = 1;
    return server_process_start_logged(argv, path_of(i, "log"));
}

static pid_t
start_making(unsigned i)
{
    pid_t pid = server_template_start_copy(
        program(i, "initdb"), i, path_of(i, "data"), path_of(i, "log"));

    return pid ? pid : start_initdb(i);
}

static void
keep_what_is_new(void)
{
    for (unsigned i = 0; i < server_n_specs; i++) {
        if (is_new[i])
            server_template_keep(program(i, "initdb"), i, path_of(i, "data"),
                                 path_of(i, "log"));
    }
}

static pid_t
start_basebackup(unsigned i)
{
    const char *argv[] = {
        program(i, "pg_basebackup"),
        "-D",
        path_of(i, "data"),
        "-d",
        server_process_text("host=%s/%s port=5432 user=postgres"
                            " application_name=%s",
                            root, server_specs[i].standby_of,
                            server_specs[i].name),
        "-c",
        "fast",
        "-R",
        "--no-sync",
        NULL,
    };

    return server_process_start_logged(argv, path_of(i, "log"));
}

static pid_t
start_server(unsigned i)
{
    const char *argv[] = {
        program(i, "pg_ctl"),
        "-D",
        path_of(i, "data"),
        "-w",
        "-s",
        "-l",
        path_of(i, "log"),
        "start",
        NULL,
    };

    return server_process_start_logged(argv, path_of(i, "log"));
}

static pid_t
stop_server(unsigned i)
{
    const char *argv[] = {
        program(i, "pg_ctl"),
        "-D",
        path_of(i, "data"),
        "-s",
        "-m",
        "immediate",
        "stop",
        NULL,
    };

    return server_process_start_logged(argv, path_of(i, "log"));
}

enum kind { STANDS_ALONE, STANDBY };

/* All clusters of the kind at once; how many could not. */
static int
for_all(enum kind kind, pid_t (*start)(unsigned))
{
    pid_t pids[MAX_CLUSTERS];
    int n_failed = 0;

    for (unsigned i = 0; i < server_n_specs; i++)
        pids[i] = (server_specs[i].standby_of != NULL) == (kind == STANDBY)
                      ? start(i)
                      : 0;
    for (unsigned i = 0; i < server_n_specs; i++)
        n_failed +=
            pids[i] && (pids[i] < 0 || server_process_wait(pids[i]) != 0);
    return n_failed;
}

static int
write_file(const char *path, const char *mode, const char *text)
{
    FILE *f = fopen(path, mode);

    if (!f)
        return -1;
    fputs(text, f);
    return fclose(f);
}

static int
configure(unsigned i)
{
    const struct server_spec *spec = &server_specs[i];

    return write_file(path_of(i, "data/postgresql.conf"), "a",
                      server_process_text(base_conf, path_of(i, ""),
                                          spec->conf ? spec->conf : "")) ||
           write_file(path_of(i, "data/pg_hba.conf"), "w",
                      server_process_text("%s\nlocal all all trust\n"
                                          "local replication all trust\n",
                                          spec->hba ? spec->hba : ""));
}

static int
make_dir(const char *path)
{
    return mkdir(path, 0700) || chown(path, server_process_uid(), (gid_t)-1);
}

static const char *
start_kind(enum kind kind, pid_t (*make)(unsigned))
{
    if (for_all(kind, make))
        return "initdb or pg_basebackup failed";
    if (kind == STANDS_ALONE)
        keep_what_is_new();
    for (unsigned i = 0; i < server_n_specs; i++) {
        if ((server_specs[i].standby_of != NULL) == (kind == STANDBY) &&
            configure(i))
            return "could not configure a cluster";
    }
    return for_all(kind, start_server) ? "pg_ctl start failed" : NULL;
}

static const char *
start_all(void)
{
    const char *why;

    if (server_n_specs > MAX_CLUSTERS)
        return "too many clusters";
    for (unsigned i = 0; i < server_n_specs; i++) {
        if (make_dir(path_of(i, "")))
            return "could not make a cluster's directory";
    }
    why = start_kind(STANDS_ALONE, start_making);
    return why ? why : start_kind(STANDBY, start_basebackup);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void
janitor_main(int fd)
{
    char byte;

    /* Whoever kills the tests, by Ctrl-C or by their process group, wants
       the servers to go, not to stay. */
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);

    dup2(fd, 0);
    close_range(3, ~0U, 0);
    while (read(0, &byte, 1) < 0 && errno == EINTR)
        ;
    for_all(STANDBY, stop_server);
    for_all(STANDS_ALONE, stop_server);
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

static int
start_janitor(void)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    janitor = fork();
    if (janitor == 0)
        janitor_main(fds[0]); /* its copy of fds[1] is closed there */
    close(fds[0]);
    janitor_fd = fds[1];
    return janitor < 0 ? -1 : 0;
}

/* Nothing of the developer's own surroundings gets into the tests. */
static void
forget_pg_environment(void)
{
    PQconninfoOption *options = PQconndefaults();

    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (o->envvar)
            unsetenv(o->envvar);
    }
    PQconninfoFree(options);
    unsetenv("PGSERVICEFILE");
}

/* pghaul takes the pg_dump that fits. */
static void
put_programs_into_path(void)
{
    setenv("PATH",
           server_process_text("%s:%s:%s", server_own_bin_dir("source"),
                               server_own_bin_dir("target"), getenv("PATH")),
           1);
}

/* Criterion hides stdout and stderr from here on when it prints TAP, so what
   went wrong is left for the tests to say. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    const char *why;

    (void)tests;
    forget_pg_environment();
    put_programs_into_path();
    if (!mkdtemp(root) || chmod(root, 0755) || start_janitor())
        why = strerror(errno);
    else
        why = start_all();
    setenv(SERVER_ROOT_ENV, root, 1);
    if (why)
        setenv(SERVER_FAILURE_ENV, why, 1);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    (void)stats;
    close(janitor_fd);
    server_process_wait(janitor);
}
