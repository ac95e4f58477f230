/* SPDX-License-Identifier: PostgreSQL */
#include "tests/moves.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"

static const char shop[] =
    "CREATE SCHEMA shop;"
    "CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent');"
    "CREATE DOMAIN shop.price AS numeric(10, 2) CHECK (VALUE >= 0);"
    "CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY"
    "  PRIMARY KEY, name text NOT NULL, born date, note text COLLATE \"C\");"
    "CREATE TABLE shop.orders (id serial PRIMARY KEY,"
    "  customer bigint NOT NULL REFERENCES shop.customers DEFERRABLE,"
    "  state shop.state NOT NULL, amount shop.price, at timestamptz,"
    "  key uuid UNIQUE, details jsonb, tags text[], label bytea,"
    "  doubled numeric GENERATED ALWAYS AS (amount * 2) STORED);"
    "CREATE TABLE shop.odd (\"we ird\"\"col\" int PRIMARY KEY, tid tid,"
    "  doc xml, words tsvector);"
    "CREATE TABLE shop.log (at date NOT NULL, line text)"
    "  PARTITION BY RANGE (at);"
    "CREATE TABLE shop.log_1 PARTITION OF shop.log"
    "  FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');"
    "CREATE TABLE shop.log_2 PARTITION OF shop.log"
    "  FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');"
    "CREATE INDEX ON shop.log (at);"
    "CREATE TABLE shop.nothing ();"
    "CREATE TABLE shop.empty (a int PRIMARY KEY);"
    "CREATE VIEW shop.sent AS SELECT * FROM shop.orders WHERE state = 'sent';"
    "CREATE MATERIALIZED VIEW shop.totals AS"
    "  SELECT customer, sum(amount) FROM shop.orders GROUP BY 1;"
    "CREATE INDEX orders_at ON shop.orders (at) WHERE state = 'new';"
    "CREATE FUNCTION shop.stop() RETURNS trigger LANGUAGE plpgsql AS"
    "  $$ BEGIN RAISE EXCEPTION 'a trigger was fired'; END $$;"
    "INSERT INTO shop.customers (name, born, note) SELECT 'customer ' || i,"
    "  date '1950-01-01' + i, CASE WHEN i % 3 = 0 THEN E'a\\tb\\nc\\\\d' END"
    "  FROM generate_series(1, 10000) AS i;"
    "INSERT INTO shop.orders (customer, state, amount, at, key, details, tags,"
    "  label) SELECT 1 + i % 10000, 'new', i * 0.37,"
    "  CASE WHEN i % 100 = 0 THEN 'infinity' ELSE"
    "   timestamptz '2024-02-29 12:00Z' + i * interval '7.3 s' END,"
    "  md5(i::text)::uuid, jsonb_build_object('n', i, 'to', 'ü'),"
    "  ARRAY['x', NULL, i::text], decode(md5(i::text), 'hex')"
    "  FROM generate_series(1, 20000) AS i;"
    "UPDATE shop.orders SET state = 'sent' WHERE id % 7 = 0;"
    "INSERT INTO shop.odd SELECT i, format('(%s,1)', i)::tid,"
    "  '<a>text</a>', to_tsvector('simple', 'word ' || i)"
    "  FROM generate_series(1, 3000) AS i;"
    "INSERT INTO shop.log SELECT date '2024-01-01' + i % 366, 'line ' || i"
    "  FROM generate_series(1, 7000) AS i;"
    "INSERT INTO shop.nothing SELECT FROM generate_series(1, 11);"
    "CREATE TRIGGER stop BEFORE INSERT ON shop.orders FOR EACH ROW"
    "  EXECUTE FUNCTION shop.stop();"
    "REFRESH MATERIALIZED VIEW shop.totals;"
    "SELECT setval('shop.orders_id_seq', 30000, false);";

/* Filled once a program: to copy files is cheaper. */
const char *
moves_source(void)
{
    const char *server = server_conninfo("source");
    static const char is_there[] =
        "SELECT datname FROM pg_database WHERE datname = 'shop'";

    if (!server_value(server, is_there)) {
        server_sql(server, "CREATE DATABASE filling");
        server_sql(server_conninfo_of("source", "filling"), shop);
        server_sql(server, "ALTER DATABASE filling RENAME TO shop");
    }
    return server_database_with("source", "TEMPLATE shop");
}

void
moves_export(const char *source, const char *dir)
{
    struct server_run run =
        moves_pghaul("export", "--source", source, "--dir", dir, "--chunk-size",
                     "1MB", "--jobs", "2", "--quiet");

    cr_assert_eq(run.status, 0, "export: %s", run.errors);
}

