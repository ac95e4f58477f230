/* SPDX-License-Identifier: PostgreSQL */

/* A snapshot that is lost: what was staged stays, the rest is read in another
   one, and nothing of the two is mixed. */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cdc.h"

SERVERS({"source", .conf = "wal_level = logical"},
        {"target", .conf = "wal_level = logical"})

/* One of which all is staged at once, one that takes long, one whose rows go
   through a root; and what else is read anew. */
static const char tables[] =
    "CREATE TABLE done (i int PRIMARY KEY, t text);"
    "CREATE TABLE slow (i int PRIMARY KEY, t text);"
    "CREATE TYPE color AS ENUM ('red', 'green');"
    "CREATE TABLE parts (i int, c color, PRIMARY KEY (i, c))"
    " PARTITION BY HASH (c);"
    "CREATE TABLE part_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2,"
    " REMAINDER 0);"
    "CREATE TABLE part_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2,"
    " REMAINDER 1);"
    "CREATE SEQUENCE q;"
    "INSERT INTO done SELECT i, repeat(md5(i::text), 30)"
    " FROM generate_series(1, 4000) AS i;"
    "INSERT INTO slow SELECT i, repeat(md5(i::text), 30)"
    " FROM generate_series(1, 3900) AS i;"
    "INSERT INTO parts SELECT i, (ARRAY['red', 'green'])[1 + i % 2]::color"
    " FROM generate_series(1, 1000) AS i;"
    "SELECT setval('q', 7);";

static const char change[] =
    "UPDATE done SET t = 'changed' WHERE i % 3 = 0;"
    "DELETE FROM slow WHERE i % 2 = 0;"
    "INSERT INTO slow SELECT i, 'new' FROM generate_series(5001, 5100) i;"
    "UPDATE parts SET c = 'red' WHERE i < 100;"
    "SELECT setval('q', 70);";

static const char *
source_database(void)
{
    const char *source = server_database("source");

    server_sql(source, tables);
    return source;
}

static pid_t
keeper_pid(const char *dir)
{
    struct server_run run = moves_pghaul("status", "--dir", dir, "--json");
    const char *at = strstr(run.output, "\"keeper\"");

    at = at ? strstr(at, "\"pid\": ") : NULL;
    cr_assert_not_null(at, "%s", run.output);
    return atoi(at + strlen("\"pid\": "));
}

/* The largest table is staged, of the others one is not. */
static int
is_half_staged(const char *dir)
{
    char command[1024];

    snprintf(command, sizeof command,
             "ls %s/data/tables/*-done/*.lz4 >/dev/null 2>&1 && test $(sqlite3"
             " -readonly %s/run.db \"SELECT count(*) = (SELECT count(*) FROM"
             " chunks JOIN tables t ON t.id = table_id WHERE name = 'done' AND"
             " chunks.state = 'staged') FROM chunks JOIN tables t ON t.id ="
             " table_id WHERE name = 'done'\") = 1",
             dir, dir);
    return system(command) == 0;
}

static int
has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
}

/* Exporter and keeper die. */
static void
lose_snapshot(const char *const words[], const char *source, const char *dir)
{
    struct server_program p = server_program_start(words);
    struct server_run run;

    while (!has_ended(p.pid) && !is_half_staged(dir))
        usleep(50000);
    kill(p.pid, SIGKILL);
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 128 + SIGKILL, "%d: %s%s", run.status, run.output,
                 run.errors);
    kill(keeper_pid(dir), SIGKILL);
    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_stat_activity"
                             " WHERE application_name = 'pghaul: keeper'");
}

/* Slow enough to be caught in the midst of it. */
#define first_words(...)                                                       \
    moves_words("export", "--jobs", "1", "--max-rate", "1MB", "--source",      \
                __VA_ARGS__)

#define again_words(...)                                                       \
    moves_words("export", "--new-epoch", "--source", __VA_ARGS__)

