/* SPDX-License-Identifier: PostgreSQL */

/* A standby as the source. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cdc.h"

SERVERS({"source"},
        {"standby", .standby_of = "source",
         .conf = "max_standby_streaming_delay = 1s\n"
                 "hot_standby_feedback = off"},
        {"target"})

/* The same database there, with all that the primary has. */
static const char *
on_standby(const char *source)
{
    const char *standby =
        server_process_text("%s dbname=%s", server_conninfo("standby"),
                            server_value(source, "SELECT current_database()"));

    moves_wait_until(server_conninfo("standby"),
                     server_process_text(
                         "SELECT pg_last_wal_replay_lsn() >= '%s'",
                         server_value(source, "SELECT pg_current_wal_lsn()")));
    return standby;
}

Test(standby, is_exported_like_its_primary)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = run_dir();

    moves_export(on_standby(source), dir);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    moves_assert_equal(source, target);
}

Test(standby, has_nothing_of_unlogged_relations_and_that_is_said)
{
    const char *source = bank_database(), *dir = run_dir();
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source, "CREATE UNLOGGED TABLE fleeting (i serial PRIMARY KEY);"
                       "INSERT INTO fleeting DEFAULT VALUES");
    run = moves_pghaul("export", "--source", on_standby(source), "--dir", dir);
    assert_says(&run, 1,
                "not copied: unlogged table public.fleeting: the "
                "source is a standby");
    /* The load says it again. */
    run = moves_pghaul("load", "--target", target, "--dir", dir);
    assert_says(&run, 1, "not copied: unlogged sequence");
    cr_assert_str_eq(server_fingerprint(target, "public.b"),
                     server_fingerprint(source, "public.b"));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM fleeting"),
                     "0");
}

/* The primary removes what the snapshot sees.  The export is slow, not stopped:
   the standby ends its sessions one by one, and one whose COPY nobody reads
   does not notice. */
Test(standby, snapshot_lost_to_replay_is_explained)
{
    const char *source = server_database("source"), *dir = run_dir();
    struct server_program p;
    struct server_run run;

    server_sql(source, "CREATE TABLE big (i int PRIMARY KEY, t text);"
                       "INSERT INTO big SELECT i, repeat(md5(i::text), 20)"
                       " FROM generate_series(1, 120000) AS i");
    p = server_program_start(
        moves_words("export", "--source", on_standby(source), "--dir", dir,
                    "--jobs", "1", "--chunk-size", "1MB", "--max-rate", "1MB"));
    moves_wait_until_staged(dir);
    server_sql(source, "DELETE FROM big WHERE i % 3 = 0");
    server_sql(source, "VACUUM big");
    run = server_program_wait(&p);
    assert_says(&run, 6, "the snapshot of this export is lost");
    assert_says(&run, 6, "conflict with recovery");
    assert_says(&run, 6, "hot_standby_feedback");
}

static int
has_slots(const char *source)
{
    return atoi(server_value(source, "SHOW server_version_num")) >= 160000;
}

Test(standby, cannot_have_a_slot_before_16)
{
    const char *source = bank_database(), *dir = run_dir();
    struct server_run run;

    if (has_slots(source))
        cr_skip_test("it can");
    run = server_run(cdc_words(on_standby(source), "--dir", dir));
    assert_says(&run, 6, "cannot have a logical replication slot");
    assert_says(&run, 6, "Export from the primary");
    assert_left(source, "0 0");
}

/* The primary logs its running transactions when it is told to. */
static struct server_run
log_until_done(struct server_program *p, const char *source)
{
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid == 0) {
        server_sql(source, "SELECT pg_log_standby_snapshot()");
        usleep(100000);
    }
    return server_program_wait(p);
}

Test(standby, slot_needs_a_publication_that_the_primary_has)
{
    const char *source = bank_database(), *dir = run_dir(), *standby;
    struct server_program p;
    struct server_run run;

    if (!has_slots(source))
        cr_skip_test("it cannot have one");
    standby = on_standby(source);
    run = server_run(cdc_words(standby, "--dir", dir));
    assert_says(&run, 6, "there is no publication");

    server_sql(source, "CREATE PUBLICATION less FOR TABLE a;"
                       "CREATE PUBLICATION all_of_it FOR ALL TABLES;"
                       "CREATE PUBLICATION exact FOR TABLE a, b");
    standby = on_standby(source);
    run = server_run(cdc_words(standby, "--dir", dir, "--publication", "less"));
    assert_says(&run, 6, "does not hold exactly the tables");
    run = server_run(
        cdc_words(standby, "--dir", dir, "--publication", "all_of_it"));
    assert_says(&run, 6, "does not hold exactly the tables");

    p = server_program_start(cdc_words(standby, "--dir", dir, "--publication",
                                       "exact", "--slot-timeout", "60"));
    run = log_until_done(&p, source);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(standby, "1 3");
    run = moves_pghaul("abort", "--dir", dir, "--source", standby, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_left(standby, "0 3");
}
