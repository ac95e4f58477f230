/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/err.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* A shop with an audit trail that nobody wants to move, and all that hangs on
   it. */
static const char trail[] =
    "CREATE SCHEMA audit;"
    "CREATE TABLE audit.trail (id serial PRIMARY KEY, what text);"
    "INSERT INTO audit.trail (what) SELECT 'x' || i"
    "  FROM generate_series(1, 100) AS i;"
    "CREATE TABLE audit.other (id int);"
    "ALTER TABLE shop.odd ADD COLUMN seen int REFERENCES audit.trail;"
    "COMMENT ON CONSTRAINT odd_seen_fkey ON shop.odd IS 'it''s seen';"
    "CREATE VIEW shop.seen AS SELECT o.*, t.what FROM shop.odd o"
    "  JOIN audit.trail t ON t.id = o.seen;"
    "CREATE MATERIALIZED VIEW shop.seen_often AS SELECT count(*) FROM "
    "shop.seen;"
    "CREATE INDEX ON shop.seen_often (count);"
    "CREATE FUNCTION shop.last(audit.trail) RETURNS int LANGUAGE sql"
    "  AS 'SELECT 1';"
    "COMMENT ON FUNCTION shop.last IS 'the last one';"
    "GRANT EXECUTE ON FUNCTION shop.last TO PUBLIC;"
    "REFRESH MATERIALIZED VIEW shop.seen_often;";

static const char *
source_with_trail(void)
{
    const char *source = moves_source();

    server_sql(source, trail);
    return source;
}

static const char *
new_dir(void)
{
    return moves_path(server_tmp_dir(), "run");
}

#define export_with(source, dir, ...)                                          \
    moves_pghaul("export", "--source", source, "--dir", dir, "--chunk-size",   \
                 "1MB", "--jobs", "2", "--quiet", __VA_ARGS__)

static void
assert_exit(const struct server_run *run, int status, const char *message)
{
    cr_assert_eq(run->status, status, "%d: %s", run->status, run->errors);
    cr_assert(strstr(run->errors, message), "not \"%s\" but %s", message,
              run->errors);
}

/* All relations but indexes, in one line. */
static const char *
relations_of(const char *conninfo)
{
    return server_value(
        conninfo,
        "SELECT string_agg(format('%s.%s', n.nspname, c.relname), ' ' ORDER BY"
        " n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON"
        " n.oid = c.relnamespace WHERE relkind IN ('r','p','v','m','S','f')"
        " AND nspname !~ '^(pg_|information_schema|pghaul)'");
}

/* The whole of it: export with these options, load, verify. */
#define move(source, target, dir, ...)                                         \
    do {                                                                       \
        const char *dir_ = (dir);                                              \
        struct server_run run_ = export_with(source, dir_, __VA_ARGS__);       \
                                                                               \
        cr_assert_eq(run_.status, 0, "%s", run_.errors);                       \
        moves_load(target, dir_);                                              \
        moves_assert_verified(target, dir_);                                   \
    } while (0)

static const char *
skips_of(const char *dir)
{
    json_t *all = json_load_file(moves_path(dir, "data/catalog.json"), 0, NULL);
    static char text[16 << 10];
    json_t *skip;
    size_t i, len = 0;

    cr_assert_not_null(all);
    json_array_foreach(json_object_get(all, "not_copied"), i, skip)
    {
        const char *kind, *schema, *name, *reason;
        int harmless;

        cr_assert_eq(json_unpack(skip, "{s:s,s:s,s:s,s:s,s:b}", "kind", &kind,
                                 "schema", &schema, "name", &name, "reason",
                                 &reason, "harmless", &harmless),
                     0);
        cr_assert(harmless);
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s %s%s%s: %s\n",
                             kind, schema, *schema ? "." : "", name, reason);
    }
    json_decref(all);
    return text;
}

static void
assert_skip(const char *dir, const char *line)
{
    const char *skips = skips_of(dir);

    cr_assert(strstr(skips, line), "no \"%s\" in\n%s", line, skips);
}

Test(selection, what_needs_an_excluded_table_stays_away_too)
{
    const char *source = source_with_trail();
    const char *target = server_database("target"), *dir = new_dir();

    move(source, target, dir, "-T", "audit.*");
    assert_skip(dir, "tables audit.other, audit.trail: excluded by "
                     "--exclude-table \"audit.*\" (2 in all)\n");
    assert_skip(dir, "foreign key odd_seen_fkey on shop.odd: it needs "
                     "audit.trail, which is left out\n");
    assert_skip(dir, "view shop.seen: it needs audit.trail, which");
    assert_skip(dir, "materialized view shop.seen_often: it needs shop.seen,");
    assert_skip(dir, "function shop.last(audit.trail): it needs audit.trail");
    cr_assert_str_eq(relations_of(target),
                     "shop.customers shop.customers_id_seq shop.empty shop.log "
                     "shop.log_1 shop.log_2 shop.nothing shop.odd shop.orders "
                     "shop.orders_id_seq shop.sent shop.totals");
    cr_assert_str_eq(server_fingerprint(target, "shop.odd"),
                     server_fingerprint(source, "shop.odd"));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_namespace"
                                          " WHERE nspname = 'audit'"),
                     "1");
}

