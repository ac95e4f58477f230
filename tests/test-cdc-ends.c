/* SPDX-License-Identifier: PostgreSQL */

/* How an export with a slot goes on, ends and fails: nobody finds a slot that
   he did not ask for. */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "tests/cdc.h"

SERVERS({"source", .conf = "max_prepared_transactions = 10\n"
                           "max_slot_wal_keep_size = 32MB\n"
                           "min_wal_size = 32MB\nmax_wal_size = 64MB"},
        {"target", .conf = "wal_level = replica\nmax_wal_senders = 1\n"
                           "max_replication_slots = 4"})

/* ---- going on, beginning again, ending ---- */

Test(cdc_ends,
     exporter_killed_at_any_moment_goes_on_to_one_slot_and_its_position)
{
    const char *source = bank_database(), *root = server_tmp_dir();
    unsigned state = moves_seed(), usual;
    char name[16];

    usual = moves_duration_us(cdc_words(
        source, "--dir", moves_path(root, "undisturbed"), "--jobs", "1"));
    drop_slots(source);
    for (unsigned i = 0; i < moves_moments(3); i++) {
        const char *dir, *target = server_database("target"), *expected;
        const char *const *command;
        struct server_run run;

        snprintf(name, sizeof name, "run-%u", i);
        dir = moves_path(root, name);
        command = cdc_words(source, "--dir", dir, "--jobs", "1", "--slot", "s",
                            "--publication", "p");
        moves_kill(command, (unsigned)rand_r(&state) % usual, SIGKILL);
        run = server_run(command);
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        cr_assert_str_eq(value(source,
                               "SELECT count(*) = 1 AND min("
                               "confirmed_flush_lsn) = '%s' FROM"
                               " pg_replication_slots WHERE database ="
                               " current_database()",
                               lsn_of(dir)),
                         "t", "moment %u", i);
        expected = server_fingerprint(source, "public.a");
        moves_load(target, dir);
        cr_assert_str_eq(server_fingerprint(target, "public.a"), expected);
        run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
        cr_assert_eq(run.status, 0, "%s", run.errors);
    }
}

static void
kill_when_staged(const char *const words[], const char *dir, int signal,
                 struct server_program *ret)
{
    struct server_program p = server_program_start(words);

    moves_wait_until_staged(dir);
    kill(p.pid, signal);
    *ret = p;
}

