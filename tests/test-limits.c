/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/moves.h"

SERVERS({"source"},
        {"standby", .standby_of = "source",
         .conf = "wal_receiver_status_interval = 1s"},
        {"target"})

enum { PATIENCE_MS = 120000 };

/* About 4 MB, in as many chunks. */
static const char *
make_source(void)
{
    const char *db = server_database("source");

    server_sql(db, "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 8)"
                   " AS v FROM generate_series(1, 14000) g;"
                   "ALTER TABLE t ADD PRIMARY KEY (id)");
    return db;
}

static const char *
make_run_dir(void)
{
    return moves_path(server_tmp_dir(), "run");
}

/* Slow enough for something to happen meanwhile. */
#define export_words(source, run_dir, ...)                                     \
    moves_words("export", "--source", source, "--dir", run_dir,                \
                "--chunk-size", "1MB", "--jobs", "4", "--max-rate", "1MB",     \
                "--progress", "plain", __VA_ARGS__)

static void
assert_copy_is(const char *run_dir, const char *rows)
{
    const char *target = server_database("target");

    moves_load(target, run_dir);
    cr_assert_str_eq(server_fingerprint(target, "t"), rows);
}

static json_t *
status(const char *run_dir)
{
    struct server_run run = moves_pghaul("status", "--dir", run_dir, "--json");

    return run.status ? NULL : json_loads(run.output, 0, NULL);
}

/* Wait until an export at work may use so many workers. */
static void
wait_for_allowed(const char *run_dir, json_int_t n)
{
    uint64_t deadline = clock_ms() + PATIENCE_MS;
    json_t *allowed;

    do {
        cr_assert_lt(clock_ms(), deadline);
        usleep(50000);
        allowed = json_object_get(json_object_get(status(run_dir), "pace"),
                                  "workers_allowed");
    } while (!allowed || json_integer_value(allowed) != n);
}

static json_int_t
n_staged(const char *run_dir)
{
    return json_integer_value(
        json_object_get(status(run_dir), "chunks_staged"));
}

/* ---- the lag of a standby ---- */

static void
stop_replay(void)
{
    server_sql(server_conninfo("standby"), "SELECT pg_wal_replay_pause()");
    server_sql(
        server_conninfo("source"),
        "SELECT pg_logical_emit_message(false, 'x', repeat('x', 99999))");
    moves_wait_until(server_conninfo("source"),
                     "SELECT count(*) = 1 FROM pg_stat_replication"
                     " WHERE replay_lag > interval '2 s'");
}

static void
resume_replay(void)
{
    server_sql(server_conninfo("standby"), "SELECT pg_wal_replay_resume()");
}

Test(limits, lag_of_a_standby_slows_the_export_down, .fini = resume_replay)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_run run;

    stop_replay();
    run = server_run(export_words(source, run_dir, "--max-replica-lag", "1s"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "slowed to 2 of 4 workers: replica lag "), "%s",
        run.errors);
    cr_assert_not_null(strstr(run.errors, " > 1 s"));
}

Test(limits, lag_of_a_standby_pauses_the_export_until_it_is_gone,
     .fini = resume_replay)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p;
    struct server_run run;
    json_int_t n;

    stop_replay();
    p = server_program_start(export_words(source, run_dir, "--max-replica-lag",
                                          "1s", "--on-limit", "pause"));
    wait_for_allowed(run_dir, 0);
    usleep(200000);
    n = n_staged(run_dir);
    cr_assert_lt(n, 4);
    sleep(1);
    cr_assert_eq(n_staged(run_dir), n, "nothing is read meanwhile");
    run = moves_pghaul("status", "--dir", run_dir);
    cr_assert_not_null(strstr(run.output, "\nlimit     paused: replica lag "),
                       "%s", run.output);

    resume_replay();
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "paused: replica lag "));
    cr_assert_not_null(strstr(run.errors, "slowed to 1 of 4 workers"), "%s",
                       run.errors);
    assert_copy_is(run_dir, server_fingerprint(source, "t"));
}

Test(limits, lag_of_a_standby_stops_the_export_which_goes_on_in_its_snapshot,
     .fini = resume_replay)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    const char *before;
    struct server_run run;

    server_sql(source, "INSERT INTO t SELECT g, repeat(md5(g::text), 8)"
                       " FROM generate_series(14001, 40000) g");
    before = server_fingerprint(source, "t");
    stop_replay();
    run = server_run(moves_words("export", "--source", source, "--dir", run_dir,
                                 "--chunk-size", "1MB", "--jobs", "1",
                                 "--max-rate", "1MB", "--max-replica-lag", "1s",
                                 "--on-limit", "stop"));
    cr_assert_eq(run.status, 6, "%d %s", run.status, run.errors);
    cr_assert_not_null(
        strstr(run.errors, "limit --max-replica-lag is reached: replica lag "),
        "%s", run.errors);
    resume_replay();
    server_sql(source, "DELETE FROM t WHERE id % 2 = 0");
    moves_wait_until(server_conninfo("source"),
                     "SELECT count(*) = 1 FROM pg_stat_replication"
                     " WHERE replay_lsn = pg_current_wal_lsn()");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "going on in snapshot"));
    assert_copy_is(run_dir, before);
}