Test(selection, excluded_schema_is_not_there)
{
    const char *source = source_with_trail();
    const char *target = server_database("target"), *dir = new_dir();

    move(source, target, dir, "-N", "audit");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_namespace"
                                          " WHERE nspname = 'audit'"),
                     "0");
    assert_skip(dir, "excluded by --exclude-schema \"audit\" (2 in all)\n");
    assert_skip(dir, "sequence audit.trail_id_seq: excluded by");
}

Test(selection, chosen_schema_comes_with_what_it_needs)
{
    const char *source = source_with_trail();
    const char *target = server_database("target");

    server_sql(source, "CREATE TABLE public.left_alone (i int)");
    move(source, target, new_dir(), "--schema=shop");
    cr_assert_str_eq(relations_of(target),
                     "shop.customers shop.customers_id_seq shop.empty shop.log "
                     "shop.log_1 shop.log_2 shop.nothing shop.odd shop.orders "
                     "shop.orders_id_seq shop.sent shop.totals");
}

Test(selection, chosen_table_can_be_loaded_into_an_empty_database)
{
    const char *source = source_with_trail();
    const char *target = server_database("target"), *dir = new_dir();

    move(source, target, dir, "-t", "shop.orders", "-t", "*.LOG_1");
    cr_assert_str_eq(relations_of(target), "shop.log shop.log_1 shop.orders "
                                           "shop.orders_id_seq");
    cr_assert_str_eq(server_fingerprint(target, "shop.orders"),
                     server_fingerprint(source, "shop.orders"));
    cr_assert_str_eq(
        server_value(target, "SELECT nextval('shop.orders_id_seq')"), "30000");
    assert_skip(dir,
                "tables audit.other, audit.trail, shop.customers, ...: not "
                "chosen by --table (7 in all)\n");
    assert_skip(dir,
                "foreign key orders_customer_fkey on shop.orders: it needs "
                "shop.customers");
}

Test(selection, excluded_parent_takes_its_partitions_and_children_along)
{
    const char *source = moves_source();
    const char *target = server_database("target");

    server_sql(source, "CREATE TABLE shop.child (x int) INHERITS (shop.empty);"
                       "CREATE TABLE public.log_3 PARTITION OF shop.log FOR"
                       "  VALUES FROM ('2025-01-01') TO ('2026-01-01')");
    move(source, target, new_dir(), "-T", "shop.log", "-T", "shop.empty", "-T",
         "shop.o*", "-T", "shop.customers", "-T", "shop.totals");
    cr_assert_str_eq(relations_of(target), "shop.nothing");
}

Test(selection, chosen_parent_brings_its_partitions)
{
    const char *source = moves_source();
    const char *target = server_database("target");

    server_sql(source, "CREATE SCHEMA old;"
                       "CREATE TABLE old.log_3 PARTITION OF shop.log FOR"
                       "  VALUES FROM ('2025-01-01') TO ('2026-01-01');"
                       "INSERT INTO shop.log VALUES ('2025-05-05', 'x')");
    move(source, target, new_dir(), "-n", "shop");
    cr_assert_str_eq(server_fingerprint(target, "old.log_3"),
                     server_fingerprint(source, "old.log_3"));
}

Test(selection, hostile_names_are_names)
{
    const char *source = server_database("source");
    const char *target = server_database("target");

    server_sql(source,
               "CREATE SCHEMA \"a.b\"\"c\"; CREATE SCHEMA \"-n $(reboot)\";"
               "CREATE TABLE \"a.b\"\"c\".\"t*\" AS SELECT 1 AS i;"
               "CREATE TABLE \"a.b\"\"c\".\"T'|\\\n;\" AS SELECT 2 AS i;"
               "CREATE TABLE \"a.b\"\"c\".tx AS SELECT 3 AS i;"
               "CREATE TABLE \"-n $(reboot)\".\"(\" AS SELECT 4 AS i;"
               "CREATE TABLE \"-n $(reboot)\".\"|\" AS SELECT 5 AS i;"
               "CREATE TABLE \"-n $(reboot)\".\"a\"\"b\" AS SELECT 6 AS i;");
    move(source, target, new_dir(), "-t", "\"a.b\"\"c\".\"t*\"", "-t",
         "\"a.b\"\"c\".\"T'|\\\n;\"", "-t", "\"-n $(reboot)\".\"(\"");
    cr_assert_str_eq(relations_of(target),
                     "-n $(reboot).( a.b\"c.T'|\\\n; a.b\"c.t*");
}

Test(selection, pattern_without_schema_is_looked_for_on_the_search_path)
{
    const char *source = moves_source();
    const char *dir = new_dir();
    struct server_run run;

    server_sql(source, "CREATE TABLE public.orders (i int)");
    run = export_with(source, dir, "-T", "orders");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_skip(dir, "table public.orders: excluded by --exclude-table "
                     "\"orders\"\n");
}

