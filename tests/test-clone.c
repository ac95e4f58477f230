/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define clone_words(source, target, dir)                                       \
    moves_words("clone", "--source", source, "--target", target, "--dir", dir, \
                "--jobs", "2", "--chunk-size", "1MB", "--discard",             \
                "--max-staged", "1MB")

/* Files of rows that are staged now. */
static unsigned
count_files(const char *dir)
{
    const char *const argv[] = {"sh", "-c", "find \"$0\" -name '*.lz4' | wc -l",
                                moves_path(dir, "data"), NULL};
    struct server_run run = server_run(argv);

    return (unsigned)atoi(run.output);
}

Test(clone, discarded_files_are_gone_and_rows_are_proven)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = server_run(clone_words(source, target, dir));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_eq(count_files(dir), 0);
    cr_assert_eq(access(moves_path(dir, "bagit.txt"), F_OK), -1);
    moves_assert_equal(source, target);
    moves_assert_verified(target, dir);

    run = moves_pghaul("load", "--target", server_database("target"), "--dir",
                       dir);
    cr_assert_eq(run.status, 6);
    cr_assert_not_null(strstr(run.errors, "are not kept"), "%s", run.errors);
}

Test(clone, files_of_a_run_that_keeps_them_are_not_discarded)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;
    unsigned n_files;

    moves_export(source, dir);
    n_files = count_files(dir);
    run = server_run(clone_words(source, target, dir));
    cr_assert_eq(run.status, 6);
    cr_assert_not_null(strstr(run.errors, "begun without --discard"), "%s",
                       run.errors);
    cr_assert_eq(count_files(dir), n_files);
}

/* With a load that stands still, the export stands still too, long before all
   is staged; when the load goes on, so does it. */
Test(clone, export_waits_for_the_load)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    uint64_t deadline = clock_ms() + 120000;
    struct server_program program;
    struct server_run run;
    unsigned n = 0, before;
    PGconn *lock;

    server_sql(source, "CREATE TABLE t (i int, x text);"
                       "INSERT INTO t SELECT i, (SELECT string_agg(md5("
                       "  (i * 40 + j)::text), '') FROM generate_series(1, 30)"
                       "  AS j) FROM generate_series(1, 30000) i");
    program = server_program_start(clone_words(source, target, dir));
    moves_wait_until(target, "SELECT to_regclass('public.t') IS NOT NULL");
    lock = PQconnectdb(target);
    PQclear(PQexec(lock, "BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE "
                         "MODE"));
    /* Both workers of the load wait for us; then nothing new is staged. */
    moves_wait_until(target, "SELECT count(*) = 2 FROM pg_locks"
                             " WHERE NOT granted");
    do {
        before = n;
        usleep(1500000);
        n = count_files(dir);
    } while (n != before && clock_ms() < deadline);
    cr_assert_lt(n, 15, "%u of some 35 chunks are staged", n);
    PQfinish(lock);
    run = server_program_wait(&program);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_fingerprint(source, "t"),
                     server_fingerprint(target, "t"));
}

Test(clone, killed_while_it_discards_goes_on)
{
    const char *source = moves_source();
    unsigned state = moves_seed(), usual;
    char name[16];

    usual = moves_duration_us(
        clone_words(source, server_database("target"),
                    moves_path(server_tmp_dir(), "undisturbed")));
    for (unsigned i = 0; i < moves_moments(3); i++) {
        const char *target = server_database("target"), *dir;
        struct server_run run;

        snprintf(name, sizeof name, "run-%u", i);
        dir = moves_path(server_tmp_dir(), name);
        moves_kill(clone_words(source, target, dir),
                   (unsigned)rand_r(&state) % usual, SIGKILL);
        run = server_run(clone_words(source, target, dir));
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        cr_assert_eq(count_files(dir), 0);
        moves_assert_same_tables(source, target);
        moves_assert_verified(target, dir);
    }
}
