/* SPDX-License-Identifier: PostgreSQL */

/* A cut-over while others write, back again, and what is refused. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/cutovers.h"

SERVERS({"source", .conf = "max_prepared_transactions = 10"}, {"target"})

static const char writable[] = "SHOW default_transaction_read_only";

static void
assert_writable(const char *conninfo, const char *off)
{
    cr_assert_str_eq(server_value(conninfo, writable), off);
}

static void
wait_for(const char *conninfo, const char *table, const char *like)
{
    moves_wait_until(conninfo,
                     server_process_text("SELECT count(*) > 0 FROM %s", table));
    (void)like;
}

/* ---- there, back, and there again ---- */

static void
look_and_change_nothing(const struct moved *m)
{
    const char *before = marks_of(m);
    struct server_run run = cutover(*m, "--dry-run", "--json");

    assert_says(&run, 0, "\"read_only_ms\"");
    cr_assert_str_eq(marks_of(m), before);
    cr_assert_null(
        server_value(m->target, "SELECT to_regclass('pghaul.cutover')"));
}

static void
give_back_when_writers_stay(const struct moved *m)
{
    const char *before = marks_of(m);
    struct server_run run = cutover(*m, "--writers-timeout", "1s");

    assert_says(&run, 6, "can still write");
    assert_says(&run, 6, "pgbench");
    assert_says(&run, 6, "it can be written to");
    cr_assert_str_eq(marks_of(m), before);
    cr_assert_str_eq(
        server_value(m->target, "SELECT count(*) FROM pghaul.cutover"), "0");
    run = cutover(*m, "--writers", "refuse");
    assert_says(&run, 6, "sessions");
}

static void
cut_over_under_fire(const struct moved *m)
{
    const char *file = moves_path(server_tmp_dir(), "hook.out");
    struct server_program tellers = start_tellers(m->source);
    struct server_run run;

    moves_wait_until(m->source, "SELECT count(*) > 0 FROM journal");
    give_back_when_writers_stay(m);
    setenv("PGPASSWORD", "secret", 1);
    run = cutover(
        *m, "--writers", "terminate", "--verify", "rows", "--json", "--hook",
        server_process_text("echo $PGHAUL_TRAFFIC$PGPASSWORD >%s", file));
    unsetenv("PGPASSWORD");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    server_program_wait(&tellers);
    cr_assert_not_null(strstr(run.output, "\"state\": \"switched\""), "%s",
                       run.output);
    cr_assert_null(strstr(run.output, "\"read_only_ms\": 0"));
    cr_assert_str_eq(
        server_run((const char *const[]){"cat", file, NULL}).output,
        "target\n");
    assert_same_bank(m);
    assert_writable(m->source, "on");
    assert_writable(m->target, "off");
    cr_assert_str_eq(server_value(m->target, "SELECT nextval('unused')"), "77");
    cr_assert_str_eq(server_value(m->target, "SELECT nextval('down')"), "-3");
    cr_assert_str_eq(
        server_value(m->target, "SELECT nextval('journal_id_seq') >"
                                " (SELECT coalesce(max(id), 0) FROM journal)"),
        "t");
}

static void
go_back_under_fire(const struct moved *m)
{
    struct server_program tellers = start_tellers(m->target);
    struct server_run run;

    moves_wait_until(m->target, "SELECT max(id) > (SELECT last_value - 10 FROM"
                                " journal_id_seq) FROM journal");
    server_sql(m->target, "INSERT INTO journal (i, note) VALUES (-1, 'late')");
    wait_for(m->source, "journal WHERE i = -1", NULL);
    server_sql(m->target, "UPDATE parts SET t = 'later' WHERE i = 5");
    run = cutover(*m, "--rollback", "--writers", "terminate");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    server_program_wait(&tellers);
    assert_same_bank(m);
    cr_assert_str_eq(server_value(m->source, "SELECT t FROM parts WHERE i = 5"),
                     "later");
    assert_writable(m->source, "off");
    assert_writable(m->target, "on");
    cr_assert_str_eq(
        server_value(m->source, "SELECT nextval('journal_id_seq') >"
                                " (SELECT coalesce(max(id), 0) FROM journal)"),
        "t");
    /* And it follows again. */
    server_sql(m->source, "INSERT INTO journal (i) VALUES (-2)");
    wait_for(m->target, "journal WHERE i = -2", NULL);
    run = cutover(*m, "--rollback");
    assert_says(&run, 0, "nothing to go back from");
}