Test(selection, pattern_that_matches_nothing_is_refused)
{
    const char *source = moves_source();
    struct server_run run = export_with(source, new_dir(), "-T", "shop.ordres");

    assert_exit(
        &run, ERR_REFUSED,
        "nothing at the source matches --exclude-table \"shop.ordres\"");
    run = export_with(source, new_dir(), "-n", "Shop", "-n", "shap");
    assert_exit(&run, ERR_REFUSED, "matches --schema \"shap\"");
    run = export_with(source, new_dir(), "-t", "orders");
    assert_exit(&run, ERR_REFUSED, "search_path");
}

Test(selection, pattern_that_is_none_is_an_error_of_usage)
{
    const char *source = moves_source();
    struct server_run run = export_with(source, new_dir(), "-t", "a.b.c");

    assert_exit(&run, ERR_USAGE, "invalid pattern \"a.b.c\"");
    run = export_with(source, new_dir(), "-t", "shop.(a");
    assert_exit(&run, ERR_USAGE, "--table \"shop.(a\"");
    run = export_with(source, new_dir(), "-t", "shop.a", "-n", "shop");
    assert_exit(&run, ERR_USAGE, "cannot be used together");
}

Test(selection, what_a_copied_table_needs_cannot_be_left_out)
{
    const char *source = moves_source();
    struct server_run run;

    server_sql(source, "CREATE SCHEMA types; CREATE TYPE types.t AS ENUM ('a');"
                       "ALTER TABLE shop.odd ADD COLUMN t types.t");
    run = export_with(source, new_dir(), "-N", "types");
    assert_exit(&run, ERR_REFUSED, "needs types.t, which is left out");
    server_sql(source, "CREATE TABLE shop.child () INHERITS (shop.empty)");
    run = export_with(source, new_dir(), "-t", "shop.child");
    assert_exit(&run, ERR_REFUSED,
                "table shop.child needs shop.empty, which is left out");
}

Test(selection, run_goes_on_with_the_same_selection_only)
{
    const char *source = source_with_trail(), *dir = new_dir();
    struct server_run run;

    run = export_with(source, dir, "-T", "audit.trail", "-T", "shop.odd");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = export_with(source, dir, "-T", "shop.odd", "-T", "audit.trail");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = export_with(source, dir, "-T", "shop.odd");
    assert_exit(&run, ERR_REFUSED, "begun with another selection");
    assert_exit(&run, ERR_REFUSED,
                "It is of --exclude-table=audit.trail "
                "--exclude-table=shop.odd; this is --exclude-table=shop.odd.");
    run = export_with(source, dir, "--start-over", "-T", "shop.odd");
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(selection, excluded_table_is_neither_locked_nor_read)
{
    const char *source = source_with_trail();
    PGconn *conn = PQconnectdb(source);
    struct server_run run;

    PQclear(PQexec(conn, "BEGIN; LOCK TABLE audit.trail"));
    run = export_with(source, new_dir(), "-T", "audit.*");
    PQfinish(conn);
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(selection, many_excluded_tables_are_one_line)
{
    const char *source = moves_source(), *dir = new_dir();
    struct server_run run;

    server_sql(source,
               "DO $$ BEGIN FOR i IN 1..600 LOOP EXECUTE format('CREATE TABLE"
               " shop.many_%s (i int)', i); END LOOP; END $$");
    run = export_with(source, dir, "-T", "shop.many_*");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_skip(dir, "tables shop.many_1, shop.many_10, shop.many_100, ...: "
                     "excluded by --exclude-table \"shop.many_*\" (600 in "
                     "all)\n");
    cr_assert_lt(strlen(skips_of(dir)), 500);
}

Test(selection, run_that_was_carried_leaves_out_the_same)
{
    const char *source = source_with_trail();
    const char *target = server_database("target"), *dir = new_dir();
    struct server_run run = export_with(source, dir, "-T", "audit.*");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    remove(moves_path(dir, "run.db"));
    moves_load(target, dir);
    moves_assert_verified(target, dir);
    run = export_with(source, dir, "-T", "audit.trail");
    assert_exit(&run, ERR_REFUSED, "begun with another selection");
}

Test(selection, check_looks_at_what_is_chosen)
{
    const char *source = moves_source();
    PGconn *conn = PQconnectdb(source);
    struct server_run run;

    PQclear(PQexec(conn, "BEGIN; LOCK TABLE shop.orders"));
    run = moves_pghaul("check", "--jobs", "1", "--source", source);
    cr_assert_eq(run.status, ERR_REFUSED, "%s", run.output);
    run = moves_pghaul("check", "--jobs", "1", "--source", source, "-T",
                       "shop.orders");
    cr_assert_eq(run.status, 0, "%s", run.output);
    run = moves_pghaul("check", "--jobs", "1", "--source", source, "-T",
                       "shop.nowhere");
    cr_assert_eq(run.status, ERR_REFUSED);
    cr_assert(strstr(run.output, "error    selection"), "%s", run.output);
    PQfinish(conn);
}