Test(limits, interrupt_ends_a_paused_export_at_once, .fini = resume_replay)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p;
    struct server_run run;
    uint64_t begun_ms;

    stop_replay();
    p = server_program_start(export_words(source, run_dir, "--max-replica-lag",
                                          "1s", "--on-limit", "pause"));
    wait_for_allowed(run_dir, 0);
    begun_ms = clock_ms();
    kill(p.pid, SIGINT);
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 130, "%s", run.errors);
    cr_assert_lt(clock_ms() - begun_ms, PATIENCE_MS,
                 "without waiting for the end, which never comes");
    cr_assert_eq(moves_pghaul("abort", "--dir", run_dir).status, 0);
}

/* ---- sessions, rate ---- */

Test(limits, active_sessions_of_others_pause_the_export)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    PGconn *others[3];
    struct server_program p;
    struct server_run run;

    for (int i = 0; i < 3; i++) {
        others[i] = PQconnectdb(source);
        PQsendQuery(others[i], "SELECT pg_sleep(600)");
    }
    p = server_program_start(export_words(
        source, run_dir, "--max-active-sessions", "2", "--on-limit", "pause"));
    wait_for_allowed(run_dir, 0);
    server_sql(source, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE query = 'SELECT pg_sleep(600)'");
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "paused: active sessions 3 > 2"),
                       "%s", run.errors);
    for (int i = 0; i < 3; i++)
        PQfinish(others[i]);
}

static unsigned
duration_ms(const char *source, const char *rate)
{
    return moves_duration_us(moves_words("export", "--source", source, "--dir",
                                         make_run_dir(), "--chunk-size", "1MB",
                                         "--jobs", "4", "--max-rate", rate)) /
           1000;
}

Test(limits, rate_is_kept_by_all_workers_together)
{
    const char *source = make_source();
    unsigned slow = duration_ms(source, "1MB");
    unsigned fast = duration_ms(source, "1GB");

    /* 4 MB less a tenth of a second's worth; and much else takes time. */
    cr_assert_geq(slow, 3000, "%u", slow);
    cr_assert_geq(slow, fast + 1000, "%u %u", slow, fast);
}

/* ---- limits on the snapshot ---- */

static void
assert_let_go(const char *source, const char *run_dir, const char *limit)
{
    struct server_run run;

    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE"
                             " application_name LIKE 'pghaul: %'");
    run = server_run(export_words(source, run_dir, "--json"));
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "The source was let go when a limit was reached: "),
        "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, limit), "%s", run.errors);
    run = moves_pghaul("export", "--source", source, "--dir", run_dir,
                       "--start-over");
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(limits, snapshot_that_grows_too_old_is_let_go)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_run run;

    /* Some is staged before the limit is reached, not all. */
    server_sql(source, "INSERT INTO t SELECT g, repeat(md5(g::text), 8)"
                       " FROM generate_series(14001, 50000) g");
    run = server_run(export_words(source, run_dir, "--max-snapshot-age", "6s"));
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "limit --max-snapshot-age is reached: snapshot age"),
        "%s", run.errors);
    cr_assert_geq(n_staged(run_dir), 1, "what is staged is kept");
    assert_let_go(source, run_dir, "snapshot age");
}

Test(limits, wal_that_grows_too_much_lets_the_snapshot_go)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p = server_program_start(
        export_words(source, run_dir, "--max-wal-retained", "5MB"));
    struct server_run run;

    wait_for_allowed(run_dir, 4);
    server_sql(source, "CREATE TABLE w AS SELECT g FROM"
                       " generate_series(1, 200000) g");
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "limit --max-wal-retained is reached: WAL retained"),
        "%s", run.errors);
    server_sql(source, "DROP TABLE w");
    assert_let_go(source, run_dir, "WAL retained");
}

Test(limits, wal_that_a_slot_keeps_too_much_of_lets_the_slot_go_too)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p = server_program_start(
        export_words(source, run_dir, "--cdc", "--max-wal-retained", "5MB"));
    struct server_run run;

    wait_for_allowed(run_dir, 4);
    cr_assert_str_eq(server_value(source,
                                  "SELECT count(*) FROM pg_replication_slots"
                                  " WHERE slot_type = 'logical'"),
                     "1");
    server_sql(source, "CREATE TABLE w AS SELECT g FROM"
                       " generate_series(1, 200000) g");
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "limit --max-wal-retained is reached: WAL retained"),
        "%s", run.errors);
    cr_assert_str_eq(server_value(source,
                                  "SELECT count(*) FROM pg_replication_slots"
                                  " WHERE slot_type = 'logical'"),
                     "0", "%s", run.errors);
    cr_assert_str_eq(
        server_value(source, "SELECT count(*) FROM pg_publication"), "0");
}