static void
finish(const struct moved *m)
{
    struct server_run run = cutover(*m, "--finish");

    assert_says(&run, 6, "has not been made");
    run = cutover(*m, "--writers", "terminate", "--sequence-margin", "100");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_str_eq(server_value(m->target, "SELECT nextval('unused')"),
                     "178");
    run = moves_pghaul("status", "--dir", m->dir);
    assert_says(&run, 0, "switched");
    run = moves_pghaul("abort", "--dir", m->dir, "--source", m->source, "--yes",
                       "--target", m->target);
    assert_says(&run, 6, "is cut over");
    run = cutover(*m, "--finish", "--release-source", "--drop-ledger");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_str_eq(marks_of(m), "{default_transaction_read_only=false} | ");
    cr_assert_null(server_value(m->target, "SELECT to_regnamespace('pghaul')"));
    run = cutover(*m, "--finish");
    assert_says(&run, 0, "finished already");
}

Test(cutover, goes_there_and_back_and_loses_nothing)
{
    struct moved m = moved();

    /* To be found again as it was. */
    server_sql(m.source, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
                         " default_transaction_read_only = false',"
                         " current_database()); END $$");
    look_and_change_nothing(&m);
    cut_over_under_fire(&m);
    go_back_under_fire(&m);
    finish(&m);
}

/* ---- what is refused ---- */

static void
refuse_to_begin(const struct moved *m, const char *at, const char *sql,
                const char *says, const char *undo)
{
    const char *before;
    struct server_run run;

    server_sql(at, sql);
    before = marks_of(m);
    run = cutover(*m);
    assert_says(&run, 6, says);
    cr_assert_str_eq(marks_of(m), before);
    server_sql(at, undo);
}

static void
refuse_lag(const struct moved *m)
{
    PGconn *lock = session(m->target, "BEGIN; DELETE FROM a");
    struct server_run run;

    server_sql(m->source, "UPDATE a SET t = repeat(md5(i::text), 30)");
    run = cutover(*m, "--max-lag", "1MB", "--lag-timeout", "1s");
    assert_says(&run, 6, "too far behind");
    assert_writable(m->source, "off");
    PQfinish(lock);
}

static void
refuse_prepared(const struct moved *m)
{
    struct server_run run;

    server_sql(m->source, "BEGIN; UPDATE a SET n = n WHERE i = 1;"
                          "PREPARE TRANSACTION 'half done'");
    run = cutover(*m, "--writers", "terminate", "--writers-timeout", "1s");
    assert_says(&run, 6, "half done");
    assert_writable(m->source, "off");
    server_sql(m->source, "ROLLBACK PREPARED 'half done'");
}

/* While somebody is waited for. */
static void
interrupt(const struct moved *m)
{
    PGconn *idle = session(m->source, "SET work_mem = '1MB'");
    const char *before = marks_of(m);
    struct server_program p = server_program_start(cutover_words(*m));
    struct server_run run;

    moves_wait_until(m->source, "SELECT count(*) = 1 FROM pg_db_role_setting s"
                                " JOIN pg_database d ON d.oid = s.setdatabase"
                                " WHERE d.datname = current_database() AND"
                                " setconfig::text LIKE '%read_only=on%'");
    kill(p.pid, SIGINT);
    run = server_program_wait(&p);
    assert_says(&run, 130, "it can be written to");
    cr_assert_str_eq(marks_of(m), before);
    PQfinish(idle);
}

/* What comes after the drain is applied, too, as long as the target follows: so
   each takes a while, and some are left when it follows no more. */
