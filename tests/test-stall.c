/* SPDX-License-Identifier: PostgreSQL */

/* A source that sends nothing, with nothing wrong with the connection. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/cdc.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

TestSuite(stall, .timeout = 300);

/* Each row takes its time: not a byte comes. */
static const char *
slow_database(void)
{
    const char *source = server_database("source");

    server_sql(source, "CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    return source;
}

#define slowly(source, dir)                                                    \
    moves_words("export", "--source", source, "--dir", dir, "--jobs", "1",     \
                "--where", "t: pg_sleep(20) IS NOT NULL")

/* Until status shows it; a minute at most. */
static int
status_says(const char *dir, const char *text)
{
    for (int i = 0; i < 300; i++) {
        struct server_run run = moves_pghaul("status", "--dir", dir);

        if (strstr(run.output, text))
            return 1;
        usleep(200000);
    }
    return 0;
}

Test(stall, it_is_said_what_the_source_waits_for)
{
    const char *source = slow_database(), *dir = run_dir();
    struct server_program p = server_program_start(slowly(source, dir));
    int shown = status_says(dir, "stall     public.t #1: nothing has come for");
    struct server_run run = server_program_wait(&p);

    assert_says(&run, 0, "public.t #1: nothing has come for ");
    assert_says(&run, 0, " waits (Timeout: PgSleep)\n");
    cr_assert(shown, "status does not show it");
}
