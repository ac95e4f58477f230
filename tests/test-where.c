/* SPDX-License-Identifier: PostgreSQL */

/* Rows that a condition chooses, on their whole way. */

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cdc.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define export_where(source, dir, ...)                                         \
    moves_pghaul("export", "--source", source, "--dir", dir, "--chunk-size",   \
                 "1MB", "--jobs", "2", __VA_ARGS__)

/* The rows of a table that meet a condition, as server_fingerprint() has all;
   both sides are asked by this query, the target without a condition. */
static const char *
rows_where(const char *conninfo, const char *table, const char *condition)
{
    return server_value(
        conninfo,
        server_process_text("SELECT count(*) || ' ' || coalesce(sum("
                            "hashtextextended(t::text, 7)::numeric), 0)"
                            " FROM ONLY %s AS t WHERE %s",
                            table, condition));
}

static void
assert_chosen(const char *source, const char *target, const char *table,
              const char *condition)
{
    const char *want = rows_where(source, table, condition);
    const char *got = rows_where(target, table, "true");

    cr_assert_str_eq(got, want, "%s: %s, not %s", table, got, want);
}

/* ---- the way ---- */

Test(where, only_rows_for_which_it_is_true_are_copied_and_verified)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = run_dir();
    struct server_run run = export_where(
        source, dir, "--where", "shop.orders: id % 3 = 1 -- a third", "--where",
        "shop.log : line LIKE '%7' OR line LIKE '%(8'", "--where",
        "shop.log_1: line <> 'line 7'", "--where", "shop.odd:tid IS NULL");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    assert_chosen(source, target, "shop.orders", "id % 3 = 1");
    /* Partitions have their root's, and what is theirs besides. */
    assert_chosen(source, target, "shop.log_1",
                  "(line LIKE '%7' OR line LIKE '%(8') AND line <> 'line 7'");
    assert_chosen(source, target, "shop.log_2", "line LIKE '%7'");
    assert_chosen(source, target, "shop.odd", "tid IS NULL");
    assert_chosen(source, target, "shop.customers", "true");
    /* The source has more, the target may not. */
    run = moves_pghaul("verify", "--source", source, "--dir", dir, "--quiet");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    server_sql(target, "SET session_replication_role = replica;"
                       "INSERT INTO shop.odd VALUES (-1, '(0,1)')");
    run = moves_pghaul("verify", "--target", target, "--dir", dir, "--quiet");
    cr_assert_eq(run.status, 1, "%s%s", run.output, run.errors);
}

/* Their rows are loaded through the root, and compared as one. */
Test(where, partitions_of_one_root_have_conditions_of_their_own)
{
    const char *source = server_database("source"), *dir = run_dir();
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source,
               "CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad');"
               "CREATE TABLE p (m mood, i int) PARTITION BY HASH (m);"
               "CREATE TABLE p0 PARTITION OF p"
               "  FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
               "CREATE TABLE p1 PARTITION OF p"
               "  FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
               "INSERT INTO p SELECT (enum_range(NULL::mood))[1 + i % 3], i"
               "  FROM generate_series(1, 3000) i");
    run = export_where(source, dir, "--where", "public.p: i > 100", "--where",
                       "public.p0: i < 900", "--where", "public.p1: i < 2000");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    run = moves_pghaul("verify", "--source", source, "--dir", dir, "--quiet");
    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    server_sql(source, "UPDATE p1 SET i = 150 WHERE i = (SELECT min(i) FROM p1"
                       " WHERE i > 200 AND i < 900)");
    run = moves_pghaul("verify", "--source", source, "--dir", dir, "--quiet");
    cr_assert_eq(run.status, 1, "%s%s", run.output, run.errors);
}

Test(where, it_is_told_and_stands_in_the_catalogue)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run =
        export_where(source, dir, "--where", "shop.customers: id <= 100");
    json_t *all, *table;
    size_t i, n = 0;

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert(strstr(run.errors, "foreign key orders_customer_fkey on "
                                 "shop.orders may refer to rows that --where "
                                 "leaves out"),
              "%s", run.errors);
    all = json_load_file(moves_path(dir, "data/catalog.json"), 0, NULL);
    cr_assert_not_null(all);
    cr_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(all, "source"), "selection")),
                     "--where=shop.customers: id <= 100\n");
    json_array_foreach(json_object_get(all, "tables"), i, table)
    {
        const char *condition =
            json_string_value(json_object_get(table, "condition"));

        if (!condition)
            continue;
        n++;
        cr_assert_str_eq(condition, "(id <= 100)");
    }
    cr_assert_eq(n, 1);
    json_array_foreach(json_object_get(all, "not_copied"), i, table)
    {
        if (strcmp(json_string_value(json_object_get(table, "kind")),
                   "rows of table") == 0)
            n++;
    }
    cr_assert_eq(n, 2);
    json_decref(all);
}