static void
refuse_strays(const struct moved *m)
{
    const char *go_on = moves_path(server_tmp_dir(), "go-on");
    struct server_program strays;
    struct server_run run;

    server_sql(m->target,
               "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS"
               " 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';"
               "CREATE TRIGGER nap BEFORE UPDATE ON a FOR EACH ROW"
               " EXECUTE FUNCTION nap(); ALTER TABLE a ENABLE ALWAYS TRIGGER"
               " nap");
    strays = server_program_start((const char *const[]){
        "sh", "-c",
        "touch \"$3\"; until \"$0/psql\" -qXAt -d \"$2\" -c \"SELECT 1 FROM"
        " pghaul.cutover WHERE step = 'read-only' AND done IS NOT NULL\" 2>&1"
        " | grep -qx 1; do :; done; while [ -e \"$3\" ]; do \"$0/psql\" -qX -d"
        " \"$1\" -c 'BEGIN READ WRITE; UPDATE a SET n = n WHERE i = 1; COMMIT';"
        " done",
        server_bin_dir(), m->source, m->target, go_on, NULL});
    run = cutover(*m, "--writers", "terminate");
    unlink(go_on);
    server_program_wait(&strays);
    assert_says(&run, 6, "after it was read only");
    assert_says(&run, 6, "it can be written to");
    server_sql(m->target, "DROP FUNCTION nap CASCADE");
    moves_wait_until(m->target, total);
}

Test(cutover, is_refused_while_something_is_in_the_way)
{
    struct moved m = moved();
    const char *slot = server_value(m.source, "SELECT slot_name FROM"
                                              " pg_replication_slots WHERE"
                                              " database = current_database()");
    struct server_run run;

    refuse_to_begin(&m, m.target,
                    server_process_text("ALTER SUBSCRIPTION %s DISABLE", slot),
                    "disabled",
                    server_process_text("ALTER SUBSCRIPTION %s ENABLE", slot));
    refuse_to_begin(&m, m.target, "ALTER TABLE a REPLICA IDENTITY NOTHING",
                    "replica identity",
                    "ALTER TABLE a REPLICA IDENTITY DEFAULT");
    refuse_to_begin(&m, m.source,
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN RETURN NULL; END';"
                    "CREATE TRIGGER always AFTER INSERT ON a EXECUTE FUNCTION"
                    " f(); ALTER TABLE a ENABLE ALWAYS TRIGGER always",
                    "fire for replicated rows", "DROP TRIGGER always ON a");
    refuse_lag(&m);
    refuse_prepared(&m);
    interrupt(&m);
    refuse_strays(&m);
    server_sql(m.target, "DELETE FROM parts WHERE i = 3");
    run = cutover(m);
    assert_says(&run, 1, "public.parts_1: 999 at the source, 998 in the");
    assert_writable(m.source, "off");
    clear_up(&m);
    cr_assert_str_eq(marks_of(&m), " | ");
}

Test(cutover, hook_that_fails_is_run_again_and_there_may_be_no_way_back)
{
    struct moved m = moved();
    struct server_run run =
        cutover(m, "--no-reverse", "--verify", "none", "--hook", "exit 3");

    assert_says(&run, 6, "the hook ended with status 3");
    assert_writable(m.source, "on");
    run = cutover(m, "--hook", "true");
    assert_says(&run, 6, "--no-reverse");
    run = cutover(m, "--no-reverse", "--hook", "true");
    assert_says(&run, 0, "switched");
    run = cutover(m, "--no-reverse", "--hook", "false");
    assert_says(&run, 0, "switched");
    run = cutover(m, "--rollback");
    assert_says(&run, 6, "there is no way back");
    /* Somebody did not get the message. */
    server_sql(m.source, "BEGIN READ WRITE; DELETE FROM a WHERE i = 1;"
                         "COMMIT");
    run = cutover(m, "--finish");
    assert_says(&run, 6, "1 transaction wrote");
    server_sql(m.source, "SELECT pg_replication_slot_advance(slot_name,"
                         " pg_current_wal_flush_lsn()) FROM"
                         " pg_replication_slots WHERE database ="
                         " current_database()");
    run = cutover(m, "--finish");
    assert_says(&run, 0, "finished");
    cr_assert_str_eq(marks_of(&m), "{default_transaction_read_only=on} | ");
}
