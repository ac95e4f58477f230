/* SPDX-License-Identifier: PostgreSQL */

/* What the slot of an export promises, and what it waits for. */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/source/keeper/keeper_files.h"
#include "tests/cdc.h"

SERVERS({"source", .conf = "max_prepared_transactions = 10"}, {"target"})

/* ---- what it promises ---- */

Test(cdc, what_was_there_is_in_the_files_and_what_comes_in_the_slot)
{
    const char *source = bank_database(), *target = server_database("target");
    const char *dir = run_dir(), *before;
    struct server_run run;

    before = server_fingerprint(source, "public.a");
    run = server_run(cdc_words(source, "--dir", dir, "--slot", "here",
                               "--plugin", "test_decoding"));
    assert_says(&run, 0, "here");
    server_sql(source, "UPDATE a SET n = 7 WHERE i = 123;"
                       "INSERT INTO b VALUES (99999, 1, 'late')");
    cr_assert_str_eq(
        server_value(source, "SELECT string_agg(data, '; ' ORDER BY lsn) FROM"
                             " pg_logical_slot_get_changes('here', NULL, NULL)"
                             " WHERE data LIKE 'table%'"),
        server_process_text(
            "table public.a: UPDATE: i[integer]:123 n[bigint]:7"
            " t[text]:'%s'; table public.b: INSERT: i[integer]:99999"
            " n[bigint]:1 t[text]:'late'",
            server_value(source, "SELECT md5('123')")));
    /* Only pgoutput asks for one. */
    assert_left(source, "1 0");
    moves_load(target, dir);
    cr_assert_str_eq(server_fingerprint(target, "public.a"), before);
    drop_slots(source);
}

/* Money goes from a to b, all the time.  A line of the journal that came twice,
   with the files and from the slot, would be a duplicate key. */
static struct server_program
start_tellers(const char *source)
{
    const char *script = moves_path(server_tmp_dir(), "teller.sql");
    FILE *f = fopen(script, "w");

    cr_assert_not_null(f);
    fputs("\\set i random(1, 30000)\n\\set j random(1, 30000)\n"
          "BEGIN;\nUPDATE a SET n = n - 1 WHERE i = :i;\n"
          "UPDATE b SET n = n + 1 WHERE i = :j;\n"
          "INSERT INTO journal (i, j) VALUES (:i, :j);\nCOMMIT;\n",
          f);
    fclose(f);
    return server_program_start((const char *const[]){
        server_process_text("%s/pgbench", server_bin_dir()), "-n", "-c", "2",
        "-T", "600", "-f", script, source, NULL});
}

static const char total[] = "SELECT (SELECT sum(n) FROM a)"
                            " + (SELECT sum(n) FROM b) = 60000000";

static void
subscribe(const char *target, const char *source)
{
    const char *slot =
        server_value(source, "SELECT slot_name FROM pg_replication_slots"
                             " WHERE database = current_database()");

    server_sql(target,
               server_process_text(
                   "CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION %s WITH"
                   " (copy_data = false, create_slot = false)",
                   slot, source, slot));
}

