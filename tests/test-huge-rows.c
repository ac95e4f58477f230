/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

#define LESS_WAL                                                               \
    "wal_level = minimal\nmax_wal_senders = 0\nmax_wal_size = 4GB\n"

SERVERS({"source", .conf = LESS_WAL}, {"target", .conf = LESS_WAL})

TestSuite(huge_rows, .timeout = 900);

/*
 * tsvector makes it text.  Bits are the type that text blows up most: 136 MB
 * of them, almost nothing on disk, do not fit into the server's 1 GiB.  There
 * are some chunks before and behind the row.
 */
static const char source_sql[] =
    "CREATE TABLE papers (id int, part text, doc bytea, bits varbit,"
    "  words tsvector, PRIMARY KEY (id, part));"
    "INSERT INTO papers SELECT i, 'a', convert_to(repeat(md5(i::text), 40),"
    "  'UTF8'), NULL, to_tsvector('simple', 'n ' || i)"
    "  FROM generate_series(1, 3000) AS i;"
    "WITH a AS (SELECT 0::bit(83886080)::varbit AS a),"
    "  b AS (SELECT a || a AS b FROM a), c AS (SELECT b || b AS c FROM b)"
    " INSERT INTO papers SELECT 7, 'x, y', '', c || c || c || a, 'w'"
    "  FROM a, c;"
    "INSERT INTO papers SELECT i, 'a', '\\x00ff', B'01', NULL"
    "  FROM generate_series(4001, 5000) AS i;"
    "CREATE TABLE notes AS SELECT i, 'note ' || i AS note"
    "  FROM generate_series(1, 1000) AS i;";

/* As large as it gets: 600 MB of bytea, which as text are 1.2 GB, several
   times over in the server and in us. */
static const char largest_sql[] =
    "CREATE TABLE papers (id int, part text, doc bytea, bits varbit,"
    "  words tsvector, PRIMARY KEY (id, part));"
    "ALTER TABLE papers ALTER doc SET STORAGE EXTERNAL;"
    "INSERT INTO papers SELECT 7, 'x, y', convert_to(repeat('0123456789',"
    "  60000000), 'UTF8'), NULL, 'w';";

#define SKIP_UNLESS_ASKED                                                      \
    if (!getenv("PGHAUL_HUGE"))                                                \
    cr_skip_test("needs 3 GB of memory: set PGHAUL_HUGE=1")

static struct server_run
export_as(const char *source, const char *dir, const char *format)
{
    return moves_pghaul("export", "--source", source, "--dir", dir, "--format",
                        format, "--chunk-size", "1MB", "--jobs", "2",
                        "--progress", "plain");
}

static const char *
catalog_says(const char *dir, const char *sql)
{
    struct server_run run = server_run(
        (const char *const[]){"sqlite3", moves_path(dir, "run.db"), sql, NULL});

    cr_assert_eq(run.status, 0, "%s", run.errors);
    return run.output;
}

/* Export and load, and have others judge. */
static void
assert_carried_in_binary(const char *sql)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    static const char sum[] =
        "SELECT sum(('x' || left(md5(id || part || md5(doc)"
        " || coalesce(words::text, '') || coalesce(bit_count(bits), 0)"
        " || coalesce(length(bits), 0)), 8))::bit(32)::bigint) FROM papers";
    struct server_run run;

    server_sql(source, sql);
    run = export_as(source, dir, "auto");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert(strstr(run.errors, "public.papers has a row that is too large "
                                 "for text"),
              "%s", run.errors);
    run = server_run((const char *const[]){"find", dir, "-name", "*.text.lz4",
                                           "-o", "-name", "*.part", NULL});
    cr_assert_str_eq(run.output, "");
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    cr_assert_str_eq(server_value(target, sum), server_value(source, sum));
}

Test(huge_rows, too_large_for_text_is_carried_in_binary)
{
    assert_carried_in_binary(source_sql);
}

Test(huge_rows, largest_of_all_is_carried_in_binary)
{
    SKIP_UNLESS_ASKED;
    assert_carried_in_binary(largest_sql);
}

static void
assert_names_the_row(const struct server_run *run, const char *format,
                     const char *row)
{
    cr_assert_eq(run->status, 3, "%s", run->errors);
    cr_assert(strstr(run->errors, "has a row that is too large to be read in"),
              "%s", run->errors);
    cr_assert(strstr(run->errors, format), "%s", run->errors);
    cr_assert(strstr(run->errors, row), "%s", run->errors);
}

Test(huge_rows, too_large_for_text_alone_is_named_and_the_others_are_staged)
{
    const char *source = server_database("source");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;
    char row[200];

    server_sql(source, source_sql);
    snprintf(
        row, sizeof row,
        "Row at ctid %s, key (id, part)=(7, x, y): about 1.01 GB",
        server_value(source, "SELECT ctid FROM papers WHERE part = 'x, y'"));
    run = export_as(source, dir, "text");
    assert_names_the_row(&run, "\"public.papers\"", row);
    cr_assert(strstr(run.errors, "--format auto"), "%s", run.errors);
    cr_assert_str_eq(catalog_says(dir, "SELECT count(*) FROM chunks k JOIN"
                                       " tables t ON t.id = table_id"
                                       " WHERE t.name = 'notes'"
                                       " AND k.state = 'staged'"),
                     "1\n");
    run = moves_pghaul("abort", "--dir", dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(huge_rows, too_large_for_binary_is_named)
{
    const char *source = server_database("source");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    SKIP_UNLESS_ASKED;
    server_sql(source,
               "CREATE TABLE pairs (a bytea, b bytea, c tsvector);"
               "ALTER TABLE pairs ALTER a SET STORAGE EXTERNAL,"
               "  ALTER b SET STORAGE EXTERNAL;"
               "INSERT INTO pairs SELECT convert_to(repeat('0123456789',"
               "  60000000), 'UTF8');"
               "UPDATE pairs SET b = a; VACUUM FULL pairs;");
    run = export_as(source, dir, "auto");
    assert_names_the_row(&run, "binary format",
                         "Row at ctid (0,1): about 1.11 GB");
    run = moves_pghaul("abort", "--dir", dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
}
