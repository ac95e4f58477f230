/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/source/guard/vitals.h"
#include "tests/moves.h"

SERVERS({"source", .conf = "hot_standby_feedback = off"},
        {"standby", .standby_of = "source",
         .conf = "wal_receiver_status_interval = 1s\n"
                 "max_standby_streaming_delay = -1"})

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static struct session *
open_session(const char *conninfo)
{
    const struct session_params p = {
        .conninfo = conninfo, .side = SESSION_SOURCE, .purpose = "test"};
    struct session *s;

    ok(session_open(&s, &p, &err));
    return s;
}

static struct vitals
measure(struct session *s, struct vitals_origin *o)
{
    struct vitals v;

    ok(vitals_measure(o, s, &v, &err));
    return v;
}

/* ---- one measurement ---- */

Test(vitals, count_what_is_written_and_begun_since_the_snapshot)
{
    const char *db = server_database("source");
    cleanup_(session_freep) struct session *s = open_session(db);
    struct vitals_origin o;
    struct vitals v;

    ok(vitals_begin(&o, s, NULL, &err));
    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 100000) AS x");
    for (int i = 0; i < 5; i++)
        server_sql(db, "INSERT INTO t VALUES (0)");
    clock_nap_us(20000);
    v = measure(s, &o);
    cr_assert_geq(v.value[VITAL_SNAPSHOT_AGE], 20);
    cr_assert_lt(v.value[VITAL_SNAPSHOT_AGE], 60000);
    cr_assert_geq(v.value[VITAL_XMIN_AGE], 6);
    cr_assert_geq(v.value[VITAL_WAL], 6000000, "%d", (int)v.value[VITAL_WAL]);
    cr_assert_not(v.has_slot);
    cr_assert_eq(v.known, (1u << N_VITALS) - 1);
}

Test(vitals, wal_is_what_the_slot_keeps_when_there_is_one)
{
    const char *db = server_database("source");
    cleanup_(session_freep) struct session *s = open_session(db);
    struct vitals_origin o;
    struct vitals v;

    server_sql(db, "SELECT pg_create_physical_replication_slot('kept', true)");
    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 100000) AS x");
    ok(vitals_begin(&o, s, "kept", &err));
    v = measure(s, &o);
    cr_assert(v.has_slot);
    cr_assert_geq(v.value[VITAL_WAL], 6000000, "%d", (int)v.value[VITAL_WAL]);
    server_sql(db, "SELECT pg_drop_replication_slot('kept')");
    v = measure(s, &o);
    cr_assert_not(vitals_know(&v, VITAL_WAL), "and not 0");
}

Test(vitals, sessions_are_those_of_others_that_are_at_work)
{
    const char *db = server_database("source");
    cleanup_(session_freep) struct session *s = open_session(db);
    cleanup_(session_freep) struct session *ours = open_session(db);
    struct vitals_origin o;
    PGconn *other = PQconnectdb(db), *idle = PQconnectdb(db);

    ok(vitals_begin(&o, s, NULL, &err));
    cr_assert_eq(measure(s, &o).value[VITAL_SESSIONS], 0);
    cr_assert(PQsendQuery(other, "SELECT pg_sleep(60)"));
    ok(session_send(ours, "SELECT pg_sleep(60)", &err));
    PQclear(PQexec(idle, "BEGIN; SELECT 1"));
    moves_wait_until(db, "SELECT count(*) = 2 FROM pg_stat_activity"
                         " WHERE query = 'SELECT pg_sleep(60)'");
    cr_assert_eq(measure(s, &o).value[VITAL_SESSIONS], 1);
    PQfinish(idle);
    server_sql(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE query = 'SELECT pg_sleep(60)'");
    PQfinish(other);
}

/* Until the standby has replayed all that there is. */
static void
catch_up(void)
{
    moves_wait_until(server_conninfo("source"),
                     "SELECT count(*) = 1 FROM pg_stat_replication"
                     " WHERE replay_lsn = pg_current_wal_lsn()");
}

static void
measure_until_behind(struct session *s, struct vitals_origin *o)
{
    uint64_t deadline = clock_ms() + 120000;
    struct vitals v;

    do {
        cr_assert_lt(clock_ms(), deadline, "the lag is never seen");
        usleep(100000);
        v = measure(s, o);
    } while (v.value[VITAL_REPLICA_LAG] < 500);
    cr_assert_gt(v.value[VITAL_REPLICA_BYTES], 1000000);
    cr_assert_lt(v.value[VITAL_REPLICA_LAG], 60000);
}

Test(vitals, standby_that_does_not_replay_is_behind)
{
    const char *db = server_database("source");
    const char *standby = server_conninfo("standby");
    cleanup_(session_freep) struct session *s = open_session(db);
    struct vitals_origin o;
    struct vitals v;

    catch_up();
    ok(vitals_begin(&o, s, NULL, &err));
    v = measure(s, &o);
    cr_assert_eq(v.value[VITAL_REPLICAS], 1);
    cr_assert_lt(v.value[VITAL_REPLICA_LAG], 2000);
    server_sql(standby, "SELECT pg_wal_replay_pause()");
    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 100000) AS x");
    measure_until_behind(s, &o);
    server_sql(standby, "SELECT pg_wal_replay_resume()");
    catch_up();
    v = measure(s, &o);
    cr_assert_eq(v.value[VITAL_REPLICA_LAG], 0, "%d",
                 (int)v.value[VITAL_REPLICA_LAG]);
}

