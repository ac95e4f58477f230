/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define assert_says moves_assert_says

#define load(target, dir, ...)                                                 \
    moves_pghaul("load", "--target", target, "--dir", dir, "--into-existing",  \
                 "--jobs", "2" __VA_OPT__(, ) __VA_ARGS__)

/* Triggers in every state, that would all leave a trace; keys that refer to
   each other; an index with all that it can have. */
static const char schema[] =
    "CREATE TABLE customer (id int PRIMARY KEY, name text,"
    " referred_by int REFERENCES customer,"
    " UNIQUE (name) DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL"
    "  REFERENCES customer, amount numeric(10,2),"
    "  gross numeric GENERATED ALWAYS AS (amount * 2) STORED);"
    "COMMENT ON CONSTRAINT orders_customer_fkey ON orders IS 'who pays';"
    "CREATE INDEX by_customer ON orders (customer, (amount + 1));"
    "ALTER INDEX by_customer ALTER COLUMN 2 SET STATISTICS 7;"
    "ALTER TABLE orders CLUSTER ON by_customer;"
    "COMMENT ON INDEX by_customer IS 'it''s for reports';"
    "CREATE TABLE audit (what text);"
    "CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NULL; END$$;"
    "CREATE TRIGGER o AFTER INSERT ON orders FOR EACH ROW"
    "  EXECUTE FUNCTION trace();"
    "CREATE TRIGGER d AFTER INSERT ON orders FOR EACH ROW"
    "  EXECUTE FUNCTION trace();"
    "CREATE TRIGGER r AFTER INSERT ON orders FOR EACH ROW"
    "  EXECUTE FUNCTION trace();"
    "CREATE TRIGGER \"a \"\"always\"\"\" AFTER INSERT OR TRUNCATE ON orders"
    "  EXECUTE FUNCTION trace();"
    "ALTER TABLE orders DISABLE TRIGGER d;"
    "ALTER TABLE orders ENABLE REPLICA TRIGGER r;"
    "ALTER TABLE orders ENABLE ALWAYS TRIGGER \"a \"\"always\"\"\";";

static const char rows[] =
    "INSERT INTO customer SELECT i, 'name ' || i, nullif(i - 1, 0)"
    " FROM generate_series(1, 500) i;"
    "INSERT INTO orders (customer, amount) SELECT 1 + i % 500, i / 7.0"
    " FROM generate_series(1, 60000) i;"
    "TRUNCATE audit;";

/* The state of all triggers and the definition of all indexes and keys. */
static const char *
state_of(const char *conninfo)
{
    return server_value(
        conninfo,
        "SELECT string_agg(x, E'\\n' ORDER BY x) FROM ("
        "SELECT tgname || ' ' || tgenabled::text AS x FROM pg_trigger"
        " WHERE NOT tgisinternal"
        " UNION ALL SELECT pg_get_constraintdef(oid) || conname"
        "  || coalesce(obj_description(oid, 'pg_constraint'), '')"
        "  || convalidated::text FROM pg_constraint WHERE contype <> 'n'"
        "   AND connamespace = 'public'::regnamespace"
        " UNION ALL SELECT pg_get_indexdef(indexrelid) || indisclustered::text"
        "  || coalesce(obj_description(indexrelid, 'pg_class'), '')"
        "  || (SELECT string_agg(attstattarget::text, ' ' ORDER BY attnum)"
        "      FROM pg_attribute WHERE attrelid = indexrelid)"
        "  FROM pg_index WHERE indrelid IN ('orders'::regclass,"
        "   'customer'::regclass)) AS s");
}

static void
assert_same_rows(const char *source, const char *target)
{
    static const char *const tables[] = {"customer", "orders", "audit"};

    for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++)
        cr_assert_str_eq(server_fingerprint(source, tables[i]),
                         server_fingerprint(target, tables[i]));
}

static const char *
exported(const char **ret_source)
{
    const char *dir = moves_path(server_tmp_dir(), "run");

    *ret_source = server_database("source");
    server_sql(*ret_source, schema);
    server_sql(*ret_source, rows);
    moves_export(*ret_source, dir);
    return dir;
}

static const char *
database_with_schema(void)
{
    const char *target = server_database("target");

    server_sql(target, schema);
    return target;
}

