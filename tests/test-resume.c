/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/moves.h"

/* What the target was not asked to make durable is not, when it crashes. */
SERVERS({"source"}, {"target", .conf = "wal_writer_delay = 10s"})

/* ./run fault takes each step. */
enum { MOMENTS = 3, MOST_MOMENTS = 60 };

Test(resume, export_killed_at_any_moment_goes_on_in_the_same_snapshot)
{
    const char *source = moves_source(), *dir = server_tmp_dir();
    const char *first = moves_path(dir, "undisturbed");
    unsigned state = moves_seed(), usual, n_went_on = 0;
    char name[16];

    usual = moves_duration_us(moves_words("export", "--source", source, "--dir",
                                          first, "--chunk-size", "1MB"));
    for (unsigned i = 0;
         i < moves_moments(MOMENTS) || (n_went_on == 0 && i < MOST_MOMENTS);
         i++) {
        const char *run_dir, *target = server_database("target");
        const char *const *command;
        struct server_run run;

        snprintf(name, sizeof name, "run-%u", i);
        run_dir = moves_path(dir, name);
        command = moves_words("export", "--source", source, "--dir", run_dir,
                              "--chunk-size", "1MB");
        moves_kill(command, (unsigned)rand_r(&state) % usual, SIGKILL);
        run = server_run(command);
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        n_went_on += strstr(run.errors, "going on in snapshot") != NULL;

        moves_load(target, run_dir);
        moves_assert_verified(target, run_dir);
        moves_assert_same_tables(source, target);
    }
    cr_assert_gt(n_went_on, 0, "no kill came while rows were copied");
}

Test(resume, load_killed_at_any_moment_goes_on_and_is_right)
{
    const char *source = moves_source(), *dir = server_tmp_dir();
    const char *run_dir = moves_path(dir, "run");
    unsigned state = moves_seed(), usual;

    moves_export(source, run_dir);
    usual = moves_duration_us(moves_words(
        "load", "--target", server_database("target"), "--dir", run_dir));
    for (unsigned i = 0; i < moves_moments(MOMENTS); i++) {
        const char *target = server_database("target");
        const char *const *command =
            moves_words("load", "--target", target, "--dir", run_dir);
        struct server_run run;

        moves_kill(command, (unsigned)rand_r(&state) % usual, SIGKILL);
        run = server_run(command);
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        moves_assert_verified(target, run_dir);
        moves_assert_same_tables(source, target);
    }
}

Test(resume, load_killed_again_and_again_comes_to_its_end)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("load", "--target", target, "--dir", run_dir);
    struct server_run run = {.status = -1};

    moves_export(source, run_dir);
    for (unsigned ms = 50; run.status != 0; ms += ms / 2) {
        run = moves_kill(command, ms * 1000, SIGKILL);
        cr_assert(run.status == 0 || run.status == 128 + SIGKILL, "%s",
                  run.errors);
    }
    moves_assert_equal(source, target);
}

/* In the schema, among the rows, after them: nobody has to type anything. */
Test(resume, load_goes_on_by_itself_when_its_backends_are_ended, .timeout = 180)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    unsigned state = moves_seed(), n = 0;
    struct server_program p;
    struct server_run run;

    moves_export(source, run_dir);
    p = server_program_start(
        moves_words("load", "--target", target, "--dir", run_dir));
    for (unsigned i = 0; i < 12; i++) {
        usleep(20000 + (unsigned)rand_r(&state) % 300000);
        n += (unsigned)server_terminate(target,
                                        "application_name = 'pghaul: load'"
                                        " AND datname = current_database()");
    }
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 0, "status %d: %s", run.status, run.errors);
    cr_assert_gt(n, 0);
    moves_assert_equal(source, target);
    moves_assert_verified(target, run_dir);
}

/* ---- a disturbance at a random moment, with PGHAUL_MOMENTS at many ---- */

/* All its backends at once. */
static void
end_backends(const char *target)
{
    server_terminate(target, "application_name = 'pghaul: load'"
                             " AND datname = current_database()");
}

static void
restart(const char *target)
{
    (void)target;
    server_crash("target");
    usleep(300 * 1000);
    server_start("target");
}

