/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/source/keeper/keeper.h"
#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

#define words(...)                                                             \
    (const char *const[])                                                      \
    {                                                                          \
        server_pghaul(), __VA_ARGS__, NULL                                     \
    }

#define export_words(source, run_dir)                                          \
    words("export", "--source", source, "--dir", run_dir, "--chunk-size",      \
          "1MB", "--jobs", "1")

static int
look(const char *run_dir, struct keeper_look *ret)
{
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    struct err err;

    if (run_dir_open(&dir, run_dir, RUN_DIR_LOOK, &err))
        return KEEPER_E_NONE;
    return keeper_look(dir, ret, &err);
}

/* An export that is killed as soon as some of it is staged. */
static struct keeper_look
half_an_export(const char *source, const char *run_dir)
{
    struct server_program p =
        server_program_start(export_words(source, run_dir));
    struct keeper_look keeper;

    moves_wait_until_staged(run_dir);
    kill(p.pid, SIGKILL);
    cr_assert_eq(server_program_wait(&p).status, 128 + SIGKILL);
    cr_assert_eq(look(run_dir, &keeper), 0, "no keeper was left behind");
    return keeper;
}

static void
wait_for(const char *conninfo, const char *sql, const char *value)
{
    server_await(conninfo, server_process_text("SELECT (%s) = %s", sql, value));
}

static const char n_keeping[] =
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'pghaul: keeper'"
    " AND datname = current_database() AND state = 'idle in transaction'";

static const char n_locks[] =
    "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE application_name = 'pghaul: keeper' AND relation ="
    " 'shop.orders'::regclass AND mode = 'AccessShareLock'";

static void
assert_copy_is(const char *run_dir, const char *rows)
{
    const char *target = server_database("target");

    moves_load(target, run_dir);
    cr_assert_str_eq(server_fingerprint(target, "shop.orders"), rows,
                     "not the snapshot's rows");
}

Test(keeper, exporter_started_again_sees_what_the_first_one_saw)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *before = server_fingerprint(source, "shop.orders");
    struct keeper_look keeper = half_an_export(source, run_dir);
    struct server_run run;

    server_sql(source, "DELETE FROM shop.orders WHERE id % 2 = 0");
    run = server_run(export_words(source, run_dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, keeper.origin), "%s", run.errors);
    assert_copy_is(run_dir, before);
    /* And it does not stay. */
    cr_assert_eq(look(run_dir, &keeper), KEEPER_E_NONE);
    wait_for(source, n_keeping, "0");
}

Test(keeper, lost_holder_is_replaced_and_its_locks_too)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *before = server_fingerprint(source, "shop.orders");
    struct keeper_look keeper = half_an_export(source, run_dir), after;
    struct server_run run;

    cr_assert_str_eq(server_value(source, n_keeping), "2");
    cr_assert_str_eq(server_value(source, n_locks), "1");
    server_sql(source,
               "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN"
               " pg_stat_activity a USING (pid) WHERE application_name ="
               " 'pghaul: keeper' AND relation = 'shop.orders'::regclass");
    wait_for(source, n_locks, "1");
    wait_for(source, n_keeping, "2");
    usleep(500000);
    cr_assert_eq(look(run_dir, &after), 0);
    cr_assert_str_eq(after.origin, keeper.origin);
    cr_assert_str_neq(after.snapshots[0], keeper.snapshots[0]);

    /* The other one as well: by now the first is new. */
    server_sql(source,
               "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN"
               " pg_stat_activity a USING (pid) WHERE application_name ="
               " 'pghaul: keeper' AND relation = 'shop.orders'::regclass");
    wait_for(source, n_locks, "1");
    server_sql(source, "UPDATE shop.orders SET amount = 0");
    run = server_run(export_words(source, run_dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_copy_is(run_dir, before);
}

Test(keeper, table_cannot_be_truncated_while_the_snapshot_is_kept)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;
    char command[512];

    half_an_export(source, run_dir);
    snprintf(command, sizeof command,
             "psql -qd \"%s\" -c \"SET lock_timeout = 300; TRUNCATE"
             " shop.orders\"",
             source);
    run = server_run((const char *const[]){"sh", "-c", command, NULL});
    cr_assert_neq(run.status, 0);
    cr_assert_not_null(strstr(run.errors, "lock timeout"), "%s", run.errors);
    run = server_run(words("abort", "--dir", run_dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(source, "SET lock_timeout = 300; TRUNCATE shop.orders");
}

static void
assert_lost_then_start_over(const char *source, const char *run_dir)
{
    struct server_run run = server_run(export_words(source, run_dir));

    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, "snapshot of this export is lost"),
                       "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "--start-over"), "%s", run.errors);
    run = server_run(
        words("export", "--source", source, "--dir", run_dir, "--start-over"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_copy_is(run_dir, server_fingerprint(source, "shop.orders"));
}

Test(keeper, killed_keeper_is_a_lost_snapshot_and_nothing_is_mixed)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct keeper_look keeper = half_an_export(source, run_dir);

    kill(keeper.pid, SIGKILL);
    wait_for(source, n_keeping, "0");
    server_sql(source, "DELETE FROM shop.orders WHERE id % 2 = 0");
    assert_lost_then_start_over(source, run_dir);
}

Test(keeper, restarted_source_is_a_lost_snapshot_and_the_keeper_ends)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct keeper_look keeper = half_an_export(source, run_dir);

    server_crash("source");
    server_start("source");
    for (int i = 0; look(run_dir, &keeper) == 0 && i < 2400; i++)
        usleep(50000);
    cr_assert_eq(look(run_dir, &keeper), KEEPER_E_NONE);
    server_sql(source, "DELETE FROM shop.orders WHERE id % 2 = 0");
    assert_lost_then_start_over(source, run_dir);
}

Test(keeper, removed_run_directory_ends_its_keeper)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    half_an_export(source, run_dir);
    /* Once more when the keeper has just written into it. */
    for (int i = 0; i < 100 && access(run_dir, F_OK) == 0; i++)
        server_run((const char *const[]){"rm", "-r", run_dir, NULL});
    cr_assert_neq(access(run_dir, F_OK), 0);
    wait_for(source, n_keeping, "0");
}

Test(keeper, clone_killed_goes_on_in_the_same_snapshot)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *before = server_fingerprint(source, "shop.orders");
    const char *const *command =
        words("clone", "--source", source, "--target", target, "--dir", run_dir,
              "--chunk-size", "1MB");
    struct server_run run = {.status = -1};
    struct server_program p;

    for (unsigned ms = 300; run.status != 0 && ms < 120000; ms += ms / 2) {
        p = server_program_start(command);
        usleep(ms * 1000);
        kill(p.pid, SIGKILL);
        run = server_program_wait(&p);
        cr_assert(run.status == 0 || run.status == 128 + SIGKILL, "%d: %s",
                  run.status, run.errors);
    }
    cr_assert_eq(run.status, 0);
    cr_assert_str_eq(server_fingerprint(target, "shop.orders"), before);
    moves_assert_equal(source, target);
}