Test(epochs, what_is_staged_stays_and_the_rest_is_of_a_new_snapshot)
{
    const char *source = source_database(), *dir = run_dir();
    const char *target = server_database("target");
    const char *done = server_fingerprint(source, "public.done");
    struct server_run run;

    lose_snapshot(first_words(source, "--dir", dir), source, dir);
    server_sql(source, change);
    run = moves_pghaul("export", "--source", source, "--dir", dir);
    assert_says(&run, 6, "--new-epoch");
    run = server_run(again_words(source, "--dir", dir));
    assert_says(&run, 0, "epoch 2: 1 tables stay");
    run = moves_pghaul("load", "--target", target, "--dir", dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_fingerprint(target, "public.done"), done);
    cr_assert_str_eq(server_fingerprint(target, "public.slow"),
                     server_fingerprint(source, "public.slow"));
    cr_assert_str_eq(server_value(target, "SELECT sum(hashtext(parts::text))"
                                          " FROM parts"),
                     server_value(source, "SELECT sum(hashtext(parts::text))"
                                          " FROM parts"));
    cr_assert_str_eq(server_value(target, "SELECT last_value FROM q"), "70");
    moves_assert_verified(target, dir);
}

Test(epochs, data_alone_carries_them)
{
    const char *source = source_database(), *dir = run_dir();
    const char *target = server_database("target"), *carried;
    char command[512];
    struct server_run run;

    lose_snapshot(first_words(source, "--dir", dir), source, dir);
    run = server_run(again_words(source, "--dir", dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    carried = moves_path(server_tmp_dir(), "carried");
    snprintf(command, sizeof command,
             "mkdir -m 700 %s && cp -a %s/data %s/data", carried, dir, carried);
    cr_assert_eq(system(command), 0);
    moves_load(target, carried);
    moves_assert_verified(target, carried);
}

Test(epochs, are_refused_when_there_is_no_need_or_no_use)
{
    const char *source = source_database(), *dir = run_dir();
    struct server_program p;
    struct server_run run;

    p = server_program_start(first_words(source, "--dir", dir));
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE application_name = 'pghaul: export'");
    kill(p.pid, SIGKILL);
    server_program_wait(&p);
    run = server_run(again_words(source, "--dir", dir));
    assert_says(&run, 6, "the snapshot of this run is not lost");

    lose_snapshot(first_words(source, "--dir", dir), source, dir);
    run = server_run(again_words(source, "--cdc", "--dir", dir));
    assert_says(&run, 6, "begun without --cdc");
    server_sql(source, "ALTER TABLE done ADD COLUMN extra int");
    run = server_run(again_words(source, "--dir", dir));
    assert_says(&run, 6, "the schema has changed");
    server_sql(source, "ALTER TABLE done DROP COLUMN extra");
    run = server_run(again_words(source, "--dir", dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

/* Each table once, by the slot of its epoch. */
static const char published[] =
    "SELECT string_agg(pubname || ':' || tablename, ' ' ORDER BY pubname,"
    " tablename) FROM pg_publication_tables";

Test(epochs, each_has_its_slot_and_its_publication)
{
    const char *source = source_database(), *dir = run_dir();
    struct server_run run;

    lose_snapshot(first_words(source, "--dir", dir, "--cdc", "--publication",
                              "p1", "--slot", "s1"),
                  source, dir);
    server_sql(source, change);
    run = server_run(again_words(source, "--dir", dir, "--cdc", "--publication",
                                 "p2", "--slot", "s2"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(source, published),
                     "p1:done p2:parts p2:slow");
    assert_left(source, "2 2");
    run = moves_pghaul("abort", "--dir", dir, "--source", source, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(source, "0 0");
}

Test(epochs, are_refused_when_an_older_slot_is_lost)
{
    const char *source = source_database(), *dir = run_dir();
    struct server_run run;

    lose_snapshot(first_words(source, "--dir", dir, "--cdc"), source, dir);
    drop_slots(source);
    run = server_run(again_words(source, "--dir", dir, "--cdc"));
    assert_says(&run, 6, "of epoch 1 is lost");
}

static void
assert_same_tables(const char *source, const char *target)
{
    static const char *const names[] = {"public.done", "public.slow",
                                        "public.parts"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_str_eq(server_fingerprint(target, names[i]),
                         server_fingerprint(source, names[i]), "%s", names[i]);
}

static const char change_more[] =
    "UPDATE done SET t = t || '+' WHERE i % 5 = 0;"
    "UPDATE slow SET t = t || '+' WHERE i % 7 = 1;"
    "DELETE FROM parts WHERE i % 9 = 4;"
    "INSERT INTO done SELECT max(i) + 1, 'late' FROM done;"
    "INSERT INTO slow SELECT max(i) + 1, 'late' FROM slow;";

/* Both epochs are in the target, and the source has gone on. */
static void
load_two_epochs(const char *source, const char *target, const char *dir)
{
    struct server_run run;

    lose_snapshot(first_words(source, "--dir", dir, "--cdc", "--publication",
                              "p1", "--slot", "s1"),
                  source, dir);
    server_sql(source, change);
    run = server_run(again_words(source, "--dir", dir, "--cdc", "--publication",
                                 "p2", "--slot", "s2"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(source, change_more);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
}

#define cut_over(source, target, dir, ...)                                     \
    moves_pghaul("cutover", "--source", source, "--target", target, "--dir",   \
                 dir, "--yes", __VA_ARGS__)

/* What s1 has of a table that has moved to the second epoch is in its rows, and
   must not come again. */
Test(epochs, each_is_handed_over_to_its_own_subscription)
{
    const char *source = source_database(), *dir = run_dir();
    const char *target = server_database("target");
    const char *files = moves_path(server_tmp_dir(), "files");
    struct server_run run;

    load_two_epochs(source, target, dir);
    run = moves_pghaul("handoff", "--dir", dir, "--source", source, "--target",
                       target, "--to", "debezium", "--output", files);
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_eq(access(moves_path(files, "epoch-1/debezium.properties"), R_OK),
                 0);
    cr_assert_eq(access(moves_path(files, "epoch-2/debezium.properties"), R_OK),
                 0);
    run = moves_pghaul("handoff", "--dir", dir, "--source", source, "--target",
                       target, "--to", "subscription");
    assert_says(&run, 0, "");
    cr_assert_str_eq(server_value(target, "SELECT string_agg(subname || ':' ||"
                                          " subenabled, ' ' ORDER BY subname)"
                                          " FROM pg_subscription"),
                     "s1:true s2:true");
    assert_same_tables(source, target);
    server_sql(source, change_more);
    run = moves_pghaul("handoff", "--dir", dir, "--source", source, "--target",
                       target, "--to", "subscription", "--json");
    assert_says(&run, 0, "");
    cr_assert(strstr(run.output, "\"followed_already\": true"), "%s",
              run.output);
    assert_same_tables(source, target);
    /* The way there, back, and there for good: one for all of them. */
    run = cut_over(source, target, dir, "--hook", "true", "--verify", "rows");
    assert_says(&run, 0, "");
    server_sql(target, change_more);
    moves_wait_until(source, "SELECT count(*) = 3 FROM done WHERE t = 'late'");
    run = cut_over(source, target, dir, "--hook", "true", "--rollback");
    assert_says(&run, 0, "");
    assert_same_tables(source, target);
    server_sql(source, change_more);
    run = cut_over(source, target, dir, "--hook", "true");
    assert_says(&run, 0, "");
    assert_same_tables(source, target);
    run = cut_over(source, target, dir, "--finish");
    assert_says(&run, 0, "");
    assert_left(source, "0 0");
    assert_left(target, "0 0");
}