Test(limits, forecast_says_what_will_be_reached_before_the_end)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p;
    struct server_run run;
    uint64_t deadline = clock_ms() + PATIENCE_MS;

    server_sql(source, "INSERT INTO t SELECT g, repeat(md5(g::text), 8)"
                       " FROM generate_series(14001, 130000) g");
    p = server_program_start(
        export_words(source, run_dir, "--max-snapshot-age", "20s"));
    do {
        cr_assert_lt(clock_ms(), deadline);
        usleep(100000);
        run = moves_pghaul("status", "--dir", run_dir);
    } while (!strstr(run.output, "\nforecast  at this rate the limit on "
                                 "snapshot age is reached in 00:00:"));
    kill(p.pid, SIGINT);
    kill(p.pid, SIGINT);
    run = server_program_wait(&p);
    cr_assert_not_null(strstr(run.errors, "at this rate the limit on snapshot "
                                          "age is reached in "),
                       "%s", run.errors);
    cr_assert_eq(moves_pghaul("abort", "--dir", run_dir).status, 0);
}

/* ---- what cannot be measured ---- */

Test(limits, limit_that_cannot_be_measured_is_refused_before_anything_begins)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    char conninfo[512];
    struct server_run run;

    server_sql(source, "CREATE ROLE plain LOGIN; GRANT SELECT ON t TO plain");
    snprintf(conninfo, sizeof conninfo, "%s user=plain", source);
    run = server_run(export_words(conninfo, run_dir, "--max-replica-lag", "1s",
                                  "--on-limit", "stop"));
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "hint: GRANT pg_monitor"), "%s",
                       run.errors);
    cr_assert_null(
        strstr(moves_pghaul("status", "--dir", run_dir).output, "keeper"));
    run =
        server_run(export_words(conninfo, run_dir, "--max-snapshot-age", "1h"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(source, "DROP OWNED BY plain; DROP ROLE plain");
}

/* Nobody is left but the keeper, which holds the source for somebody who does
   not come back: it knows the limits. */
Test(limits, keeper_lets_go_by_itself_when_the_exporter_is_dead)
{
    const char *source = make_source(), *run_dir = make_run_dir();
    struct server_program p;
    struct server_run run;

    p = server_program_start(
        export_words(source, run_dir, "--max-snapshot-age", "20s"));
    moves_wait_until(source,
                     "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname ="
                     " current_database() AND query LIKE 'COPY %'");
    /* The limits are written down with the pace, every two seconds. */
    usleep(3 * 1000 * 1000);
    kill(p.pid, SIGKILL);
    server_program_wait(&p);
    moves_wait_until(
        source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname ="
                " current_database() AND application_name LIKE 'pghaul: %'");
    run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--quiet");
    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.errors);
    cr_assert(strstr(run.errors, "let go when a limit was reached"), "%s",
              run.errors);
}

Test(limits, a_clone_keeps_them_too)
{
    const char *source = make_source(), *target = server_database("target");
    const char *run_dir = make_run_dir();
    uint64_t begun = clock_ms();
    struct server_run run = moves_pghaul(
        "clone", "--source", source, "--target", target, "--dir", run_dir,
        "--chunk-size", "1MB", "--jobs", "2", "--max-rate", "1MB",
        "--max-snapshot-age", "1h", "--quiet");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_geq(clock_ms() - begun, 2000);
    cr_assert_str_eq(server_fingerprint(target, "t"),
                     server_fingerprint(source, "t"));
    run = moves_pghaul("clone", "--source", source, "--target",
                       server_database("target"), "--dir", make_run_dir(),
                       "--chunk-size", "1MB", "--max-rate", "1MB", "--quiet",
                       "--max-snapshot-age", "1s");
    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.errors);
    cr_assert(strstr(run.errors, "limit --max-snapshot-age is reached"), "%s",
              run.errors);
}

/* ---- a verification ---- */

#define verify_words(...)                                                      \
    moves_words("verify", "--source", __VA_ARGS__, "--jobs", "4",              \
                "--max-rate", "1MB", "--progress", "plain")

/* Of its source, whose standbys it measures itself. */
Test(limits, lag_of_a_standby_slows_a_verification_down, .fini = resume_replay)
{
    const char *source = make_source(), *target = make_source();
    struct server_run run;

    stop_replay();
    run = server_run(
        verify_words(source, "--target", target, "--max-replica-lag", "1s"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "slowed to 2 of 4 workers: replica lag "), "%s",
        run.errors);
    run =
        server_run(verify_words(source, "--target", target, "--max-replica-lag",
                                "1s", "--on-limit", "stop"));
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.errors, "limit --max-replica-lag is reached: replica lag "),
        "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "has come to no verdict"), "%s",
                       run.errors);
    run = server_run(
        verify_words(source, "--target", target, "--max-snapshot-age", "1s"));
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "limit --max-snapshot-age"), "%s",
                       run.errors);
}