void
moves_load(const char *target, const char *dir)
{
    struct server_run run = moves_pghaul("load", "--target", target, "--dir",
                                         dir, "--jobs", "2", "--quiet");

    cr_assert_eq(run.status, 0, "load: %s", run.errors);
}

unsigned
moves_moments(unsigned few)
{
    const char *asked = getenv("PGHAUL_MOMENTS");

    return asked && atoi(asked) > 0 ? (unsigned)atoi(asked) : few;
}

unsigned
moves_seed(void)
{
    const char *given = getenv("PGHAUL_SEED");
    unsigned n = given ? (unsigned)atoi(given) : (unsigned)time(NULL);

    fprintf(stderr, "# PGHAUL_SEED=%u\n", n);
    return n;
}

struct server_run
moves_kill(const char *const argv[], unsigned after_us, int signal)
{
    struct server_program p = server_program_start(argv);

    usleep(after_us);
    kill(p.pid, signal);
    return server_program_wait(&p);
}

unsigned
moves_duration_us(const char *const argv[])
{
    uint64_t begun = clock_ns();
    struct server_run run = server_run(argv);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    return (unsigned)((clock_ns() - begun) / 1000);
}

/* ---- judges ---- */

void
moves_assert_verified(const char *target, const char *dir)
{
    struct server_run run =
        moves_pghaul("verify", "--target", target, "--dir", dir);

    cr_assert_eq(run.status, 0, "verify: %s", run.errors);
}

/* A view's text is not the same in all versions: what the schema is when
   pg_dump and psql bring it there. */
static const char *
reference_of(const char *source, const char *target)
{
    const char *reference = source;
    struct server_run run;

    if (server_version(source) / 10000 == server_version(target) / 10000)
        return source;
    reference = server_database("target");
    run = server_run((const char *const[]){
        "sh", "-c",
        "\"$0/pg_dump\" --schema-only --exclude-schema=pghaul -d \"$1\" |"
        " \"$0/psql\" -qX -v ON_ERROR_STOP=1 -o /dev/null -d \"$2\"",
        server_bin_dir(), source, reference, NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    return reference;
}

static char *
schema_of(const char *conninfo)
{
    char *pg_dump, *clean, *line, *at;
    struct server_run run;

    cr_assert_gt(asprintf(&pg_dump, "%s/pg_dump", server_bin_dir()), 0);
    run = server_run((const char *const[]){pg_dump, "--schema-only",
                                           "--exclude-schema=pghaul", "-d",
                                           conninfo, NULL});
    free(pg_dump);
    cr_assert_eq(run.status, 0, "%s", run.errors);

    /* The key of \restrict is random; versions may differ. */
    clean = calloc(1, strlen(run.output) + 1);
    for (at = run.output; (line = strsep(&at, "\n"));)
        if (line[0] != '\\' && strncmp(line, "-- Dumped", 9) != 0)
            strcat(strcat(clean, line), "\n");
    return clean;
}

void
moves_assert_same_schema(const char *source, const char *target)
{
    char *a = schema_of(reference_of(source, target));
    char *b = schema_of(target);

    cr_assert_str_eq(b, a);
    free(a);
    free(b);
}

void
moves_assert_same_tables(const char *source, const char *target)
{
    static const char shops[] = "relkind IN ('r', 'm')"
                                " AND relnamespace = 'shop'::regnamespace";

    cr_assert_str_eq(server_fingerprints(target, shops),
                     server_fingerprints(source, shops));
}

void
moves_assert_equal(const char *source, const char *target)
{
    static const char sequences[] =
        "SELECT string_agg(format('%s %s %s', sequencename, last_value,"
        " increment_by), ',' ORDER BY sequencename) FROM pg_sequences";

    moves_assert_same_schema(source, target);
    moves_assert_same_tables(source, target);
    cr_assert_str_eq(server_value(target, sequences),
                     server_value(source, sequences));
    cr_assert_str_eq(
        server_value(target, "SELECT nextval('shop.orders_id_seq')"),
        server_value(source, "SELECT nextval('shop.orders_id_seq')"));
}

void
moves_wait_until(const char *conninfo, const char *sql)
{
    server_await(conninfo, sql);
}

void
moves_wait_until_staged(const char *run_dir)
{
    const char *pattern = moves_path(run_dir, "data/tables/*/*.lz4{,.age}");
    uint64_t deadline = clock_ms() + 120000;
    glob_t found;
    int r;

    while ((r = glob(pattern, GLOB_BRACE, NULL, &found)) != 0) {
        cr_assert_eq(r, GLOB_NOMATCH);
        cr_assert_lt(clock_ms(), deadline, "nothing is staged");
        usleep(1000);
    }
    globfree(&found);
}

const char *
moves_path(const char *dir, const char *name)
{
    char *path;

    cr_assert_gt(asprintf(&path, "%s/%s", dir, name), 0);
    return path;
}
