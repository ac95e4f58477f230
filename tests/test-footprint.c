/* SPDX-License-Identifier: PostgreSQL */

/*
 * How much memory the program takes, as the manual states it: 48 MiB and 16 MiB
 * a job, whatever the number of tables; and for each worker that is busy with a
 * huge row what libpq needs for it: a buffer that is doubled until the row fits,
 * and a copy.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source", .conf = "max_locks_per_transaction = 512\n"
                           "autovacuum = off\nshared_buffers = 256MB"},
        {"target", .conf = "max_locks_per_transaction = 512\n"
                           "autovacuum = off\nmax_wal_size = 4GB"})

TestSuite(footprint, .timeout = 900);

enum { MIB_BASE = 48, MIB_A_JOB = 16, JOBS = 2 };
enum { ROW_MIB = 100, BUFFER_MIB = 128 }; /* the next power of two */

/* Of the sanitizers' own memory nothing is stated. */
#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The high-water mark of the process itself, not of what it starts: pg_dump's
   memory is its own. */
static long
peak_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

/* Run it to its end, which must be 0; the peak in MiB.  It is looked at all the
   time, and never falls. */
static long
footprint_of(const char *const argv[])
{
    const char *log = moves_path(server_tmp_dir(), "log");
    FILE *out = fopen(log, "w");
    long kib = 0, now;
    int status;
    pid_t pid;

    cr_assert_not_null(out);
    pid = server_process_start(argv, fileno(out), fileno(out), 0);
    fclose(out);
    cr_assert_gt(pid, 0);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        now = peak_kib(pid);
        kib = now > kib ? now : kib;
        usleep(5000);
    }
    cr_assert_eq(status, 0, "%s: status %x, see %s", argv[1], status, log);
    cr_assert_gt(kib, 0);
    cr_log_info("%s: %ld MiB\n", argv[1], kib / 1024);
    return kib / 1024;
}

#define assert_within(limit, ...)                                              \
    do {                                                                       \
        long peak_ = footprint_of(moves_words(__VA_ARGS__));                   \
                                                                               \
        cr_assert(SANITIZED || peak_ <= (limit), "%ld MiB, not %d", peak_,     \
                  (int)(limit));                                               \
    } while (0)

static void
make_tables(const char *source, unsigned n)
{
    server_sql(source,
               server_process_text(
                   "DO $$ BEGIN FOR i IN 1..%u LOOP"
                   "  EXECUTE format('CREATE TABLE t_%%s (id int, name text,"
                   "   at date)', i);"
                   "  IF i %% 100 = 0 THEN EXECUTE format('INSERT INTO t_%%s"
                   "   VALUES (1, 2, now())', i); END IF;"
                   "  IF i %% 500 = 0 THEN COMMIT; END IF;"
                   " END LOOP; END $$",
                   n));
}

/* PGHAUL_TABLES=10000 takes two minutes. */
static int
n_tables(int usually)
{
    const char *asked = getenv("PGHAUL_TABLES");

    return asked ? atoi(asked) : usually;
}

Test(footprint, export_of_thousands_of_tables_takes_no_more_than_of_few)
{
    const char *source = server_database("source");

    make_tables(source, n_tables(3000));
    assert_within(MIB_BASE + JOBS * MIB_A_JOB, "export", "--source", source,
                  "--dir", moves_path(server_tmp_dir(), "run"), "-j", "2");
}

/* Fewer, for it takes long: each has its transaction. */
Test(footprint, load_and_verify_of_many_tables_take_no_more_than_of_few)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    const int limit = MIB_BASE + JOBS * MIB_A_JOB;

    make_tables(source, n_tables(1000));
    moves_export(source, dir);
    assert_within(limit, "load", "--target", target, "--dir", dir, "-j", "2");
    assert_within(limit, "verify", "--target", target, "--dir", dir, "-j", "2");
}

/* Two tables, so that both workers are busy with one at once. */
static const char huge_rows[] =
    "CREATE TABLE a (id int PRIMARY KEY, data bytea);"
    "ALTER TABLE a ALTER data SET STORAGE EXTERNAL;"
    "CREATE TABLE b (LIKE a INCLUDING ALL);"
    "INSERT INTO a SELECT i, convert_to(repeat('0123456789', 10485760), 'UTF8')"
    "  FROM generate_series(1, 1) AS i;"
    "INSERT INTO b SELECT * FROM a;";

Test(footprint, huge_rows_take_their_buffer_and_a_copy_a_worker)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    const int limit = MIB_BASE + JOBS * MIB_A_JOB;
    const int with_rows = limit + JOBS * (BUFFER_MIB + ROW_MIB);

    server_sql(source, huge_rows);
    assert_within(with_rows, "export", "--source", source, "--dir", dir, "-j",
                  "2");
    /* COPY takes a row in pieces. */
    assert_within(limit, "load", "--target", target, "--dir", dir, "-j", "2");
    assert_within(with_rows, "verify", "--target", target, "--dir", dir, "-j",
                  "2");
}
