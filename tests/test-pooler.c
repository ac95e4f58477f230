/* SPDX-License-Identifier: PostgreSQL */

/*
 * What stands between us and a server: pgbouncer, and what spreads
 * connections over several servers.
 */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"}, {"replica"})

struct pooler {
    pid_t pid;
    const char *dir; /* of its socket */
};

/* pgbouncer does not run as root; the servers' user may write to the server's
   own directory. */
static struct pooler
start_pooler(const char *server, const char *more)
{
    static unsigned n;
    struct pooler p = {.dir = server_process_text("%s/pooler-%d-%u",
                                                  server_socket_dir(server),
                                                  (int)getpid(), n++)};
    const char *ini = server_process_text("%s/ini", p.dir);
    FILE *f;

    if (access("/usr/sbin/pgbouncer", X_OK) < 0)
        cr_skip_test("no pgbouncer");
    cr_assert_eq(mkdir(p.dir, 0755), 0);
    cr_assert_eq(chown(p.dir, server_process_uid(), (gid_t)-1), 0);
    f = fopen(server_process_text("%s/users", p.dir), "w");
    fputs("\"postgres\" \"\"\n", f);
    fclose(f);
    f = fopen(ini, "w");
    fprintf(f,
            "[databases]\n* = host=%s port=5432\n[pgbouncer]\n"
            "listen_port = 5432\nunix_socket_dir = %s\nauth_type = trust\n"
            "auth_file = %s/users\nquery_wait_timeout = 3\n%s",
            server_socket_dir(server), p.dir, p.dir, more);
    fclose(f);
    p.pid = server_process_start_logged(
        (const char *const[]){"/usr/sbin/pgbouncer", ini, NULL},
        server_process_text("%s/log", p.dir));
    for (int i = 0; i < 3000; i++) {
        if (access(server_process_text("%s/.s.PGSQL.5432", p.dir), F_OK) == 0)
            return p;
        usleep(20000);
    }
    cr_assert_fail("pgbouncer did not start");
    return p;
}

static void
stop_pooler(const struct pooler *p)
{
    kill(p->pid, SIGKILL);
    server_process_wait(p->pid);
}

/* Of a string's keywords, the last counts. */
static const char *
through(const struct pooler *p, const char *conninfo)
{
    return server_process_text("%s host=%s", conninfo, p->dir);
}

static void
assert_refused(const struct server_run *run, const char *says)
{
    cr_assert_eq(run->status, 6, "status %d: %s%s", run->status, run->output,
                 run->errors);
    cr_assert(strstr(run->errors, says) || strstr(run->output, says), "%s%s",
              run->output, run->errors);
}

static const char changes[] = "A pooler changes the server process";

static void
assert_refused_by_all(const char *source, const char *target,
                      const char *in_between, const char *says)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    run = moves_pghaul("check", "--source", in_between);
    assert_refused(&run, says);
    run = moves_pghaul("export", "--source", in_between, "--dir", run_dir);
    assert_refused(&run, says);
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", in_between, "--dir", run_dir);
    assert_refused(&run, says);
    run = moves_pghaul("verify", "--target", in_between, "--dir", run_dir);
    assert_refused(&run, says);
    moves_load(target, run_dir);
}

Test(pooler, of_transactions_is_refused_before_anything_is_set)
{
    const char *source = moves_source(), *target = server_database("target");
    struct pooler p = start_pooler("source", "pool_mode = transaction\n");
    const char *application = through(&p, source);

    assert_refused_by_all(source, target, application, changes);
    /* The application has the same pool. */
    cr_assert_str_eq(server_value(application, "SHOW search_path"),
                     "\"$user\", public");
    cr_assert_str_eq(server_value(application, "SHOW row_security"), "on");
    stop_pooler(&p);
}

Test(pooler, of_one_server_process_is_refused_in_time)
{
    const char *source = moves_source(), *target = server_database("target");
    struct pooler p = start_pooler("source", "pool_mode = transaction\n"
                                             "default_pool_size = 1\n");

    assert_refused_by_all(source, target, through(&p, source), changes);
    stop_pooler(&p);
}

Test(pooler, that_goes_round_its_server_processes_is_refused)
{
    const char *source = moves_source(), *target = server_database("target");
    struct pooler p = start_pooler("source", "pool_mode = transaction\n"
                                             "server_round_robin = 1\n"
                                             "min_pool_size = 6\n");

    assert_refused_by_all(source, target, through(&p, source), changes);
    stop_pooler(&p);
}

Test(pooler, of_sessions_is_a_warning_and_a_way)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct pooler p = start_pooler("source", "pool_mode = session\n");
    struct server_run run;

    run = moves_pghaul("check", "--source", through(&p, source));
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_not_null(strstr(run.output, "there is a pooler in between"));
    moves_export(through(&p, source), run_dir);
    stop_pooler(&p);

    p = start_pooler("target", "pool_mode = session\n");
    moves_load(through(&p, target), run_dir);
    moves_assert_verified(through(&p, target), run_dir);
    stop_pooler(&p);
    moves_assert_equal(source, target);
}

Test(pooler, of_too_few_sessions_ends_in_time)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct pooler p = start_pooler("source", "pool_mode = session\n"
                                             "default_pool_size = 1\n");
    struct server_run run = moves_pghaul("export", "--source",
                                         through(&p, source), "--dir", run_dir);

    cr_assert_eq(run.status, 3, "status %d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, "query_wait_timeout"), "%s",
                       run.errors);
    stop_pooler(&p);
}

Test(pooler, options_that_it_does_not_take_are_its_own_words)
{
    const char *source = moves_source();
    struct pooler p = start_pooler("source", "pool_mode = session\n");
    struct server_run run =
        moves_pghaul("check", "--source",
                     server_process_text("%s options='-c work_mem=8MB'",
                                         through(&p, source)));

    cr_assert_eq(run.status, 3, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "unsupported startup parameter"),
                       "%s", run.errors);
    stop_pooler(&p);
}

/* ---- two servers behind one name ---- */

Test(pooler, balance_over_two_servers_is_refused)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *name = server_value(source, "SELECT current_database()");
    struct server_program proxy;
    char port[8] = "";

    server_sql(server_conninfo("replica"),
               server_process_text("CREATE DATABASE %s", name));
    proxy = server_program_start((const char *const[]){
        PYTHON, "-B",
        server_process_text("%s/tests/pg-proxy.py", getenv("PGHAUL_SOURCE")),
        server_socket_dir("source"), server_socket_dir("replica"), NULL});
    for (int i = 0; i < 3000 && !strchr(port, '\n'); i++) {
        usleep(20000);
        if (pread(proxy.out_fd, port, sizeof port - 1, 0) < 0)
            port[0] = '\0';
    }
    assert_refused_by_all(
        source, target,
        server_process_text("dbname=%s user=postgres host=127.0.0.1 port=%s"
                            " sslmode=disable gssencmode=disable",
                            name, strtok(port, "\n")),
        "Two connections reached two servers");
    kill(proxy.pid, SIGKILL);
    server_program_wait(&proxy);
}
