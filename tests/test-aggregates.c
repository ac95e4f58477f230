/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

static const char table[] =
    "CREATE TABLE t (id int PRIMARY KEY, i2 int2, i8 bigint, b bool, r real,"
    "  d double precision, n numeric, v varchar(20), c char(5), y bytea,"
    "  day date, at timestamp, tz timestamptz, u uuid%s);"
    "INSERT INTO t SELECT i, i %% 100, i * 10000000000, i %% 3 = 0, i / 7.0,"
    "  i / 3.0, i * 1.25, 'v' || i, 'c', '\\xff00', '2024-01-01'::date + i,"
    "  '2024-01-01'::timestamp + i * interval '1 h', '2024-01-01Z'::timestamptz"
    "  + i * interval '1 s', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"
    "  FROM generate_series(1, 500) i;"
    "INSERT INTO t (id) VALUES (600);"
    "INSERT INTO t (id, r, d, n) VALUES (601, 'NaN', '-Infinity', 'NaN');";

/* What is changed, and the words that must be said of it; of tables staged as
   text, what they say of times they cannot. */
static const struct {
    const char *change, *said;
    int binary_only;
} planted[] = {
    {"SET i2 = NULL WHERE id = 3", "column i2 of public.t has another number of"
                                   " NULLs: 3, not 2"},
    {"SET i2 = i2 + 1 WHERE id = 3",
     "column i2 of public.t has another sum: 24751, not 24750"},
    {"SET i8 = 1 WHERE id = 1",
     "column i8 of public.t has another minimum: 1, not 10000000000"},
    {"SET i8 = 7000000000000 WHERE id = 9",
     "column i8 of public.t has another maximum: 7000000000000, not"
     " 5000000000000"},
    {"SET b = NOT b WHERE id = 5",
     "column b of public.t is true another number of times: 167, not 166"},
    {"SET r = r + 1 WHERE id = 5", "column r of public.t has another sum"},
    {"SET d = 1e9 WHERE id = 5", "column d of public.t has another maximum"},
    {"SET d = 0 WHERE id = 601",
     "column d of public.t is finite another number of times: 501, not 500"},
    {"SET n = n + 1 WHERE id = 77",
     "column n of public.t has another sum: 156563.5, not 156562.5"},
    {"SET n = -1e30 WHERE id = 77", "column n of public.t has another minimum"},
    {"SET v = v || ' ' WHERE id = 8",
     "column v of public.t has another length in all"},
    {"SET c = NULL WHERE id = 8", "column c of public.t has another length"},
    {"SET y = '\\xff' WHERE id = 8", "column y of public.t has another length"},
    {"SET day = '2023-01-01' WHERE id = 8",
     "column day of public.t has another minimum", 1},
    {"SET at = at + interval '1 us' WHERE id = 8",
     "column at of public.t has another sum", 1},
    {"SET tz = tz - interval '1 d' WHERE id = 1",
     "column tz of public.t has another minimum", 1},
    {"SET u = NULL WHERE id = 8", "column u of public.t has another number of"},
    {"SET u = 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' WHERE id = 8",
     "column u of public.t has other distinct values: about 2, not about 1"},
};

static void
plant(const char *further_column, int is_binary)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, server_process_text(table, further_column));
    moves_export(source, dir);
    moves_load(target, dir);
    run = moves_pghaul("verify", "--dir", dir, "--target", target, "--layers",
                       "counts,aggregates", "--distinct");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(target, "CREATE TABLE saved AS SELECT * FROM t;"
                       "CREATE SCHEMA pghaul_test; ALTER TABLE saved SET SCHEMA"
                       " pghaul_test");
    for (unsigned i = 0; i < sizeof planted / sizeof *planted; i++) {
        if (planted[i].binary_only && !is_binary)
            continue;
        server_sql(target,
                   server_process_text("UPDATE t %s", planted[i].change));
        run = moves_pghaul("verify", "--dir", dir, "--target", target,
                           "--layers", "aggregates", "--distinct", "-j1");
        cr_expect_eq(run.status, 1, "%s: %s", planted[i].change, run.errors);
        cr_expect_not_null(strstr(run.errors, planted[i].said), "%s: %s",
                           planted[i].change, run.errors);
        server_sql(target, "TRUNCATE t; INSERT INTO t SELECT * FROM"
                           " pghaul_test.saved");
    }
}

Test(aggregates, each_planted_difference_names_its_column_in_binary)
{
    plant("", 1);
}

/* An enum makes it a text table. */
Test(aggregates, each_planted_difference_names_its_column_in_text)
{
    plant(", other point, more inet[]", 0);
}

Test(aggregates, of_servers_whatever_the_order_of_rows_and_columns)
{
    const char *a = server_database("source"), *b = server_database("target");
    struct server_run run;

    server_sql(a, "CREATE TABLE t (id int PRIMARY KEY, x float8, s text);"
                  "INSERT INTO t SELECT i, sin(i) * 1e6, repeat(E'\\t', i % 9)"
                  " FROM generate_series(1, 20000) i");
    server_sql(b, "CREATE TABLE t (s text, id int PRIMARY KEY, x float8);"
                  "INSERT INTO t SELECT repeat(E'\\t', i % 9), i, sin(i) * 1e6"
                  " FROM generate_series(20000, 1, -1) i");
    run = moves_pghaul("verify", "--source", a, "--target", b, "--layers",
                       "aggregates", "--distinct");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(b, "UPDATE t SET x = x + 0.01 WHERE id = 5");
    run = moves_pghaul("verify", "--source", a, "--target", b, "--layers",
                       "aggregates", "--accept", "public.t.x: sum=1e-3");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("verify", "--source", a, "--target", b, "--layers",
                       "aggregates");
    cr_assert_eq(run.status, 1, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "column x of public.t has another"
                                          " sum"),
                       "%s", run.errors);
}