Test(vitals, standby_measures_itself)
{
    const char *db = server_database("source");
    const char *standby = server_conninfo("standby");
    cleanup_(session_freep) struct session *s = open_session(standby);
    struct vitals_origin o;
    struct vitals v;

    catch_up();
    ok(vitals_begin(&o, s, NULL, &err));
    v = measure(s, &o);
    cr_assert_eq(v.value[VITAL_REPLICA_LAG], 0);
    cr_assert_eq(v.value[VITAL_REPLICAS], 0);
    server_sql(standby, "SELECT pg_wal_replay_pause()");
    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 100000) AS x");
    measure_until_behind(s, &o);
    server_sql(standby, "SELECT pg_wal_replay_resume()");
    catch_up();
}

Test(vitals, consumer_of_a_logical_slot_is_no_standby)
{
    const char *db = server_database("source");
    cleanup_(session_freep) struct session *s = open_session(db);
    struct server_program p;
    struct vitals_origin o;

    server_sql(db, "SELECT pg_create_logical_replication_slot('l',"
                   " 'test_decoding')");
    p = server_program_start((const char *const[]){
        moves_path(server_bin_dir(), "pg_recvlogical"), "-d", db, "--slot", "l",
        "--start", "-f", "/dev/null", NULL});
    moves_wait_until(db, "SELECT count(*) = 2 FROM pg_stat_replication"
                         " WHERE state = 'streaming'");
    ok(vitals_begin(&o, s, NULL, &err));
    cr_assert_eq(measure(s, &o).value[VITAL_REPLICAS], 1);
    kill(p.pid, SIGINT);
    server_program_wait(&p);
    moves_wait_until(db, "SELECT NOT active FROM pg_replication_slots"
                         " WHERE slot_name = 'l'");
    server_sql(db, "SELECT pg_drop_replication_slot('l')");
}

static const char *
as_user(const char *db, const char *user)
{
    static char conninfo[512];

    snprintf(conninfo, sizeof conninfo, "%s user=%s", db, user);
    return conninfo;
}

