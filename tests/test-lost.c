/* SPDX-License-Identifier: PostgreSQL */

/*
 * Connections that are lost, at any message of the protocol, in either
 * direction: a proxy (pg-proxy.py) cuts one of them.  The command then tries
 * again or ends cleanly, in bounded time; the same command completes, and
 * the copy is equal.
 */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

struct proxy {
    struct server_program program;
    const char *port;
};

struct cut {
    const char *direction; /* "F": to the server, "B": from it */
    const char *message;   /* the type; ":text" that it holds */
    unsigned nth;
    const char *how;
};

static struct proxy
start_proxy(const char *server, const struct cut *cut)
{
    const char *script =
        server_process_text("%s/tests/pg-proxy.py", getenv("PGHAUL_SOURCE"));
    const char *argv[] = {PYTHON,
                          "-B",
                          script,
                          "--fail",
                          cut->direction,
                          cut->message,
                          server_process_text("%u", cut->nth),
                          cut->how,
                          server_socket_dir(server),
                          NULL};
    struct proxy p = {.program = server_program_start(argv)};
    char port[8] = "";

    for (int i = 0; i < 3000 && !strchr(port, '\n'); i++) {
        usleep(20000);
        if (pread(p.program.out_fd, port, sizeof port - 1, 0) < 0)
            port[0] = '\0';
    }
    p.port = server_process_text("%.*s", (int)strcspn(port, "\n"), port);
    return p;
}

static void
wait_until_struck(const struct proxy *p)
{
    char said[64] = "";

    for (int i = 0; i < 3000 && !strstr(said, "failed"); i++) {
        usleep(20000);
        cr_assert_geq(pread(p->program.out_fd, said, sizeof said - 1, 0), 0);
    }
    cr_assert(strstr(said, "failed"), "%s", said);
}

/* Did it have the occasion? */
static int
stop_proxy(struct proxy *p)
{
    kill(p->program.pid, SIGTERM);
    return strstr(server_program_wait(&p->program).output, "failed") != NULL;
}

static const char *
through(const struct proxy *p, const char *conninfo)
{
    return server_process_text("%s host=127.0.0.1 port=%s sslmode=disable"
                               " gssencmode=disable connect_timeout=3",
                               conninfo, p->port);
}

#define within_a_minute(...)                                                   \
    server_run((const char *const[]){"timeout", "60", server_pghaul(),         \
                                     __VA_ARGS__, NULL})

static void
assert_clean(const struct server_run *run, const struct cut *cut)
{
    cr_assert(run->status == 0 || run->status == 3 || run->status == 6,
              "%s at %s %s %u: status %d: %s", cut->how, cut->direction,
              cut->message, cut->nth, run->status, run->errors);
    if (run->status != 0)
        cr_assert_not_null(strstr(run->errors, "pghaul: error: "), "%s",
                           run->errors);
}

static const char rows[] =
    "CREATE SCHEMA shop;"
    "CREATE TABLE shop.a (id serial PRIMARY KEY, v text);"
    "INSERT INTO shop.a (v) SELECT 'v' || i FROM generate_series(1, 3000) AS i;"
    "CREATE TABLE shop.b (v text);"
    "INSERT INTO shop.b SELECT 'w' || i % 7 FROM generate_series(1, 500) AS i;"
    "CREATE INDEX ON shop.b (v);"
    "ALTER TABLE shop.b ADD CHECK (v <> '');";

static const char *
make_source(void)
{
    const char *source = server_database("source");

    server_sql(source, rows);
    return source;
}

/* ---- export ---- */

/*
 * Messages: "-" begins a connection, Q a query, P B D E S one with
 * parameters; R is about who we are, S a setting, K a key, Z "ready"; T D C a
 * result; H d c a COPY, the first of which is that of the inventory.
 */