Test(existing, rows_arrive_and_no_trigger_fires)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema(), *before = state_of(target);
    struct server_run run = load(target, dir);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM audit"), "0");
    cr_assert_str_eq(state_of(target), before);
    assert_same_rows(source, target);
    moves_assert_verified(target, dir);
    cr_assert_str_eq(server_value(target, "SELECT last_value"
                                          " FROM orders_id_seq"),
                     "60000");
}

Test(existing, indexes_are_made_again_as_they_were)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema(), *before = state_of(target);
    const char *was =
        server_value(target, "SELECT 'by_customer'::regclass::oid");
    struct server_run run = load(target, dir, "--rebuild-indexes");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(state_of(target), before);
    cr_assert_str_neq(
        server_value(target, "SELECT 'by_customer'::regclass::oid"), was);
}

Test(existing, owner_without_privileges_loads_as_well)
{
    const char *source, *dir = exported(&source);
    const char *target = server_database("target"), *before;
    char conninfo[512];
    struct server_run run;

    server_sql(target,
               "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles"
               " WHERE rolname = 'plain') THEN CREATE ROLE plain LOGIN;"
               " END IF; END$$;"
               "GRANT ALL ON SCHEMA public TO plain;"
               "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO"
               " plain', current_database()); END$$");
    snprintf(conninfo, sizeof conninfo, "%s user=plain", target);
    server_sql(conninfo, schema);
    before = state_of(target);

    run = load(conninfo, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM audit"), "0");
    cr_assert_str_eq(state_of(target), before);
    assert_same_rows(source, target);
}

Test(existing, all_that_does_not_fit_is_told_before_the_first_row)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema();
    struct server_run run;

    server_sql(target,
               "ALTER TABLE orders DROP COLUMN amount CASCADE,"
               " ADD COLUMN extra int NOT NULL,"
               " ADD COLUMN fine int NOT NULL DEFAULT 1;"
               "ALTER TABLE customer ALTER COLUMN name TYPE varchar(10);"
               "ALTER TABLE audit RENAME TO \"au%sdit\";"
               "ALTER SEQUENCE orders_id_seq RENAME TO other");
    run = load(target, dir);
    assert_says(run, 6, "do not fit");
    assert_says(run, 6, "column amount of table public.orders: it is missing");
    assert_says(run, 6, "column extra of table public.orders: it is not in");
    assert_says(run, 6, "its type is character varying(10), not text");
    assert_says(run, 6, "table public.audit: it is missing");
    assert_says(run, 6, "sequence public.orders_id_seq: it is missing");
    cr_assert_null(strstr(run.errors, "column fine"));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM customer"),
                     "0");
}

Test(existing, rows_that_are_there_are_refused_kept_or_removed)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema();
    struct server_run run;

    server_sql(target, "INSERT INTO customer VALUES (1000000, 'old', NULL);"
                       "ALTER TABLE audit ADD COLUMN at int DEFAULT 1");
    run = load(target, dir);
    assert_says(run, 6, "\"public.customer\" of the target is not empty");
    run = load(target, dir, "--truncate");
    assert_says(run, 6, "--yes");
    run = load(target, dir, "--truncate", "--append");
    assert_says(run, 2, "cannot be used together");

    run = load(target, dir, "--append");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM customer"),
                     "501");

    target = database_with_schema();
    server_sql(target, "INSERT INTO customer VALUES (1, 'old', NULL);"
                       "INSERT INTO orders (customer) VALUES (1);"
                       "TRUNCATE audit");
    run = load(target, dir, "--truncate", "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_verified(target, dir);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM audit"), "0");
}

