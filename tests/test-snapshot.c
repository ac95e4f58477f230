/* SPDX-License-Identifier: PostgreSQL */

/*
 * One snapshot: what was true in every transaction of the source is true in
 * the copy, however many chunks, workers and lives of the exporter it took.
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

/* A bank whose accounts are spread over two tables, and lists to which the
   same numbers are appended in both, in one transaction each.  Rows are wide,
   so that there are many chunks. */
static const char bank[] =
    "CREATE SCHEMA shop;"
    "CREATE TABLE shop.a (id int PRIMARY KEY, money bigint, pad text);"
    "CREATE TABLE shop.b (id int PRIMARY KEY, money bigint, pad text);"
    "ALTER TABLE shop.a ALTER pad SET STORAGE PLAIN;"
    "ALTER TABLE shop.b ALTER pad SET STORAGE PLAIN;"
    "CREATE TABLE shop.list_a (n bigint, pad text);"
    "CREATE TABLE shop.list_b (n bigint, pad text);"
    "CREATE SEQUENCE shop.n;"
    "INSERT INTO shop.a SELECT i, 1000, repeat('a', 1500)"
    "  FROM generate_series(1, 4000) AS i;"
    "INSERT INTO shop.b SELECT i, 1000, repeat('b', 1500)"
    "  FROM generate_series(1, 4000) AS i;";

/* Until the table "stop" is there. */
static const char work[] =
    "DO $$ DECLARE i int; k bigint; sum int; BEGIN"
    " WHILE to_regclass('public.stop') IS NULL LOOP"
    "  i := 1 + random() * 3999; sum := random() * 100;"
    "  UPDATE shop.a SET money = money - sum WHERE id = i;"
    "  UPDATE shop.b SET money = money + sum WHERE id = 4001 - i;"
    "  k := nextval('shop.n');"
    "  INSERT INTO shop.list_a VALUES (k, repeat('x', 300));"
    "  INSERT INTO shop.list_b VALUES (k, repeat('y', 300));"
    "  COMMIT;"
    " END LOOP; END $$";

enum { WRITERS = 3 };

static void
start_writers(const char *source, struct server_program *writers)
{
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = server_program_start(
            (const char *const[]){moves_path(server_bin_dir(), "psql"), "-Xqd",
                                  source, "-c", work, NULL});
    moves_wait_until(source, "SELECT count(*) > 50 FROM shop.list_a");
}

static void
stop_writers(const char *source, struct server_program *writers)
{
    server_sql(source, "CREATE TABLE public.stop ()");
    for (unsigned i = 0; i < WRITERS; i++) {
        struct server_run run = server_program_wait(&writers[i]);

        cr_assert_eq(run.status, 0, "%s", run.errors);
    }
}

static void
assert_consistent(const char *target)
{
    cr_assert_str_eq(server_value(target, "SELECT (SELECT sum(money) FROM"
                                          " shop.a) + (SELECT sum(money) FROM"
                                          " shop.b)"),
                     "8000000");
    cr_assert_str_eq(
        server_value(target, "SELECT count(*) FROM shop.list_a FULL JOIN"
                             " shop.list_b USING (n) WHERE list_a.n IS NULL"
                             " OR list_b.n IS NULL OR list_a.* IS NULL"),
        "0");
    cr_assert_str_eq(
        server_value(target, "SELECT count(*) = count(DISTINCT n) AND count(*)"
                             " >= 50 FROM shop.list_a"),
        "t");
}

#define export_words(source, run_dir)                                          \
    moves_words("export", "--source", source, "--dir", run_dir,                \
                "--chunk-size", "1MB", "--jobs", "3", "--quiet")

static void
assert_copy_is_consistent(const char *run_dir)
{
    const char *target = server_database("target");

    moves_load(target, run_dir);
    moves_assert_verified(target, run_dir);
    assert_consistent(target);
}

static const char *
make_bank(void)
{
    const char *source = server_database("source");

    server_sql(source, bank);
    return source;
}

Test(snapshot, sums_over_two_tables_hold_in_an_export_among_writers)
{
    const char *source = make_bank();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_program writers[WRITERS];
    struct server_run run;

    start_writers(source, writers);
    run = server_run(export_words(source, run_dir));
    stop_writers(source, writers);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_copy_is_consistent(run_dir);
}

Test(snapshot, sums_hold_when_the_exporter_is_killed_and_goes_on)
{
    const char *source = make_bank();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command = export_words(source, run_dir);
    struct server_program writers[WRITERS];
    unsigned state = moves_seed(), n_killed = 0;
    struct server_run run = {.status = -1};

    start_writers(source, writers);
    for (unsigned ms = 300; run.status != 0; ms += ms / 2) {
        run = moves_kill(command, ms * 1000 + (unsigned)rand_r(&state) % 90000,
                         SIGKILL);
        cr_assert(run.status == 0 || run.status == 128 + SIGKILL, "%d: %s",
                  run.status, run.errors);
        n_killed += run.status != 0;
    }
    stop_writers(source, writers);
    cr_assert_gt(n_killed, 0);
    assert_copy_is_consistent(run_dir);
}

Test(snapshot, sums_hold_in_a_clone_among_writers)
{
    const char *source = make_bank(), *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_program writers[WRITERS];
    struct server_run run;

    start_writers(source, writers);
    run = moves_pghaul("clone", "--source", source, "--target", target, "--dir",
                       run_dir, "--chunk-size", "1MB", "--quiet");
    stop_writers(source, writers);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_consistent(target);
}