/* A hash of an enum: its rows go through the root. */
Test(where, rows_that_are_loaded_through_a_root_are_chosen_too)
{
    const char *source = server_database("source");
    const char *target = server_database("target"), *dir = run_dir();
    struct server_run run;

    server_sql(source,
               "CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd');"
               "CREATE TABLE p (k e, i int) PARTITION BY HASH (k);"
               "CREATE TABLE p0 PARTITION OF p FOR VALUES WITH"
               "  (MODULUS 2, REMAINDER 0);"
               "CREATE TABLE p1 PARTITION OF p FOR VALUES WITH"
               "  (MODULUS 2, REMAINDER 1);"
               "INSERT INTO p SELECT (enum_range(NULL::e))[1 + i % 4], i"
               "  FROM generate_series(1, 5000) AS i;");
    run = export_where(source, dir, "--where", "p: i % 7 = 0");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    cr_assert_str_eq(server_value(target, "SELECT count(*) || ' ' || sum(i)"
                                          " FROM p WHERE i % 7 = 0"),
                     server_value(source, "SELECT count(*) || ' ' || sum(i)"
                                          " FROM p WHERE i % 7 = 0"));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM p"), "714");
}

Test(where, a_file_says_it_of_tables)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = run_dir();
    const char *file = moves_path(server_tmp_dir(), "shop.yaml");
    FILE *f = fopen(file, "w");
    struct server_run run;

    cr_assert_not_null(f);
    fputs("tables:\n"
          "  include: [shop.*]\n"
          "  exclude: shop.log\n"
          "  where:\n"
          "    shop.orders: customer < 50\n"
          "    'shop.\"odd\"': |\n"
          "      \"we ird\"\"col\" > 2900\n"
          "      AND tid IS NOT NULL\n",
          f);
    fclose(f);
    run = export_where(source, dir, "--config", file);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    assert_chosen(source, target, "shop.orders", "customer < 50");
    assert_chosen(source, target, "shop.odd", "\"we ird\"\"col\" > 2900");
    cr_assert_null(server_value(target, "SELECT to_regclass('shop.log')"));
}

Test(where, a_run_is_not_gone_on_with_by_another_one)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run =
        export_where(source, dir, "--where", "shop.orders: id < 5");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = export_where(source, dir, "--where", "shop.orders: id < 6");
    assert_says(&run, 6, "this run was begun with another selection");
    run = moves_pghaul("export", "--source", source, "--dir", dir);
    assert_says(&run, 6,
                "It is of --where=shop.orders: id < 5; this is "
                "everything");
    run = export_where(source, dir, "--where", "shop.orders: id < 5");
    assert_says(&run, 0, "");
}

/* ---- what is none ---- */

struct bad {
    char where[120], message[120];
    int status;
};

Test(where, a_wrong_one_is_refused_before_all_else)
{
    static struct bad bad[] = {
        {"shop.orders", "is not a table and a condition", 2},
        {"shop.orders:", "is not a table and a condition", 2},
        {": id > 1", "invalid pattern", 2},
        {"shop.orders: no_such > 1", "column \"no_such\" does not exist", 2},
        {"shop.orders: id", "argument of WHERE must be type boolean", 2},
        {"shop.orders: id > 'x'", "invalid input syntax for type integer", 2},
        {"shop.orders: max(id) > 1", "aggregate functions are not allowed", 2},
        {"shop.orders: id > 1) OR (true", "syntax error", 2},
        {"shop.orders: true], [true", "syntax error", 2},
        {"shop.orders: true; DROP TABLE shop.empty", "syntax error", 2},
        {"shop.orders: true); DROP TABLE shop.empty; --", "syntax error", 2},
        {"shop.orders: true /* ", "unterminated /* comment", 2},
        {"shop.orders: true -- ) OR (", "", 0},
        {"shop.orders: note = 'a", "unterminated quoted string", 2},
        {"shop.orders: $$a) OR ($$ IS NOT NULL", "", 0},
        {"shop.orders: true, false", "", 2},
        {"shop.orders: SELECT true", "syntax error", 2},
        {"shop.orders: true UNION SELECT true", "syntax error", 2},
        {"shop.orders: id = $1", "none", 2},
        {"shop.orders: EXISTS (SELECT FROM shop.customers)",
         "reads a table itself", 6},
        {"shop.orders: id IN (SELECT id FROM shop.orders)",
         "reads a table itself", 6},
        {"shop.no: true", "no table that is copied is meant by", 6},
        {"shop.sent: true", "no table that is copied is meant by", 6},
        {"shop.log*: no_such = 1", "for table \"shop.log_1\"", 2},
    };
    const char *source = moves_source();

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct bad *b = &bad[i];
        struct server_run run =
            moves_pghaul("plan", "--source", source, "--where", b->where);

        cr_assert_eq(run.status, b->status, "%s: %d, %s", b->where, run.status,
                     run.errors);
        cr_assert(strstr(run.errors, b->message), "%s: not \"%s\" but %s",
                  b->where, b->message, run.errors);
    }
    cr_assert_not_null(
        server_value(source, "SELECT to_regclass('shop.empty')"));
}