static void
assert_right_after(void (*disturb)(const char *target))
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    unsigned state = moves_seed(), usual;

    moves_export(source, run_dir);
    usual = moves_duration_us(moves_words(
        "load", "--target", server_database("target"), "--dir", run_dir));
    for (unsigned i = 0; i < moves_moments(1); i++) {
        const char *target = server_database("target");
        const char *const *command =
            moves_words("load", "--target", target, "--dir", run_dir);
        struct server_program p = server_program_start(command);
        struct server_run run;

        usleep((unsigned)rand_r(&state) % usual);
        disturb(target);
        run = server_program_wait(&p);
        cr_assert(run.status == 0 || run.status == 3, "moment %u: %d: %s", i,
                  run.status, run.errors);
        if (run.status != 0)
            run = server_run(command);
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        moves_assert_same_schema(source, target);
        moves_assert_same_tables(source, target);
        moves_assert_verified(target, run_dir);
    }
}

Test(resume, backends_ended_at_any_moment_leave_each_row_once)
{
    assert_right_after(end_backends);
}

Test(resume, target_that_crashes_at_any_moment_has_each_row_once)
{
    assert_right_after(restart);
}

/* ---- locks of others ---- */

/* A session that has done this, and lasts as long as the test. */
static PGconn *
session_with(const char *conninfo, const char *sql)
{
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *r = PQexec(conn, sql);

    cr_assert_leq(PQresultStatus(r), PGRES_TUPLES_OK, "%s",
                  PQerrorMessage(conn));
    PQclear(r);
    return conn;
}

static const char *
exported_numbers(const char **ret_source)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    *ret_source = server_database("source");
    server_sql(*ret_source,
               "CREATE TABLE a AS SELECT generate_series(1, 100) AS i;"
               "CREATE TABLE b AS SELECT generate_series(1, 100) AS i");
    moves_export(*ret_source, run_dir);
    return run_dir;
}

static void
assert_numbers(const struct server_run *run, const char *source,
               const char *target)
{
    cr_assert_eq(run->status, 0, "status %d: %s", run->status, run->errors);
    cr_assert_str_eq(server_fingerprint(target, "a"),
                     server_fingerprint(source, "a"));
    cr_assert_str_eq(server_fingerprint(target, "b"),
                     server_fingerprint(source, "b"));
}

/*
 * The load holds its row of the ledger and comes to wait for lock 2, whose
 * holder waits for the ledger by then: the load's server process, the last to
 * wait, finds the deadlock and is its victim.
 */
Test(resume, deadlock_with_another_session_is_tried_again)
{
    const char *source, *run_dir = exported_numbers(&source);
    const char *target = server_database("target");
    struct server_program p;
    struct server_run run;
    PGconn *first, *second;

    server_sql(target, "CREATE FUNCTION waits() RETURNS boolean LANGUAGE sql AS"
                       "  $$SELECT pg_advisory_xact_lock(1);"
                       "    SELECT pg_advisory_xact_lock(2); SELECT true$$;"
                       "CREATE TABLE a (i int CHECK (public.waits()));"
                       "CREATE TABLE b (i int);"
                       "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET"
                       "  deadlock_timeout = 100', current_database()); END$$");
    first = session_with(target, "SELECT pg_advisory_lock(1)");
    second = session_with(target, "SET deadlock_timeout = '10min'; BEGIN;"
                                  "SELECT pg_advisory_xact_lock(2)");
    p = server_program_start(moves_words("load", "--target", target, "--dir",
                                         run_dir, "--jobs", "1",
                                         "--into-existing"));
    moves_wait_until(target, "SELECT count(*) > 0 FROM pg_locks WHERE locktype"
                             " = 'advisory' AND objid = 1 AND NOT granted");
    cr_assert(PQsendQuery(second, "LOCK TABLE pghaul.ledger"));
    moves_wait_until(target, "SELECT count(*) > 0 FROM pg_locks WHERE relation"
                             " = 'pghaul.ledger'::regclass AND NOT granted");
    PQfinish(first);
    server_program_await(&p, "deadlock detected");
    PQfinish(second);
    run = server_program_wait(&p);
    assert_numbers(&run, source, target);
}

Test(resume, lock_that_is_not_given_and_conflict_are_tried_again)
{
    const char *source, *run_dir = exported_numbers(&source);
    const char *target = server_database("target");
    struct server_program p;
    struct server_run run;
    PGconn *holder;

    server_sql(target,
               "CREATE TABLE gate (); CREATE SEQUENCE of_a; CREATE SEQUENCE"
               " of_b; CREATE FUNCTION locks() RETURNS boolean LANGUAGE plpgsql"
               "  AS $$BEGIN PERFORM nextval('public.of_a');"
               "    LOCK TABLE public.gate NOWAIT; RETURN true; END$$;"
               "CREATE FUNCTION thrice() RETURNS boolean LANGUAGE plpgsql AS"
               "  $$BEGIN IF nextval('public.of_b') < 3 THEN"
               "    RAISE 'a conflict' USING ERRCODE = '40001'; END IF;"
               "    RETURN true; END$$;"
               "CREATE TABLE a (i int CHECK (public.locks()));"
               "CREATE TABLE b (i int CHECK (public.thrice()))");
    holder = session_with(target, "BEGIN; LOCK TABLE gate");
    p = server_program_start(moves_words("load", "--target", target, "--dir",
                                         run_dir, "--jobs", "2",
                                         "--into-existing"));
    moves_wait_until(target,
                     "SELECT of_a.last_value > 2 AND of_b.last_value > 2"
                     " FROM of_a, of_b");
    PQfinish(holder);
    run = server_program_wait(&p);
    assert_numbers(&run, source, target);
}