Test(existing, keys_that_nobody_checked_are_checked)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, "CREATE TABLE a (x int, y int);"
                       "CREATE TABLE b (x int, y int); CREATE TABLE u (x int);"
                       "INSERT INTO a VALUES (1, 1), (2, 2);"
                       "INSERT INTO b VALUES (1, 1), (2, NULL), (7, 7), (8, 8);"
                       "INSERT INTO u VALUES (5), (5), (6)");
    moves_export(source, dir);
    server_sql(target,
               "CREATE TABLE a (x int, y int, UNIQUE (x, y));"
               "CREATE TABLE b (x int, y int,"
               " CONSTRAINT simple FOREIGN KEY (x, y) REFERENCES a (x, y),"
               " CONSTRAINT full_match FOREIGN KEY (x, y) REFERENCES a (x, y)"
               "  MATCH FULL);"
               "CREATE TABLE u (x int UNIQUE DEFERRABLE)");
    run = load(target, dir);
    assert_says(run, 1, "violate 3 keys");
    assert_says(run, 1, "foreign key simple of table public.b: 2 rows");
    assert_says(run, 1, "foreign key full_match of table public.b: 3 rows");
    assert_says(run, 1,
                "key u_x_key of table public.u: 1 rows are there more "
                "than once, first (5)");
    /* It is no secret the next time either, until they are mended. */
    run = load(target, dir);
    assert_says(run, 1, "violate 3 keys");
    server_sql(target, "SET session_replication_role = replica;"
                       "DELETE FROM b WHERE x <> 1; DELETE FROM u WHERE x = 5");
    run = load(target, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

/* pg_dump --schema-only leaves them empty, others had rows before. */
Test(existing, materialized_views_show_what_was_loaded)
{
    static const char views[] =
        "CREATE TABLE t (i int);"
        "CREATE MATERIALIZED VIEW z_first AS SELECT count(*) AS n FROM t;"
        "CREATE VIEW between AS SELECT n FROM z_first;"
        "CREATE MATERIALIZED VIEW a_second AS SELECT n FROM between;"
        "CREATE MATERIALIZED VIEW never AS SELECT i FROM t WITH NO DATA;";
    static const char counts[] =
        "SELECT concat_ws(' ', (SELECT n FROM z_first), (SELECT n FROM"
        " a_second), (SELECT n FROM mine), (SELECT string_agg(relname, ','"
        " ORDER BY relname) FROM pg_class WHERE NOT relispopulated))";
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, views);
    server_sql(source, "INSERT INTO t VALUES (1), (2), (3);"
                       "REFRESH MATERIALIZED VIEW z_first;"
                       "REFRESH MATERIALIZED VIEW a_second");
    moves_export(source, dir);
    server_sql(target, views);
    server_sql(target, "CREATE MATERIALIZED VIEW mine AS SELECT count(*) AS n"
                       " FROM between, t;"
                       "CREATE MATERIALIZED VIEW mine_never AS SELECT i FROM t"
                       " WITH NO DATA;"
                       "REFRESH MATERIALIZED VIEW a_second WITH NO DATA;");
    run = load(target, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, counts), "3 3 3 mine_never,never");
    cr_assert_str_eq(server_value(target, "SELECT reltuples FROM pg_class"
                                          " WHERE relname = 'a_second'"),
                     "1");

    server_sql(target, "INSERT INTO t VALUES (0)");
    run = moves_pghaul("abort", "--target", target, "--dir", dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = load(target, dir, "--append", "--no-refresh");
    assert_says(run, 0, "view public.mine is not refreshed (--no-refresh)");
    cr_assert_str_eq(server_value(target, counts), "3 3 3 mine_never,never");
}

static const char *
file_of(const char *dir, const char *name, const char *text)
{
    const char *path = moves_path(dir, name);
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

Test(existing, users_sql_is_run_once_whatever_happens)
{
    const char *source, *dir = exported(&source), *tmp = server_tmp_dir();
    const char *target = database_with_schema();
    const char *before = file_of(tmp, "before.sql",
                                 "CREATE TABLE public.mark (x int);"
                                 "INSERT INTO public.mark VALUES (1)");
    const char *bad = file_of(tmp, "bad.sql",
                              "INSERT INTO public.mark VALUES (2); SELECT 1/0");
    const char *good =
        file_of(tmp, "good.sql", "INSERT INTO public.mark VALUES (3)");
    struct server_run run;

    run = load(target, dir, "--before-sql", before, "--after-sql", bad);
    assert_says(run, 3, "division by zero");
    run = load(target, dir, "--before-sql", before, "--after-sql", good);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = load(target, dir, "--before-sql", before, "--after-sql", good);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target,
                                  "SELECT string_agg(x::text, ',' ORDER BY x)"
                                  " FROM mark"),
                     "1,3");
}