/* A lock is in the way of the load until the slot has gone. */
Test(cdc_ends, lost_slot_ends_the_load_at_once)
{
    const char *source = bank_database(), *dir = run_dir();
    const char *target = server_database("target");
    const char *stranger = server_database("target");
    PGconn *conn = PQconnectdb(target);
    struct server_program p;
    struct server_run run;

    run = server_run(cdc_words(source, "--dir", dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("load", "--target", target, "--source", stranger,
                       "--dir", dir);
    assert_says(&run, 6, "this is not the source of the run");

    PQclear(PQexec(conn, "CREATE SCHEMA x; BEGIN; LOCK TABLE pg_class IN"
                         " ROW EXCLUSIVE MODE; CREATE TABLE a ()"));
    p = server_program_start(moves_words("load", "--target", target, "--source",
                                         source, "--dir", dir));
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity WHERE"
                             " application_name = 'pghaul: slot watch'");
    drop_slots(source);
    run = server_program_wait(&p);
    PQfinish(conn);
    assert_says(&run, 6, "is lost: it was dropped");
}

Test(cdc_ends, lost_slot_ends_the_export_at_once)
{
    const char *source = server_database("source"), *dir = run_dir();
    struct server_program p;
    struct server_run run;

    server_sql(source, "CREATE TABLE big (i int PRIMARY KEY, t text);"
                       "INSERT INTO big SELECT i, repeat(md5(i::text), 20)"
                       " FROM generate_series(1, 120000) AS i");
    kill_when_staged(cdc_words(source, "--dir", dir, "--jobs", "1"), dir,
                     SIGSTOP, &p);
    for (int i = 0; i < 5; i++)
        server_sql(source, "CREATE TABLE filler AS SELECT repeat('x', 1000)"
                           " FROM generate_series(1, 20000);"
                           "DROP TABLE filler; SELECT pg_switch_wal();");
    server_sql(source, "CHECKPOINT");
    moves_wait_until(source, "SELECT wal_status = 'lost' FROM"
                             " pg_replication_slots WHERE database ="
                             " current_database()");
    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_stat_activity"
                             " WHERE application_name = 'pghaul: keeper'");
    kill(p.pid, SIGCONT);
    run = server_program_wait(&p);
    assert_says(&run, 6, "is lost: wal_removed");
    assert_says(&run, 6, "max_slot_wal_keep_size");
    run = server_run(cdc_words(source, "--dir", dir));
    assert_says(&run, 6, "is lost: wal_removed");
    run = server_run(cdc_words(source, "--dir", dir, "--start-over"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(source, "1 1");
    drop_slots(source);
}

static void
set_idle_timeout(const char *source, const char *value)
{
    server_sql(source, server_process_text(
                           "ALTER SYSTEM SET idle_replication_slot_timeout"
                           " = '%s'",
                           value));
    server_sql(source, "SELECT pg_reload_conf()");
}

/* Since PostgreSQL 18.  A slot of nobody's beside it shows that it happens. */
Test(cdc_ends, slot_is_kept_from_idling_out_and_nothing_is_confirmed)
{
    const char *source = bank_database(), *dir = run_dir();
    static const char beside[] =
        "SELECT invalidation_reason = 'idle_timeout' FROM"
        " pg_replication_slots WHERE slot_name = 'beside'";
    struct server_run run;
    uint64_t until;

    if (atoi(server_value(source, "SHOW server_version_num")) < 180000)
        cr_skip_test("no slot idles out here");
    set_idle_timeout(source, "3s");
    run = server_run(cdc_words(source, "--dir", dir, "--slot", "warm"));
    assert_says(&run, 0, "a keeper stays");
    server_sql(source, "SELECT pg_create_logical_replication_slot('beside',"
                       " 'pgoutput')");
    server_sql(source, "INSERT INTO a VALUES (0, 0, '')");
    for (until = clock_ms() + 10000; clock_ms() < until; usleep(500000))
        server_sql(source, "CHECKPOINT");
    cr_assert_str_eq(server_value(source, beside), "t");
    cr_assert_str_eq(value(source,
                           "SELECT invalidation_reason IS NULL AND"
                           " confirmed_flush_lsn = '%s' FROM"
                           " pg_replication_slots WHERE slot_name = 'warm'",
                           lsn_of(dir)),
                     "t");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "has ended");
    set_idle_timeout(source, "0");
    drop_slots(source);
}

Test(cdc_ends, starting_over_replaces_the_slot_unless_somebody_has_read_from_it)
{
    const char *source = bank_database(), *dir = run_dir(), *lsn;
    struct server_run run = server_run(
        cdc_words(source, "--dir", dir, "--plugin", "test_decoding"));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    lsn = lsn_of(dir);
    run = server_run(cdc_words(source, "--dir", dir, "--plugin",
                               "test_decoding", "--start-over"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(source, "1 0");
    cr_assert_str_neq(lsn_of(dir), lsn);

    server_sql(source, "INSERT INTO a VALUES (0, 0, '')");
    server_sql(source, "SELECT pg_logical_slot_get_changes(slot_name, NULL,"
                       " NULL) FROM pg_replication_slots"
                       " WHERE database = current_database()");
    run = server_run(cdc_words(source, "--dir", dir, "--start-over"));
    assert_says(&run, 6, "a consumer has read from replication slot");
    assert_left(source, "1 0");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "is dropped");
    assert_left(source, "0 0");
}

Test(cdc_ends, abort_says_what_is_left_and_takes_it_away_when_told_where)
{
    const char *source = bank_database(), *dir = run_dir();
    const char *other = server_database("source");
    struct server_run run;

    run = server_run(cdc_words(source, "--dir", dir, "--slot", "one",
                               "--publication", "two"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("status", "--dir", dir);
    assert_says(&run, 0, "slot      one of pgoutput, from ");
    assert_says(&run, 0, "published two");
    run = moves_pghaul("abort", "--dir", dir);
    assert_says(&run, 0, "SELECT pg_drop_replication_slot('one');");
    assert_says(&run, 0, "DROP PUBLICATION \"two\";");
    run = moves_pghaul("abort", "--dir", dir, "--source", source);
    assert_says(&run, 6, "Give --yes");
    run = moves_pghaul("abort", "--dir", dir, "--source", other, "--yes");
    assert_says(&run, 6, "was made on another source");
    assert_left(source, "1 1");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "replication slot \"one\" is dropped");
    assert_left(source, "0 0");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "nothing to abort");
}

Test(cdc_ends, what_has_our_names_but_is_not_ours_is_left_alone)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run = server_run(cdc_words(
        source, "--dir", dir, "--slot", "mine", "--publication", "mine"));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(source, "SELECT pg_drop_replication_slot('mine')");
    server_sql(source, "SELECT pg_create_logical_replication_slot('mine',"
                       " 'test_decoding'); DROP PUBLICATION mine;"
                       "CREATE PUBLICATION mine FOR ALL TABLES");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "replication slot \"mine\" is not this run's");
    assert_says(&run, 0, "publication \"mine\" is not this run's");
    assert_left(source, "1 1");
    drop_slots(source);
}

/* ---- failures ---- */

Test(cdc_ends, failure_after_the_slot_was_made_leaves_nothing)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    /* pg_dump cannot make anything of that. */
    server_sql(source,
               "CREATE SCHEMA gone; CREATE FUNCTION gone.f() RETURNS int"
               " LANGUAGE sql AS 'SELECT 1';"
               "DELETE FROM pg_namespace WHERE nspname = 'gone'");
    run = server_run(cdc_words(source, "--dir", dir));
    cr_assert_neq(run.status, 0);
    assert_says(&run, run.status, "replication slot");
    assert_says(&run, run.status, "is dropped");
    assert_left(source, "0 0");
}