static const struct cut of_export[] = {
    {"F", "-", 1, "rst"},          {"F", "-", 4, "fin"},
    {"F", "-", 8, "fin"},          {"B", "R", 5, "fin"},
    {"B", "K", 3, "mid"},          {"B", "Z", 1, "stall"},
    {"B", "Z", 20, "rst"},         {"F", "Q", 2, "mid"},
    {"F", "Q:BEGIN", 2, "fin"},    {"F", "Q:SNAPSHOT", 1, "fin"},
    {"F", "Q:SNAPSHOT", 3, "rst"}, {"F", "Q:LOCK", 1, "fin"},
    {"B", "C:LOCK", 1, "rst"},     {"B", "T", 12, "mid"},
    {"B", "D", 9, "half"},         {"B", "D", 30, "mid"},
    {"F", "Q:COPY", 3, "fin"},     {"F", "Q:COPY", 2, "rst"},
    {"B", "H", 2, "mid"},          {"B", "d", 1, "fin"},
    {"B", "d", 1234, "rst"},       {"B", "d", 2000, "mid"},
    {"B", "d", 3400, "half"},      {"B", "c", 3, "fin"},
    {"B", "c", 2, "mid"},          {"B", "C:COPY", 3, "rst"},
    {"B", "C:COPY", 2, "fin"},     {"B", "Z", 60, "half"},
    {"F", "X", 1, "rst"},          {"F", "P", 1, "fin"},
};

Test(lost, connections_of_an_export_at_any_message, .timeout = 900)
{
    const char *source = make_source();
    unsigned n_struck = 0, n_went_on = 0;

    for (unsigned i = 0; i < sizeof of_export / sizeof *of_export; i++) {
        const struct cut *cut = &of_export[i];
        const char *run_dir = moves_path(server_tmp_dir(), "run");
        struct proxy p = start_proxy("source", cut);
        struct server_run run =
            within_a_minute("export", "--source", through(&p, source), "--dir",
                            run_dir, "--jobs", "2", "--quiet");

        n_struck += stop_proxy(&p);
        n_went_on += run.status == 0;
        assert_clean(&run, cut);
        fprintf(stderr, "# %s %s %u %s: %d %s\n", cut->direction, cut->message,
                cut->nth, cut->how, run.status, run.errors);
        run = within_a_minute("export", "--source", source, "--dir", run_dir,
                              "--jobs", "2", "--quiet");
        cr_assert_eq(run.status, 0, "%s at %s %s %u, then: status %d: %s",
                     cut->how, cut->direction, cut->message, cut->nth,
                     run.status, run.errors);
        /* The source has not changed since. */
        moves_assert_verified(source, run_dir);
    }
    cr_assert_geq(n_struck, 24, "the proxy struck %u times only", n_struck);
    cr_assert_geq(n_went_on, 10, "%u went on by themselves", n_went_on);
}

/* ---- load ---- */

static const struct cut of_load[] = {
    {"F", "-", 1, "fin"},
    {"F", "-", 4, "rst"},
    {"B", "R", 3, "mid"},
    {"B", "Z", 2, "stall"},
    {"F", "Q:CREATE TABLE", 1, "rst"},
    {"B", "C:CREATE TABLE", 2, "fin"},
    {"F", "Q:COPY", 1, "mid"},
    {"B", "G", 1, "fin"},
    {"F", "d", 1, "rst"},
    {"F", "d", 1, "mid"},
    {"F", "d", 2, "fin"},
    {"F", "c", 1, "fin"},
    {"F", "c", 1, "mid"},
    {"B", "C:COPY", 1, "rst"},
    {"B", "C:COPY", 2, "fin"},
    {"F", "Q:CREATE INDEX", 1, "fin"},
    {"B", "C:CREATE INDEX", 1, "rst"},
    {"B", "C:ALTER TABLE", 3, "fin"},
    {"F", "Q:setval", 1, "fin"},
    {"B", "Z", 30, "half"},
    {"B", "Z", 45, "rst"},
    {"F", "P", 2, "fin"},
};

static void
assert_loaded(const char *source, const char *target, const char *run_dir,
              const struct cut *cut)
{
    struct server_run run = within_a_minute("load", "--target", target, "--dir",
                                            run_dir, "--jobs", "2", "--quiet");

    cr_assert_eq(run.status, 0, "%s at %s %s %u, then: status %d: %s", cut->how,
                 cut->direction, cut->message, cut->nth, run.status,
                 run.errors);
    moves_assert_same_tables(source, target);
    cr_assert_str_eq(server_value(target, "SELECT nextval('shop.a_id_seq')"),
                     "3001");
}