Test(existing, killed_at_any_moment_it_goes_on_and_all_is_put_back)
{
    const char *source, *dir = exported(&source);
    unsigned state = moves_seed(), usual;

    usual = moves_duration_us(
        moves_words("load", "--target", database_with_schema(), "--dir", dir,
                    "--into-existing", "--rebuild-indexes"));
    for (unsigned i = 0; i < moves_moments(4); i++) {
        const char *target = database_with_schema(), *before = state_of(target);
        const char *const *command =
            moves_words("load", "--target", target, "--dir", dir,
                        "--into-existing", "--rebuild-indexes");
        struct server_run run;

        moves_kill(command, (unsigned)rand_r(&state) % usual, SIGKILL);
        run = server_run(command);
        cr_assert_eq(run.status, 0, "moment %u: %s", i, run.errors);
        cr_assert_str_eq(state_of(target), before);
        cr_assert_str_eq(server_value(target, "SELECT count(*) FROM audit"),
                         "0");
        assert_same_rows(source, target);
    }
}

Test(existing, abort_puts_back_what_a_load_has_left)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema(), *before = state_of(target);
    const char *bad = file_of(dir, "../bad.sql", "SELECT 1/0");
    struct server_run run;

    /* It ends before the first row, when all is aside already. */
    server_sql(target, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql"
                       " AS $$BEGIN RAISE 'no row today'; END$$;"
                       "CREATE TRIGGER no BEFORE INSERT ON customer"
                       "  EXECUTE FUNCTION no();"
                       "ALTER TABLE customer ADD CHECK (id < 100)");
    before = state_of(target);
    run = load(target, dir, "--rebuild-indexes", "--after-sql", bad);
    cr_assert_eq(run.status, 3, "%s", run.errors);
    cr_assert_str_neq(state_of(target), before);

    run = moves_pghaul("abort", "--dir", dir, "--target", target);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(state_of(target), before);
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_namespace"
                                          " WHERE nspname = 'pghaul'"),
                     "0");
    cr_assert_str_neq(server_value(target, "SELECT count(*) FROM orders"), "0");
    run = moves_pghaul("abort", "--dir", dir, "--target", target);
    cr_assert_not_null(strstr(run.output, "knows nothing"), "%s", run.output);
}

Test(existing, abort_empties_the_tables_when_asked_to)
{
    const char *source, *dir = exported(&source);
    const char *target = database_with_schema(), *before = state_of(target);
    struct server_run run = load(target, dir);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    run =
        moves_pghaul("abort", "--dir", dir, "--target", target, "--drop-data");
    assert_says(run, 6, "--yes");
    run = moves_pghaul("abort", "--dir", dir, "--target", target, "--drop-data",
                       "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, "SELECT (SELECT count(*) FROM orders)"
                                          " + (SELECT count(*) FROM customer)"),
                     "0");
    cr_assert_str_eq(state_of(target), before);
    /* A trigger that fires ALWAYS does so. */
    server_sql(target, "TRUNCATE audit");
    run = load(target, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_same_rows(source, target);
}

/* The target's values have other OIDs, so rows go into other partitions. */
Test(existing, rows_of_one_partition_find_their_place_in_others)
{
    static const char partitioned[] =
        "CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad');"
        "CREATE TABLE p (m mood, i int) PARTITION BY HASH (m);"
        "CREATE TABLE p0 PARTITION OF p"
        "  FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE p1 PARTITION OF p"
        "  FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "CREATE TABLE audit (what text);"
        "CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NULL;"
        " END$$;"
        "CREATE TRIGGER a AFTER INSERT ON p FOR EACH STATEMENT"
        "  EXECUTE FUNCTION trace();"
        "ALTER TABLE p ENABLE ALWAYS TRIGGER a;";
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, partitioned);
    server_sql(source, "INSERT INTO p SELECT (enum_range(NULL::mood))"
                       "[1 + i % 3], i FROM generate_series(1, 3000) i;"
                       "TRUNCATE audit");
    moves_export(source, dir);
    server_sql(target, "CREATE TYPE another AS ENUM ('a', 'b');");
    server_sql(target, partitioned);
    run = load(target, dir, "--truncate", "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_fingerprint(source, "p"),
                     server_fingerprint(target, "p"));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM audit"), "0");
    cr_assert_str_eq(server_value(target, "SELECT tgenabled FROM pg_trigger"
                                          " WHERE tgname = 'a'"),
                     "A");
}

Test(existing, run_begun_the_other_way_is_refused)
{
    const char *source, *dir = exported(&source);
    const char *target = server_database("target");
    struct server_run run;

    moves_load(target, dir);
    run = load(target, dir);
    assert_says(run, 6, "was begun without --into-existing");
}