static const char bare[] =
    "CREATE TABLE bare (i int); INSERT INTO bare VALUES (1);"
    "CREATE TABLE barer (i int); ALTER TABLE barer REPLICA IDENTITY NOTHING";

Test(cdc_ends, tables_without_identity_are_refused_with_their_names)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    server_sql(source, bare);
    run = server_run(cdc_words(source, "--dir", dir));
    assert_says(&run, 6, "2 tables have no replica identity");
    assert_says(&run, 6, "public.bare, public.barer");
    assert_left(source, "0 0");
    server_sql(source, "UPDATE bare SET i = 2"); /* as ever */
}

Test(cdc_ends, identities_become_full_and_are_put_back_by_abort)
{
    const char *source = bank_database(), *dir = run_dir();
    static const char identities[] =
        "SELECT string_agg(relreplident::text, '' ORDER BY relname)"
        " FROM pg_class WHERE relname IN ('a', 'bare', 'barer')";
    struct server_run run;

    server_sql(source, bare);
    run = server_run(
        cdc_words(source, "--dir", dir, "--replica-identity", "full"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(source, identities), "dff");
    server_sql(source, "UPDATE bare SET i = 2");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(source, identities), "ddn");
    assert_left(source, "0 0");
}

Test(cdc_ends, tables_without_identity_are_left_out_and_named)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    server_sql(source, bare);
    run = server_run(
        cdc_words(source, "--dir", dir, "--replica-identity", "skip"));
    assert_says(&run, 0, "changes of public.bare will not be captured");
    cr_assert_str_eq(server_value(source,
                                  "SELECT string_agg(tablename, ',' ORDER BY"
                                  " tablename) FROM pg_publication_tables"),
                     "a,b");
    server_sql(source, "UPDATE bare SET i = 2");
    drop_slots(source);
}

static const struct {
    const char *prepare; /* at the source */
    const char *words[4];
    const char *says, *hint;
} refused[] = {
    {"SELECT pg_create_logical_replication_slot('taken', 'pgoutput')",
     {"--slot", "taken"},
     "replication slot \"taken\" exists already",
     "--slot"},
    {"CREATE PUBLICATION taken",
     {"--publication", "taken"},
     "publication \"taken\" exists already",
     "--publication"},
    {"SELECT 1", {"--plugin", "decoderbufs"}, "decoderbufs", "--plugin"},
};

Test(cdc_ends, what_cannot_be_is_refused_before_anything_is_made)
{
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *source = bank_database(), *before;
        const char *dir = moves_path(server_tmp_dir(), refused[i].words[1]);
        struct server_run run;

        server_sql(source, refused[i].prepare);
        before = server_value(source, n_left);
        run = server_run(cdc_words(source, "--dir", dir, refused[i].words[0],
                                   refused[i].words[1]));
        assert_says(&run, 6, refused[i].says);
        assert_says(&run, 6, refused[i].hint);
        assert_left(source, before);
        drop_slots(source);
    }
}

Test(cdc_ends, role_without_the_right_to_replicate_is_refused)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    server_sql(source,
               "DO $$ BEGIN IF to_regrole('reader') IS NULL THEN"
               " CREATE ROLE reader LOGIN; END IF;"
               " EXECUTE format('GRANT CREATE ON DATABASE %I TO reader',"
               "  current_database()); END $$;"
               "ALTER TABLE a OWNER TO reader; ALTER TABLE b OWNER TO reader");
    run = server_run(
        cdc_words(server_process_text("%s user=reader", source), "--dir", dir));
    assert_says(&run, 6, "Grant REPLICATION to the role");
    assert_left(source, "0 0");
}

Test(cdc_ends, server_without_logical_decoding_is_refused)
{
    const char *source = server_database("target");
    struct server_run run = server_run(cdc_words(source, "--dir", run_dir()));

    assert_says(&run, 6, "wal_level is \"replica\" at the source");
    assert_says(&run, 6, "Set wal_level = logical");
}

Test(cdc_ends, options_of_a_slot_need_cdc)
{
    static const char *const words[][2] = {{"--slot", "s"},
                                           {"--publication", "p"},
                                           {"--plugin", "pgoutput"},
                                           {"--slot-timeout", "5"},
                                           {"--replica-identity", "full"}};

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        struct server_run run =
            moves_pghaul("export", "--source", "dbname=x", "--dir", "/nowhere",
                         words[i][0], words[i][1]);

        assert_says(&run, 2, "--cdc");
    }
}

Test(cdc_ends, run_without_a_slot_does_not_get_one_by_going_on)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    moves_export(source, dir);
    run = server_run(cdc_words(source, "--dir", dir));
    assert_says(&run, 6, "this run has no replication slot");
    assert_left(source, "0 0");
}