Test(vitals, what_a_user_may_not_see_is_unknown_and_no_limit_can_ask_for_it)
{
    const unsigned lag = 1u << VITAL_REPLICA_LAG;
    const char *db = server_database("source");
    cleanup_(session_freep) struct session *s = NULL;
    struct vitals_origin o;
    struct vitals v;

    server_sql(db, "CREATE ROLE plain LOGIN");
    s = open_session(as_user(db, "plain"));
    ok(vitals_begin(&o, s, NULL, &err));
    v = measure(s, &o);
    cr_assert_eq(v.known, 1u << VITAL_SNAPSHOT_AGE | 1u << VITAL_XMIN_AGE |
                              1u << VITAL_WAL);
    ok(vitals_require(s, v.known, &err));
    cr_assert_lt(vitals_require(s, lag, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_not_null(strstr(err.hint, "GRANT pg_monitor"));
    server_sql(db, "GRANT pg_monitor TO plain");
    ok(vitals_require(s, lag, &err));
    cr_assert(vitals_know(&(struct vitals){.known = measure(s, &o).known},
                          VITAL_REPLICA_LAG));
    server_sql(db, "DROP ROLE plain");
}

Test(vitals, are_the_same_when_they_were_written_and_read)
{
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    struct vitals v = {.n = 7,
                       .at = 1700000000,
                       .has_slot = 1,
                       .known = 1u << VITAL_WAL | 1u << VITAL_REPLICA_LAG,
                       .trouble = "the source says \"no\"\n"};
    struct vitals got;

    v.value[VITAL_WAL] = UINT64_C(1) << 60;
    v.value[VITAL_REPLICA_LAG] = 12;
    ok(run_dir_open(&dir, moves_path(server_tmp_dir(), "run"), RUN_DIR_CREATE,
                    &err));
    cr_assert_eq(vitals_read(dir, &got, &err), VITALS_E_NONE);
    ok(vitals_write(dir, &v, &err));
    ok(vitals_read(dir, &got, &err));
    cr_assert_eq(got.n, 7);
    cr_assert_eq(got.at, v.at);
    cr_assert_eq(got.known, v.known);
    cr_assert(got.has_slot);
    cr_assert_eq(got.value[VITAL_WAL], v.value[VITAL_WAL]);
    cr_assert_eq(got.value[VITAL_REPLICA_LAG], 12);
    cr_assert_str_eq(got.trouble, v.trouble);
    vitals_remove(dir);
    cr_assert_eq(vitals_read(dir, &got, &err), VITALS_E_NONE);
}

/* ---- what status shows ---- */

static json_t *
status(const char *run_dir)
{
    struct server_run run = moves_pghaul("status", "--dir", run_dir, "--json");
    json_t *o = json_loads(run.output, 0, NULL);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(o, "%s", run.output);
    return json_object_get(o, "keeper");
}

/* Status, as soon as something has been measured. */
static json_t *
status_measured(const char *run_dir)
{
    uint64_t deadline = clock_ms() + 120000;
    json_t *keeper;

    while (
        !json_is_object(json_object_get(keeper = status(run_dir), "vitals"))) {
        cr_assert_lt(clock_ms(), deadline, "nothing is measured");
        usleep(50000);
    }
    return keeper;
}

static void
kill_when_staged(struct server_program *p, const char *run_dir)
{
    moves_wait_until_staged(run_dir);
    kill(p->pid, SIGKILL);
    server_program_wait(p);
}

Test(vitals, status_shows_them_also_when_the_exporter_is_dead)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_program p = server_program_start(
        moves_words("export", "--source", source, "--dir", run_dir,
                    "--chunk-size", "1MB", "--jobs", "1"));
    struct server_run run;
    json_t *keeper, *was;

    kill_when_staged(&p, run_dir);
    keeper = status_measured(run_dir);
    was = json_object_get(json_object_get(keeper, "vitals"), "wal_bytes");
    cr_assert(kill((pid_t)json_integer_value(json_object_get(keeper, "pid")),
                   0) == 0);
    server_sql(source, "CREATE TABLE w AS SELECT generate_series(1, 50000)");
    for (uint64_t deadline = clock_ms() + 120000;;) {
        json_t *now = json_object_get(
            json_object_get(status_measured(run_dir), "vitals"), "wal_bytes");

        if (json_integer_value(now) >= json_integer_value(was) + 3000000)
            break;
        cr_assert_lt(clock_ms(), deadline, "%d", (int)json_integer_value(now));
        usleep(100000);
    }
    run = moves_pghaul("status", "--dir", run_dir);
    cr_assert_not_null(strstr(run.output, "\nkeeper    process "), "%s",
                       run.output);
    cr_assert_not_null(strstr(run.output, " old, its horizon is "));
    cr_assert_not_null(strstr(run.output, "\nWAL       "));
    cr_assert_not_null(strstr(run.output, "\nstandbys  1, at most "));
    cr_assert_eq(moves_pghaul("abort", "--dir", run_dir).status, 0);
    cr_assert(json_is_null(status(run_dir)));
    cr_assert_null(
        strstr(moves_pghaul("status", "--dir", run_dir).output, "snapshot"));
}

/* Nobody may keep the keeper from its work by keeping it from measuring. */
Test(vitals, keeper_lives_on_without_its_measurements)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_program p = server_program_start(
        moves_words("export", "--source", source, "--dir", run_dir,
                    "--chunk-size", "1MB", "--jobs", "1"));
    struct server_run run;

    kill_when_staged(&p, run_dir);
    for (int i = 0; i < 2; i++) {
        status_measured(run_dir);
        server_sql(source, "SELECT pg_terminate_backend(pid) FROM"
                           " pg_stat_activity WHERE application_name ="
                           " 'pghaul: vitals'");
    }
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "going on in snapshot"));
    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE"
                             " application_name LIKE 'pghaul: %'");
}