Test(lost, connections_of_a_load_at_any_message, .timeout = 900)
{
    const char *source = make_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    unsigned n_struck = 0, n_went_on = 0;

    moves_export(source, run_dir);
    for (unsigned i = 0; i < sizeof of_load / sizeof *of_load; i++) {
        const struct cut *cut = &of_load[i];
        const char *target = server_database("target");
        struct proxy p = start_proxy("target", cut);
        struct server_run run =
            within_a_minute("load", "--target", through(&p, target), "--dir",
                            run_dir, "--jobs", "2", "--quiet");

        n_struck += stop_proxy(&p);
        n_went_on += run.status == 0;
        assert_clean(&run, cut);
        assert_loaded(source, target, run_dir, cut);
        fprintf(stderr, "# %s %s %u %s: %d\n", cut->direction, cut->message,
                cut->nth, cut->how, run.status);
    }
    cr_assert_geq(n_struck, 17, "the proxy struck %u times only", n_struck);
    cr_assert_geq(n_went_on, 5, "%u went on by themselves", n_went_on);
}

/* Once the request is lost and nothing is committed, once its answer, and all
   is: nobody can tell but by the ledger. */
Test(lost, answer_to_commit_leaves_each_row_once, .timeout = 900)
{
    const char *source = make_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    unsigned n_struck = 0;

    moves_export(source, run_dir);
    for (unsigned nth = 1; nth <= 10; nth += nth < 4 ? 1 : 3) {
        const struct cut cuts[] = {{"F", "Q:COMMIT", nth, "fin"},
                                   {"B", "C:COMMIT", nth, "fin"}};

        for (unsigned i = 0; i < 2; i++) {
            const char *target = server_database("target");
            struct proxy p = start_proxy("target", &cuts[i]);
            struct server_run run =
                within_a_minute("load", "--target", through(&p, target),
                                "--dir", run_dir, "--jobs", "1", "--quiet");

            n_struck += stop_proxy(&p);
            assert_clean(&run, &cuts[i]);
            assert_loaded(source, target, run_dir, &cuts[i]);
        }
    }
    cr_assert_geq(n_struck, 8, "the proxy struck %u times only", n_struck);
}

/* ---- a peer that says nothing more ---- */

/* What a firewall does that forgets a connection, when meanwhile the process at
   its other end has gone: the source says so over another one. */
Test(lost, silent_peer_that_is_gone_is_not_waited_for, .timeout = 300)
{
    const struct cut cut = {"B", "d", 100, "stall"};
    const char *source = make_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct proxy p = start_proxy("source", &cut);
    struct server_program export = server_program_start(
        moves_words("export", "--source", through(&p, source), "--dir", run_dir,
                    "--jobs", "1"));
    struct server_run run;

    wait_until_struck(&p);
    server_terminate(source, "query LIKE 'COPY %' AND datname ="
                             " current_database()");
    run = server_program_wait(&export);
    cr_assert_eq(run.status, 0, "status %d: %s", run.status, run.errors);
    cr_assert(stop_proxy(&p));
    moves_assert_verified(source, run_dir);
}

Test(lost, peer_that_falls_silent_in_a_copy_can_be_left)
{
    const struct cut cut = {"B", "d", 100, "stall"};
    const char *source = make_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct proxy p = start_proxy("source", &cut);
    struct server_program export = server_program_start(
        moves_words("export", "--source", through(&p, source), "--dir", run_dir,
                    "--jobs", "1", "--quiet"));
    struct server_run run;

    wait_until_struck(&p);
    kill(export.pid, SIGINT);
    usleep(300 * 1000);
    kill(export.pid, SIGINT); /* at once */
    run = server_program_wait(&export);
    cr_assert_eq(run.status, 130, "status %d: %s", run.status, run.errors);
    /* The keeper is behind the proxy, too. */
    moves_export(through(&p, source), run_dir);
    stop_proxy(&p);
    moves_assert_verified(source, run_dir);
}

/* As the one above, but with nobody to say that it has gone. */
Test(lost, what_was_sent_and_does_not_come_is_asked_for_again, .timeout = 300)
{
    const struct cut cut = {"B", "d", 100, "stall"};
    const char *source = make_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct proxy p = start_proxy("source", &cut);

    moves_export(through(&p, source), run_dir);
    cr_assert(stop_proxy(&p));
    moves_assert_verified(source, run_dir);
}