Test(where, an_export_makes_nothing_with_a_wrong_one)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run =
        export_where(source, dir, "--cdc", "--replica-identity", "full",
                     "--where", "shop.orders: id > 1) OR (true");

    assert_says(&run, 2, "the condition for table \"shop.orders\" is none");
    assert_left(source, "0 0");
    cr_assert_str_eq(server_value(source, "SELECT count(*) FROM pg_class WHERE"
                                          " relreplident = 'f'"),
                     "0");
}

/* ---- as a row filter ---- */

Test(where, a_publication_carries_it_where_it_can)
{
    const char *source = bank_database(), *target = server_database("target");
    const char *dir = run_dir(), *slot;
    struct server_run run = server_run(
        cdc_words(source, "--dir", dir, "--where", "a: i <= 100 -- a hundred"));

    if (server_version(source) < 150000) {
        assert_says(&run, 6, "row filters came with PostgreSQL 15");
        return;
    }
    assert_says(&run, 0, "");
    moves_load(target, dir);
    slot = server_value(source, "SELECT slot_name FROM pg_replication_slots"
                                " WHERE database = current_database()");
    server_sql(source, "UPDATE a SET n = 5; INSERT INTO a VALUES (-1, 6, ''),"
                       " (99999, 6, '')");
    server_sql(target, server_process_text(
                           "CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION"
                           " %s WITH (copy_data = false, create_slot = false)",
                           slot, source, slot));
    moves_wait_until(target, "SELECT (SELECT n FROM a WHERE i = -1) = 6");
    cr_assert_str_eq(
        server_value(target, "SELECT count(*) || ' ' || sum(n) FROM a"),
        "101 506");
    server_sql(target, server_process_text("DROP SUBSCRIPTION %s", slot));
}

Test(where, what_no_publication_can_carry_is_refused)
{
    const char *source = bank_database();
    struct server_run run = server_run(cdc_words(
        source, "--dir", run_dir(), "--where", "a: t <> '' AND n > 5"));

    if (server_version(source) < 150000)
        return;
    assert_says(&run, 6, "public.a (n, t: not in its replica identity)");
    run = server_run(cdc_words(source, "--dir", run_dir(), "--where",
                               "a: i > random() * 10"));
    assert_says(&run, 6, "mutable functions are not allowed");
    run = server_run(cdc_words(source, "--dir", run_dir(), "--where",
                               "a: i > 5", "--plugin", "test_decoding"));
    assert_says(&run, 6, "public.a (only a publication of ours");
    assert_left(source, "0 0");
    /* Whole rows in the log have all columns. */
    run = server_run(cdc_words(source, "--dir", run_dir(), "--where",
                               "a: t <> '' AND n > 5", "--replica-identity",
                               "full"));
    assert_says(&run, 0, "");
    server_sql(source, "UPDATE a SET n = 4 WHERE i = 7");
    drop_slots(source);
}

/* ---- before a run ---- */

Test(where, check_and_plan_tell_what_it_leaves_out)
{
    const char *source = moves_source();
    struct server_run run = moves_pghaul("check", "--source", source, "--where",
                                         "shop.customers: born > '1960-01-01'");

    cr_assert(strstr(run.output, "orders_customer_fkey on shop.orders"), "%s",
              run.output);
    run = moves_pghaul("plan", "--source", source, "--where",
                       "shop.customers: born > '1960-01-01'");
    assert_says(&run, 0, "");
    cr_assert(strstr(run.output,
                     "rows of table shop.customers: only those are copied for "
                     "which this is true: (born > '1960-01-01')"),
              "%s", run.output);
}
