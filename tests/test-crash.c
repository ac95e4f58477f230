/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"

/*
 * A target that crashes, and loses as much as it may: commits that do not wait
 * for the disk stay in memory for ten seconds.
 */
SERVERS({"source"}, {"target", .conf = "wal_writer_delay = 10s\n"
                                       "wal_writer_flush_after = 1GB\n"
                                       "wal_buffers = 64MB\n"
                                       "checkpoint_timeout = 1h\n"
                                       "max_wal_size = 10GB\n"
                                       "bgwriter_lru_maxpages = 0\n"})

/* The largest is loaded first, and its trigger must not fire.  The slow one is
   slow in the target alone. */
static const char tables[] =
    "CREATE SCHEMA shop;"
    "CREATE %s TABLE shop.large (id int PRIMARY KEY, x text);"
    "INSERT INTO shop.large SELECT i, repeat('x', 90)"
    "  FROM generate_series(1, 60000) AS i;"
    "CREATE TABLE shop.slow (id int PRIMARY KEY, x text, at int"
    "  CHECK (current_setting('wal_writer_delay') <> '10s'"
    "    OR pg_sleep(0.003) IS NOT NULL));"
    "INSERT INTO shop.slow SELECT i, 'x', NULL"
    "  FROM generate_series(1, 700) AS i;"
    "CREATE FUNCTION shop.stop() RETURNS trigger LANGUAGE plpgsql AS"
    "  $$ BEGIN RAISE EXCEPTION 'a trigger was fired'; END $$;"
    "CREATE TRIGGER stop BEFORE INSERT ON shop.large FOR EACH ROW"
    "  EXECUTE FUNCTION shop.stop();";

static const char *
make_source(const char *persistence)
{
    const char *source = server_database("source");
    char *sql;

    cr_assert_gt(asprintf(&sql, tables, persistence), 0);
    server_sql(source, sql);
    free(sql);
    return source;
}

/* While the slow table is loaded, after the large one. */
static void
crash_in_the_middle(const struct server_program *p, const char *target,
                    int signal)
{
    moves_wait_until(target, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE 'COPY %slow%'");
    kill(p->pid, signal);
    server_crash("target");
    server_start("target");
    kill(p->pid, SIGCONT);
}

static void
assert_right_after_crash(const char *persistence, int signal)
{
    const char *source = make_source(persistence);
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const command[] = {server_pghaul(), "load",  "--target",
                                   target,          "--dir", run_dir,
                                   "--jobs",        "1",     NULL};
    struct server_program p;
    struct server_run run;

    moves_export(source, run_dir);
    p = server_program_start(command);
    crash_in_the_middle(&p, target, signal);
    run = server_program_wait(&p);
    if (signal == SIGKILL)
        run = server_run(command);
    cr_assert_eq(run.status, 0, "status %d: %s", run.status, run.errors);
    moves_assert_same_schema(source, target);
    moves_assert_same_tables(source, target);
}

Test(crash, commits_lost_by_the_target_are_made_again)
{
    assert_right_after_crash("", SIGSTOP);
}

Test(crash, commits_lost_by_the_target_are_made_again_by_the_next_command)
{
    assert_right_after_crash("", SIGKILL);
}

Test(crash, unlogged_tables_emptied_by_the_target_are_loaded_again)
{
    assert_right_after_crash("UNLOGGED", SIGSTOP);
}

Test(crash, unlogged_tables_emptied_are_loaded_again_by_the_next_command)
{
    assert_right_after_crash("UNLOGGED", SIGKILL);
}