Test(cdc, subscription_goes_on_where_the_files_end_while_others_write)
{
    const char *source = bank_database(), *target = server_database("target");
    struct server_program tellers;
    const char *dir = run_dir(), *lsn;
    struct server_run run;

    server_sql(source, "CREATE TABLE journal (id bigserial PRIMARY KEY, i int,"
                       " j int)");
    tellers = start_tellers(source);
    moves_wait_until(source, "SELECT min(n) < 1000 FROM a");
    run = server_run(cdc_words(source, "--dir", dir, "--jobs", "2"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    lsn = lsn_of(dir);
    cr_assert_str_eq(value(source,
                           "SELECT confirmed_flush_lsn = '%s' FROM"
                           " pg_replication_slots WHERE database ="
                           " current_database()",
                           lsn),
                     "t");
    moves_load(target, dir);
    cr_assert_str_eq(server_value(target, total), "t", "not one snapshot");
    cr_assert_str_neq(server_fingerprint(target, "public.a"),
                      server_fingerprint(source, "public.a"),
                      "nobody has written");
    subscribe(target, source);
    kill(tellers.pid, SIGINT);
    server_program_wait(&tellers);
    moves_wait_until(source,
                     server_process_text(
                         "SELECT confirmed_flush_lsn >= '%s' FROM"
                         " pg_replication_slots WHERE database ="
                         " current_database()",
                         server_value(source, "SELECT pg_current_wal_lsn()")));
    cr_assert_str_eq(server_value(target, total), "t");
    cr_assert_str_eq(server_fingerprint(target, "public.a"),
                     server_fingerprint(source, "public.a"));
    cr_assert_str_eq(server_fingerprint(target, "public.b"),
                     server_fingerprint(source, "public.b"));
    cr_assert_str_eq(server_fingerprint(target, "public.journal"),
                     server_fingerprint(source, "public.journal"));
    server_sql(target, "DO $$ BEGIN EXECUTE (SELECT format('ALTER SUBSCRIPTION"
                       " %I DISABLE', subname) FROM pg_subscription); END $$");
    server_sql(target, "DO $$ BEGIN EXECUTE (SELECT format('ALTER SUBSCRIPTION"
                       " %I SET (slot_name = NONE)', subname)"
                       " FROM pg_subscription); END $$");
    server_sql(target, "DO $$ BEGIN EXECUTE (SELECT format('DROP SUBSCRIPTION"
                       " %I', subname) FROM pg_subscription); END $$");
    moves_wait_until(source, "SELECT NOT bool_or(active) FROM"
                             " pg_replication_slots");
    drop_slots(source);
}

Test(cdc, publication_holds_every_table_and_nothing_else)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    server_sql(source,
               "CREATE SCHEMA \"s'\\\"\"\";"
               "CREATE TABLE \"s'\\\"\"\".\"x; DROP TABLE public.a; --\""
               " (\"%s\" int PRIMARY KEY);"
               "CREATE UNLOGGED TABLE fleeting (i int PRIMARY KEY);"
               "CREATE TABLE p (i int PRIMARY KEY) PARTITION BY RANGE (i);"
               "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);"
               "CREATE TABLE parent (i int PRIMARY KEY);"
               "CREATE TABLE child (PRIMARY KEY (i)) INHERITS (parent);");
    run = server_run(cdc_words(source, "--dir", dir, "--publication",
                               "we\"ird '; DROP TABLE a"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(
        server_value(source, "SELECT string_agg(tablename, ',' ORDER BY"
                             " tablename COLLATE \"C\") FROM"
                             " pg_publication_tables"
                             " WHERE pubname = 'we\"ird ''; DROP TABLE a'"),
        "a,b,child,p1,parent,x; DROP TABLE public.a; --");
    run = server_run(
        (const char *const[]){"sqlite3", moves_path(dir, "run.db"),
                              "SELECT kind, name, reason, harmless FROM skips"
                              " WHERE kind LIKE 'changes%'",
                              NULL});
    cr_assert_str_eq(run.output, "changes of table|fleeting|it is unlogged: "
                                 "its changes are in no log|1\n");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    assert_says(&run, 0, "publication \"we\"ird '; DROP TABLE a\" is dropped");
    assert_left(source, "0 0");
}

/* Their rows may belong into other partitions of the copy: so do changes. */
Test(cdc, partitions_that_are_loaded_through_their_root_are_published_so)
{
    const char *source = server_database("source"), *dir = run_dir();
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source,
               "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');"
               "CREATE TABLE h (k mood, i int, PRIMARY KEY (k, i))"
               " PARTITION BY HASH (k);"
               "CREATE TABLE h0 PARTITION OF h"
               " FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
               "CREATE TABLE h1 PARTITION OF h"
               " FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
               "INSERT INTO h SELECT (ARRAY['sad', 'ok', 'glad'])[1 + i % 3]"
               "::mood, i FROM generate_series(1, 300) AS i");
    run = server_run(cdc_words(source, "--dir", dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(source, "SELECT string_agg(tablename, ',')"
                                          " FROM pg_publication_tables"),
                     "h");
    moves_load(target, dir);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM h"), "300");
    drop_slots(source);
}

Test(cdc, large_objects_are_copied_and_their_changes_named)
{
    const char *source = bank_database(), *target = server_database("target");
    const char *dir = run_dir();
    struct server_run run;

    server_sql(source, "SELECT lo_from_bytea(7, 'large')");
    run = server_run(cdc_words(source, "--dir", dir));
    assert_says(&run, 0, "changes of large objects will not be captured");
    moves_load(target, dir);
    cr_assert_str_eq(server_value(target, "SELECT lo_get(7) = 'large'"), "t");
    drop_slots(source);
}

Test(cdc, tables_come_in_pages)
{
    const char *source = server_database("source"), *dir = run_dir();
    struct server_run run;

    server_sql(source, "DO $$ BEGIN FOR i IN 1..250 LOOP EXECUTE format("
                       "'CREATE TABLE t%s (i int PRIMARY KEY)', i);"
                       " END LOOP; END $$");
    run = server_run(cdc_words(source, "--dir", dir, "--quiet"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(
        server_value(source, "SELECT count(*) FROM pg_publication_tables"),
        "250");
    drop_slots(source);
}

Test(cdc, table_made_while_the_slot_waits_is_published_too)
{
    const char *source = bank_database(), *dir = run_dir();
    PGconn *old = session(source, "BEGIN; INSERT INTO a VALUES (0, 0, '')");
    struct server_program p =
        server_program_start(cdc_words(source, "--dir", dir));
    struct server_run run;

    moves_wait_until(source, slot_waits);
    server_sql(source, "CREATE TABLE c (i int PRIMARY KEY)");
    PQfinish(old);
    run = server_program_wait(&p);
    assert_says(&run, 0, "trying again");
    cr_assert_str_eq(server_value(source,
                                  "SELECT string_agg(tablename, ',' ORDER BY"
                                  " tablename) FROM pg_publication_tables"),
                     "a,b,c");
    assert_left(source, "1 1");
    drop_slots(source);
}

/* ---- who is waited for ---- */

Test(cdc, old_transactions_are_named_when_the_time_is_up)
{
    const char *source = bank_database(), *dir = run_dir();
    PGconn *old = session(source, "BEGIN; INSERT INTO a VALUES (0, 0, 'x')");
    struct server_run run;

    server_sql(source, "BEGIN; INSERT INTO b VALUES (0, 0, 'x');"
                       "PREPARE TRANSACTION 'forgotten'");
    run = server_run(cdc_words(source, "--dir", dir, "--slot-timeout", "4"));
    assert_says(&run, 6, "could not be made within 4 s");
    assert_says(&run, 6, pid_of(old));
    assert_says(&run, 6, "idle in transaction: BEGIN");
    assert_says(&run, 6, "prepared transaction 'forgotten'");
    assert_says(&run, 6, "the replication slot waits for pid");
    cr_assert_null(strstr(run.errors, "'x'"), "%s", run.errors);
    assert_left(source, "0 0");

    server_sql(source, "ROLLBACK PREPARED 'forgotten'");
    PQfinish(old);
    run = server_run(cdc_words(source, "--dir", dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(source, "1 1");
    drop_slots(source);
}

static void
assert_nothing_left_after(int signal, int status)
{
    const char *source = bank_database(), *dir = run_dir();
    PGconn *old = session(source, "BEGIN; INSERT INTO a VALUES (0, 0, 'x')");
    struct server_program p =
        server_program_start(cdc_words(source, "--dir", dir));
    struct server_run run;

    moves_wait_until(source, slot_waits);
    kill(p.pid, signal);
    cr_assert_eq(server_program_wait(&p).status, status);
    moves_wait_until(source, no_slot_waits);
    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_replication_slots"
                             " WHERE database = current_database()");
    PQfinish(old);
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(source, "0 0");
}

Test(cdc, interrupted_while_it_waits_leaves_no_slot)
{
    assert_nothing_left_after(SIGINT, 130);
}

Test(cdc, killed_while_it_waits_leaves_no_slot)
{
    assert_nothing_left_after(SIGKILL, 128 + SIGKILL);
}

static void
kill_keeper(const char *path)
{
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    struct err err;
    pid_t pid;

    cr_assert_eq(run_dir_open(&dir, path, RUN_DIR_LOOK, &err), 0, "%s",
                 err.message);
    pid = keeper_files_holder(dir);
    cr_assert_gt(pid, 0);
    kill(pid, SIGKILL);
}

/* The server's own process may go on making it: nobody tells it. */
Test(cdc, slot_of_a_keeper_killed_while_it_waits_is_found_by_the_next_export)
{
    const char *source = bank_database(), *dir = run_dir();
    PGconn *old = session(source, "BEGIN; INSERT INTO a VALUES (0, 0, 'x')");
    struct server_program p = server_program_start(
        cdc_words(source, "--dir", dir, "--slot", "stray"));
    struct server_run run;

    moves_wait_until(source, slot_waits);
    kill(p.pid, SIGKILL);
    kill_keeper(dir);
    server_program_wait(&p);
    PQfinish(old);
    moves_wait_until(source, no_slot_waits);
    /* It has come to that, or is brought to it. */
    server_sql(source, "SELECT pg_create_logical_replication_slot('stray',"
                       " 'pgoutput') WHERE NOT EXISTS (SELECT FROM"
                       " pg_replication_slots WHERE slot_name = 'stray')");
    server_sql(source, "INSERT INTO a VALUES (77777, 1, 'after the stray')");
    run = server_run(cdc_words(source, "--dir", dir, "--slot", "stray"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_says(&run, 0, "replication slot \"stray\" is dropped");
    assert_left(source, "1 1");
    cr_assert_str_eq(value(source,
                           "SELECT confirmed_flush_lsn = '%s' FROM"
                           " pg_replication_slots WHERE slot_name = 'stray'",
                           lsn_of(dir)),
                     "t");
    drop_slots(source);
}

/* ---- what is published as a whole ---- */

/* Below a table by range, one by the hash of an enum: its leaves' rows go
   through it, and not through the table above. */
static const char nested[] =
    "CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd');"
    "CREATE TABLE top (y int, k e, PRIMARY KEY (y, k)) PARTITION BY RANGE (y);"
    "CREATE TABLE old PARTITION OF top FOR VALUES FROM (0) TO (10);"
    "CREATE TABLE new PARTITION OF top FOR VALUES FROM (10) TO (20)"
    "  PARTITION BY HASH (k);"
    "CREATE TABLE new_0 PARTITION OF new FOR VALUES WITH"
    "  (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE new_1 PARTITION OF new FOR VALUES WITH"
    "  (MODULUS 2, REMAINDER 1);"
    "INSERT INTO top SELECT y, k FROM generate_series(0, 19) AS y,"
    "  unnest(enum_range(NULL::e)) AS k;";

Test(cdc, a_root_is_published_as_far_as_rows_go_through_it)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, nested);
    run = server_run(cdc_words(source, "--dir", run_dir(), "-T", "old"));
    assert_says(&run, 0, "");
    cr_assert_str_eq(server_value(source, "SELECT string_agg(prrelid::regclass"
                                          "::text, ' ') FROM"
                                          " pg_publication_rel"),
                     "new");
    drop_slots(source);
}

Test(cdc, a_partition_that_is_not_copied_is_not_published_by_its_root)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, nested);
    run = server_run(cdc_words(source, "--dir", run_dir(), "-T", "new_1"));
    assert_says(&run, 6,
                "1 partition is not copied, but its changes would be "
                "captured");
    assert_says(&run, 6, "public.new_1");
    assert_left(source, "0 0");
}

/* ---- cloned at once ---- */

Test(cdc, a_clone_is_followed_from_where_it_was_taken)
{
    const char *source = bank_database(), *target = server_database("target");
    const char *dir = run_dir(), *slot;
    struct server_run run =
        moves_pghaul("clone", "--cdc", "--source", source, "--target", target,
                     "--dir", dir, "--chunk-size", "1MB", "--quiet");

    assert_says(&run, 0, "");
    assert_left(source, "1 1");
    moves_assert_verified(target, dir);
    slot = server_value(source, "SELECT slot_name FROM pg_replication_slots"
                                " WHERE database = current_database()");
    server_sql(source, "UPDATE a SET n = 7 WHERE i <= 10;"
                       "DELETE FROM b WHERE i > 29990");
    server_sql(target, server_process_text(
                           "CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION"
                           " %s WITH (copy_data = false, create_slot = false)",
                           slot, source, slot));
    moves_wait_until(target, "SELECT (SELECT max(i) FROM b) = 29990");
    cr_assert_str_eq(server_fingerprint(target, "public.a"),
                     server_fingerprint(source, "public.a"));
    cr_assert_str_eq(server_fingerprint(target, "public.b"),
                     server_fingerprint(source, "public.b"));
    server_sql(target, server_process_text("DROP SUBSCRIPTION %s", slot));
}
