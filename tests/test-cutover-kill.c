/* SPDX-License-Identifier: PostgreSQL */

/* A cut-over, and a rollback, killed before each row of theirs is written, and
   at random moments; and the same command again. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/cutovers.h"

SERVERS({"source"}, {"target"})

/* Whoever writes this row waits, and is killed there. */
static const char halts[] =
    "CREATE TABLE pghaul.cutover (run uuid NOT NULL REFERENCES pghaul.run,"
    " step text NOT NULL, state text NOT NULL, begun timestamptz NOT NULL,"
    " done timestamptz, details jsonb NOT NULL, PRIMARY KEY (run, step));"
    "CREATE SCHEMA halts; CREATE TABLE halts.halt (step text, state text);"
    "CREATE FUNCTION halts.halt() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN IF EXISTS (SELECT FROM halts.halt h WHERE h.step = NEW.step AND"
    "  h.state = NEW.state) THEN PERFORM pg_catalog.pg_sleep(600); END IF;"
    " RETURN NEW; END $$;"
    "CREATE TRIGGER halt BEFORE INSERT OR UPDATE ON pghaul.cutover FOR EACH ROW"
    " EXECUTE FUNCTION halts.halt();";

/* Asked elsewhere: sessions of the target's own are being ended. */
static int
sleeps(const char *database)
{
    return strcmp(server_value(server_conninfo("target"),
                               server_process_text(
                                   "SELECT count(*) > 0 FROM pg_stat_activity"
                                   " WHERE wait_event = 'PgSleep'"
                                   " AND datname = '%s'",
                                   database)),
                  "t") == 0;
}

static void
end_sessions(const struct moved *m)
{
    static const char ours[] = "application_name = 'pghaul: cutover'"
                               " AND datname = current_database()";

    server_terminate(m->target, ours);
    server_terminate(m->source, ours);
}

/* The command, killed when it is about to write the row. */
static void
kill_at(const struct moved *m, const char *const words[], const char *step,
        const char *state)
{
    const char *database = server_value(m->target, "SELECT current_database()");
    struct server_program p;

    server_sql(m->target,
               server_process_text("BEGIN READ WRITE; TRUNCATE halts.halt;"
                                   "INSERT INTO halts.halt VALUES"
                                   " ('%s', '%s'); COMMIT",
                                   step, state));
    p = server_program_start(words);
    for (int i = 0; !sleeps(database); i++) {
        cr_assert_lt(i, 3000, "never at %s %s", step, state);
        cr_assert_eq(kill(p.pid, 0), 0, "has ended before %s %s", step, state);
        usleep(20 * 1000);
    }
    kill(p.pid, SIGKILL);
    server_program_wait(&p);
    end_sessions(m);
}

static void
kill_at_each(const struct moved *m, const char *const words[],
             const char *const steps[])
{
    struct server_run run;

    for (; *steps; steps++) {
        kill_at(m, words, *steps, "begun");
        kill_at(m, words, *steps, "done");
    }
    server_sql(m->target, "BEGIN READ WRITE; TRUNCATE halts.halt; COMMIT");
    run = server_run(words);
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
}

Test(cutover_kill, goes_on_from_each_step)
{
    static const char *const there[] = {"lag",   "reverse",   "read-only",
                                        "drain", "sequences", "verify",
                                        "turn",  "switch",    NULL};
    static const char *const back[] = {
        "back-read-only", "back-drain",   "back-sequences", "back-verify",
        "back-turn",      "back-release", "back-switch",    NULL};
    struct moved m = moved();

    server_sql(m.target, halts);
    server_sql(m.source,
               "INSERT INTO journal (i) SELECT generate_series(1, 9)");
    kill_at_each(&m, cutover_words(m, "--writers", "terminate"), there);
    assert_same_bank(&m);
    server_sql(m.target, "UPDATE a SET n = n + 1 WHERE i < 100;"
                         "UPDATE b SET n = n - 1 WHERE i < 100;"
                         "DELETE FROM journal WHERE i = 3");
    kill_at_each(&m, cutover_words(m, "--rollback", "--writers", "terminate"),
                 back);
    assert_same_bank(&m);
    server_sql(m.source, "INSERT INTO journal (i) VALUES (-2)");
    moves_wait_until(m.target, "SELECT count(*) = 1 FROM journal WHERE i = -2");
    clear_up(&m);
    cr_assert_str_eq(marks_of(&m), " | ");
}

Test(cutover_kill, goes_on_from_random_moments)
{
    struct moved m = moved();
    const char *const *there = cutover_words(m, "--writers", "terminate");
    const char *const *back =
        cutover_words(m, "--writers", "terminate", "--rollback");
    unsigned seed = moves_seed();
    struct server_run run;

    for (int i = 0; i < 6; i++) {
        moves_kill(rand_r(&seed) % 3 ? there : back, rand_r(&seed) % 3000000,
                   SIGKILL);
        end_sessions(&m);
    }
    /* Whichever way it was going last. */
    run = server_run(there);
    if (run.status == 6)
        run = server_run(back);
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    run = server_run(there);
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    server_sql(m.target, "INSERT INTO journal (i) VALUES (-3)");
    run = server_run(back);
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    assert_same_bank(&m);
    cr_assert_str_eq(server_value(m.source, "SELECT count(*) FROM journal"
                                            " WHERE i = -3"),
                     "1");
    clear_up(&m);
    cr_assert_str_eq(marks_of(&m), " | ");
}