/* ---- what becomes of the source's tables ---- */

/* An export whose only worker reads the first, large table, at 5 MB a second,
   and is stopped there.  The second, "late", is still to be read. */
static struct server_program
begin_and_stop_export(const char *source, const char *const argv[])
{
    struct server_program p;

    server_sql(source, "CREATE TABLE early AS SELECT repeat(md5(i::text), 150)"
                       "  AS x FROM generate_series(1, 4000) AS i;"
                       "CREATE TABLE late AS SELECT 1 AS x");
    p = server_program_start(argv);
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE 'COPY %early%'");
    kill(p.pid, SIGSTOP);
    return p;
}

Test(resume, table_truncated_when_its_lock_was_lost_is_no_empty_table)
{
    const char *source = server_database("source");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("export", "--source", source, "--dir", run_dir, "--jobs",
                    "1", "--max-rate", "5MB");
    struct server_program p = begin_and_stop_export(source, command), truncate;
    struct server_run run;

    truncate = server_program_start((const char *const[]){
        "psql", "-qd", source, "-c", "TRUNCATE late", NULL});
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE 'TRUNCATE %'"
                             " AND wait_event_type = 'Lock'");
    cr_assert_gt(
        server_terminate(source, "application_name = 'pghaul: keeper'"), 0);
    server_program_wait(&truncate);
    kill(p.pid, SIGCONT);
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 6, "status %d: %s", run.status, run.errors);
    run = server_run(command);
    cr_assert_eq(run.status, 6, "status %d: %s", run.status, run.errors);
}

Test(resume, export_does_not_wait_for_who_waits_for_it)
{
    const char *source = server_database("source");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("export", "--source", source, "--dir", run_dir, "--jobs",
                    "1", "--max-rate", "5MB");
    struct server_program p = begin_and_stop_export(source, command), waiter;
    struct server_run run;

    waiter = server_program_start((const char *const[]){
        "psql", "-qd", source, "-c", "ALTER TABLE late ADD y int", NULL});
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE 'ALTER %'"
                             " AND wait_event_type = 'Lock'");
    kill(p.pid, SIGCONT);
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE 'COPY %late%'"
                             " AND wait_event_type = 'Lock'");
    server_program_await(&p, "trying again");
    server_sql(source, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                       " WHERE query LIKE 'ALTER %'");
    server_program_wait(&waiter);
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 0, "status %d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, "trying again"), "%s", run.errors);
}

Test(resume, interrupt_ends_with_130_and_the_same_command_goes_on)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("load", "--target", target, "--dir", run_dir);
    struct server_run run;

    moves_export(source, run_dir);
    run = moves_kill(command, 400 * 1000, SIGINT);
    if (run.status != 0)
        cr_assert_eq(run.status, 130, "status %d: %s", run.status, run.errors);
    run = server_run(command);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(source, target);
}

Test(resume, second_process_is_told_who_is_at_work)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("export", "--source", source, "--dir", run_dir);
    struct server_program holder, first;
    struct server_run run;
    char in_use[64];

    /* The first waits for this lock, and holds the directory meanwhile. */
    holder = server_program_start((const char *const[]){
        moves_path(server_bin_dir(), "psql"), "-qd", source, "-c",
        "BEGIN; LOCK TABLE shop.orders; SELECT pg_sleep(600)", NULL});
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE query LIKE '%pg_sleep(600)' AND"
                             " wait_event = 'PgSleep'");
    first = server_program_start(command);
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_locks"
                             " WHERE NOT granted");
    run = server_run(command);
    snprintf(in_use, sizeof in_use, "is in use by process %d", (int)first.pid);
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, in_use), "%s", run.errors);
    server_terminate(source, "wait_event = 'PgSleep'");
    server_program_wait(&holder);
    cr_assert_eq(server_program_wait(&first).status, 0);
}
