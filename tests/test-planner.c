/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"},
        {"crowded", .conf = "max_locks_per_transaction = 10\n"
                            "max_connections = 10\n"
                            "max_wal_senders = 2\n"
                            "max_worker_processes = 1\n"})

#define assert_says moves_assert_says

/* Of all leaves below a partitioned table, in any order: what is where may
   differ, what is there may not. */
static const char *
rows_below(const char *conninfo, const char *root)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text,"
             " 0)::numeric), 0) FROM %s AS t",
             root);
    return server_value(conninfo, sql);
}

/* Export source, load it into a new database, verify. */
static const char *
copy(const char *source, const char **run_dir)
{
    const char *target = server_database("target");

    *run_dir = moves_path(server_tmp_dir(), "run");
    moves_export(source, *run_dir);
    moves_load(target, *run_dir);
    moves_assert_verified(target, *run_dir);
    moves_assert_same_schema(source, target);
    return target;
}

/* ---- partitions whose rows belong elsewhere ---- */

/* OIDs are dealt out of one counter: the labels of the copy have others. */
static const char unsafe[] =
    "CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');"
    "CREATE DOMAIN de AS e; CREATE DOMAIN dde AS de;"
    "CREATE TYPE ce AS (n int, m dde);"
    "CREATE TYPE re AS RANGE (subtype = e);"
    "CREATE FUNCTION nth(int) RETURNS e IMMUTABLE LANGUAGE sql AS"
    "  $$SELECT (enum_range(NULL::public.e))[1 + $1 % 8]$$;"
    /* the root's columns, and a leaf with others before them */
    "CREATE TABLE h (m e, x int, doubled int GENERATED ALWAYS AS (x * 2)"
    "  STORED, y text) PARTITION BY HASH (m);"
    "CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);"
    "CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 1)"
    "  PARTITION BY LIST (x);"
    "CREATE TABLE h10 PARTITION OF h1 FOR VALUES IN (0, 1, 2, 3);"
    "CREATE TABLE h11 PARTITION OF h1 DEFAULT;"
    "CREATE TABLE h2 (gone int, y text, x int, doubled int GENERATED ALWAYS AS"
    "  (x * 2) STORED, m e);"
    "ALTER TABLE h2 DROP gone;"
    "ALTER TABLE h ATTACH PARTITION h2 FOR VALUES"
    "  WITH (MODULUS 3, REMAINDER 2);"
    "CREATE UNIQUE INDEX ON h (m, x);"
    "CREATE INDEX ON h0 (y);"
    "INSERT INTO h (m, x, y) SELECT nth(i), i, 'row ' || i"
    "  FROM generate_series(0, 9999) AS i;"
    /* a safe table above: its leaves need not go through it */
    "CREATE TABLE top (at int, k dde[]) PARTITION BY RANGE (at);"
    "CREATE TABLE top_a PARTITION OF top FOR VALUES FROM (0) TO (100)"
    "  PARTITION BY HASH (k);"
    "CREATE TABLE top_a0 PARTITION OF top_a FOR VALUES"
    "  WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE top_a1 PARTITION OF top_a FOR VALUES"
    "  WITH (MODULUS 2, REMAINDER 1);"
    "CREATE TABLE top_b PARTITION OF top FOR VALUES FROM (100) TO (200);"
    "INSERT INTO top SELECT i, ARRAY[nth(i), NULL, nth(i / 8)]"
    "  FROM generate_series(0, 199) AS i;"
    "CREATE TABLE c (k ce) PARTITION BY HASH (k);"
    "CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "INSERT INTO c SELECT ROW(i % 3, nth(i))::ce"
    "  FROM generate_series(0, 199) AS i;"
    "CREATE TABLE r (k re) PARTITION BY HASH (k);"
    "CREATE TABLE r0 PARTITION OF r FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE r1 PARTITION OF r FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "INSERT INTO r SELECT re(nth(i), NULL) FROM generate_series(0, 199) AS i;"
    "CREATE TABLE x (k int) PARTITION BY HASH (nth(k));"
    "CREATE TABLE x0 PARTITION OF x FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE x1 PARTITION OF x FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "INSERT INTO x SELECT i FROM generate_series(0, 199) AS i;"
    "CREATE TABLE g (k regclass) PARTITION BY HASH (k);"
    "CREATE TABLE g0 PARTITION OF g FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE g1 PARTITION OF g FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "INSERT INTO g VALUES ('h'), ('c'), ('r'), ('x'), ('h0'), ('top');"
    /* and none of these need care */
    "CREATE TABLE s (k int, t text) PARTITION BY HASH (k, t, (k + 1));"
    "CREATE TABLE s0 PARTITION OF s FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE s1 PARTITION OF s FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "CREATE TABLE l (k e) PARTITION BY LIST (k);"
    "CREATE TABLE l0 PARTITION OF l FOR VALUES IN ('a', 'b');"
    "CREATE TABLE l1 PARTITION OF l DEFAULT;"
    "INSERT INTO s SELECT i, 't' || i FROM generate_series(0, 199) AS i;"
    "INSERT INTO l SELECT nth(i) FROM generate_series(0, 199) AS i";

/* What catalog.json says of a table: "" or the name of its root. */
static const char *
root_of(const char *run_dir, const char *table)
{
    char script[512];
    struct server_run run;

    snprintf(script, sizeof script,
             "import json; print([t.get('root_name', '') for t in json.load("
             "open('%s/data/catalog.json'))['tables'] if t['name'] == '%s'][0],"
             " end='')",
             run_dir, table);
    run = server_run((const char *const[]){PYTHON, "-c", script, NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    return run.output;
}

Test(planner, rows_hashed_by_what_depends_on_oids_find_their_partitions)
{
    static const char *const tables[] = {"h", "top", "c", "r", "x",
                                         "g", "s",   "l", NULL};
    const char *source = server_database("source"), *run_dir, *target;

    server_sql(source, unsafe);
    target = copy(source, &run_dir);
    for (int i = 0; tables[i]; i++)
        cr_assert_str_eq(rows_below(target, tables[i]),
                         rows_below(source, tables[i]), "%s", tables[i]);
    /* Else this would prove nothing. */
    cr_assert_str_neq(rows_below(target, "h0"), rows_below(source, "h0"));
    server_sql(target, "INSERT INTO h (m, x) VALUES ('a', 100000)");
}

Test(planner, root_is_the_topmost_table_whose_partitioning_is_unsafe)
{
    static const char *const roots[][2] = {
        {"h0", "h"},         {"h10", "h"},  {"h11", "h"}, {"top_a0", "top_a"},
        {"top_a1", "top_a"}, {"top_b", ""}, {"c0", "c"},  {"r1", "r"},
        {"x0", "x"},         {"g0", "g"},   {"s0", ""},   {"l0", ""},
    };
    const char *source = server_database("source");
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    server_sql(source, unsafe);
    moves_export(source, run_dir);
    for (unsigned i = 0; i < sizeof roots / sizeof *roots; i++)
        cr_assert_str_eq(root_of(run_dir, roots[i][0]), roots[i][1], "%s",
                         roots[i][0]);
}

Test(planner, verify_finds_what_differs_below_a_root)
{
    static const char *const damage[] = {
        "DELETE FROM h WHERE x = 77",
        "UPDATE h SET y = 'other' WHERE x = 77",
        "CREATE TABLE h3 (LIKE h1 INCLUDING GENERATED); DROP TABLE h1;"
        "ALTER TABLE h ATTACH PARTITION h3 FOR VALUES"
        " WITH (MODULUS 3, REMAINDER 1)",
    };
    const char *source = server_database("source"), *run_dir, *target;
    struct server_run run;

    server_sql(source, unsafe);
    for (unsigned i = 0; i < sizeof damage / sizeof *damage; i++) {
        target = copy(source, &run_dir);
        server_sql(target, damage[i]);
        run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
        assert_says(run, 1, "public.h: ");
    }
}

Test(planner, partitions_that_rows_must_not_move_between_are_named)
{
    const char *source = server_database("source");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, "CREATE TYPE e AS ENUM ('a', 'b', 'c', 'd');"
                       "CREATE TABLE h (m e) PARTITION BY HASH (m);"
                       "CREATE TABLE h0 PARTITION OF h FOR VALUES"
                       "  WITH (MODULUS 2, REMAINDER 0);"
                       "CREATE UNLOGGED TABLE h1 PARTITION OF h FOR VALUES"
                       "  WITH (MODULUS 2, REMAINDER 1);");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    assert_says(run, 1, "not copied: partition public.h0");
    assert_says(run, 1, "not copied: partition public.h1");
}

Test(planner, row_that_the_target_sorts_elsewhere_is_said_to_be)
{
    const char *source = server_database("source"), *target;
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    if (atoi(server_value(source, "SHOW server_version_num")) < 150000)
        cr_skip_test("databases have no ICU locale before 15");
    server_sql(source, "CREATE TABLE t (k text) PARTITION BY RANGE (k);"
                       "CREATE TABLE t0 PARTITION OF t FOR VALUES"
                       "  FROM (MINVALUE) TO ('a');"
                       "CREATE TABLE t1 PARTITION OF t DEFAULT;"
                       "INSERT INTO t VALUES ('B'), ('c')");
    target = server_database_with(
        "target", "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'");
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 3, "violates partition constraint");
    assert_says(run, 3, "must sort them as the source does");
}

/* ---- key ranges ---- */

/* Tables of an access method of whose blocks nothing is known: 10,000 rows of
   about 320 bytes each, which is some chunks of 1 MB. */
struct keyed {
    const char *name;
    const char *column;    /* k */
    const char *value;     /* of row i */
    int at_least, at_most; /* chunks */
};

static const struct keyed keyed[] = {
    {"k_int", "int PRIMARY KEY", "i - 5000", 3, 5},
    {"k_small", "int2 UNIQUE", "i - 5000", 3, 5},
    {"k_null", "int8 UNIQUE", "CASE WHEN i % 3 > 0 THEN i END", 3, 5},
    {"k_nulls", "int UNIQUE", "NULL", 1, 1},
    {"k_one", "int, i int, PRIMARY KEY (k, i)", "7, i", 2, 2},
    {"k_skew", "int PRIMARY KEY", "CASE i WHEN 1 THEN -2000000000 ELSE i END",
     3, 5},
    {"k_ends", "int8 UNIQUE",
     "CASE i WHEN 1 THEN -9223372036854775808"
     " WHEN 2 THEN 9223372036854775807 ELSE i END",
     3, 5},
    {"k_numeric", "numeric UNIQUE",
     "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN 1e100 WHEN 3 THEN -1e100"
     " WHEN 4 THEN NULL ELSE i / 7.0 END",
     3, 5},
    {"k_date", "date UNIQUE",
     "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity'"
     " WHEN 3 THEN '4713-01-01 BC' WHEN 4 THEN '5874897-12-31'"
     " ELSE date '2000-01-01' + i END",
     3, 5},
    {"k_time", "timestamptz UNIQUE",
     "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity'"
     " WHEN 3 THEN '4713-01-01 BC' WHEN 4 THEN '294276-12-31' WHEN 5 THEN NULL"
     " ELSE timestamptz '2000-01-01' + i * interval '0.7 s' END",
     3, 5},
    {"k_plain_time", "timestamp PRIMARY KEY",
     "timestamp '1900-01-01' + i * interval '1 day'", 3, 5},
    {"k_oid", "oid UNIQUE", "CASE i WHEN 1 THEN 4294967295 ELSE i END", 3, 5},
    {"k_text", "text PRIMARY KEY", "i", 1, 1},
    {"k_none", "int", "i", 1, 1},
    {"k_some", "int, EXCLUDE (k WITH =)", "i", 1, 1},
    {"k'odd\"", "int PRIMARY KEY", "i", 3, 5},
    {"k_parent", "int PRIMARY KEY", "i", 3, 5},
};

enum { N_KEYED = sizeof keyed / sizeof *keyed };

static const char *
quoted(const char *name)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT quote_ident($$%s$$)", name);
    return server_value(server_conninfo("source"), sql);
}

static void
make_keyed(const char *source)
{
    char sql[1024];

    server_sql(source, "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER"
                       "  heap_tableam_handler");
    for (int i = 0; i < N_KEYED; i++) {
        const char *name = quoted(keyed[i].name);

        snprintf(sql, sizeof sql,
                 "CREATE TABLE %s (k %s) USING heap2; ALTER TABLE %s ADD pad"
                 " text; INSERT INTO %s SELECT %s, repeat(md5(i::text), 10)"
                 " FROM generate_series(1, 10000) AS i",
                 name, keyed[i].column, name, name, keyed[i].value);
        server_sql(source, sql);
    }
    server_sql(source,
               "CREATE UNIQUE INDEX ON k_some (k) WHERE k > 5000;"
               "CREATE UNIQUE INDEX ON k_some ((k + 1));"
               "CREATE TABLE k_child (UNIQUE (k)) INHERITS (k_parent) USING"
               "  heap2;"
               "INSERT INTO k_child SELECT * FROM ONLY k_parent;"
               "CREATE TABLE k_empty (k int PRIMARY KEY, v text) USING heap2;"
               "INSERT INTO k_empty SELECT k, pad FROM ONLY k_parent;"
               "DELETE FROM k_empty");
}

static int
n_chunks(const char *run_dir, const char *table)
{
    char script[512];
    struct server_run run;

    snprintf(script, sizeof script,
             "import json, sys; print([len(t['chunks']) for t in json.load("
             "open('%s/data/catalog.json'))['tables']"
             " if t['name'] == sys.argv[1]][0])",
             run_dir);
    run = server_run((const char *const[]){PYTHON, "-c", script, table, NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    return atoi(run.output);
}

Test(planner, key_ranges_hold_every_row_once)
{
    const char *source = server_database("source"), *run_dir, *target;

    make_keyed(source);
    target = copy(source, &run_dir);
    for (int i = 0; i < N_KEYED; i++) {
        const char *name = quoted(keyed[i].name);
        int n = n_chunks(run_dir, keyed[i].name);

        cr_assert(n >= keyed[i].at_least && n <= keyed[i].at_most,
                  "%s has %d chunks", name, n);
        cr_assert_str_eq(server_fingerprint(target, name),
                         server_fingerprint(source, name), "%s", name);
    }
    cr_assert_str_eq(server_fingerprint(target, "k_child"),
                     server_fingerprint(source, "k_child"));
    cr_assert_eq(n_chunks(run_dir, "k_empty"), 1);
}

Test(planner, values_beside_the_table_weigh_too)
{
    const char *source = server_database("source"), *run_dir, *target;

    server_sql(source, "CREATE TABLE wide (id int, v text);"
                       "ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;"
                       "INSERT INTO wide SELECT i, repeat(md5(i::text), 320)"
                       "  FROM generate_series(1, 1000) AS i");
    target = copy(source, &run_dir);
    cr_assert_geq(n_chunks(run_dir, "wide"), 5);
    cr_assert_str_eq(server_fingerprint(target, "wide"),
                     server_fingerprint(source, "wide"));
}

/* ---- extensions ---- */

/*
 * What an extension with tables of its own leaves in a database.  None that
 * has them is at hand everywhere, so one that is gets some; the target has
 * them from its template, as CREATE EXTENSION would make them.
 */
static const char extension[] =
    "CREATE EXTENSION citext;"
    "CREATE SCHEMA conf;"
    "CREATE SEQUENCE conf.numbers;"
    "CREATE TABLE conf.rules (id int PRIMARY KEY, own bool NOT NULL, v text);"
    "CREATE TABLE conf.uses (rule int REFERENCES conf.rules);"
    "CREATE TABLE conf.cache (v int);"
    "CREATE FUNCTION conf.stop() RETURNS trigger LANGUAGE plpgsql AS"
    "  $$BEGIN RAISE 'a trigger was fired'; END$$;"
    "INSERT INTO conf.rules VALUES (1, true, 'one'), (2, true, 'two');"
    "INSERT INTO conf.cache VALUES (0);"
    "CREATE TRIGGER stop BEFORE INSERT ON conf.rules FOR EACH ROW"
    "  WHEN (NOT NEW.own) EXECUTE FUNCTION conf.stop();"
    "ALTER EXTENSION citext ADD SCHEMA conf;"
    "ALTER EXTENSION citext ADD FUNCTION conf.stop();"
    "ALTER EXTENSION citext ADD SEQUENCE conf.numbers;"
    "ALTER EXTENSION citext ADD TABLE conf.rules;"
    "ALTER EXTENSION citext ADD TABLE conf.uses;"
    "ALTER EXTENSION citext ADD TABLE conf.cache;"
    "UPDATE pg_extension SET extconfig = ARRAY["
    "   'conf.uses'::regclass, 'conf.rules'::regclass,"
    "   'conf.numbers'::regclass],"
    "  extcondition = ARRAY['', E' \n where NOT own -- the user''s', '']"
    "  WHERE extname = 'citext';";

static const char *
database_with_extension(void)
{
    const char *made = server_database("target");
    char words[128];

    server_sql(made, extension);
    snprintf(words, sizeof words, "TEMPLATE %s",
             server_value(made, "SELECT quote_ident(current_database())"));
    return server_database_with("target", words);
}

Test(planner, rows_that_configure_an_extension_are_copied_and_no_others)
{
    const char *source = server_database("source");
    const char *target = database_with_extension();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, extension);
    server_sql(source,
               "ALTER TABLE conf.rules DISABLE TRIGGER stop;"
               "INSERT INTO conf.rules SELECT i, false, 'user''s ' || i"
               "  FROM generate_series(10, 20) AS i;"
               "ALTER TABLE conf.rules ENABLE TRIGGER stop;"
               "INSERT INTO conf.uses SELECT i FROM generate_series(10, 20)"
               "  AS i; INSERT INTO conf.uses VALUES (NULL), (1);"
               "UPDATE conf.rules SET v = 'changed' WHERE id = 1;"
               "UPDATE conf.cache SET v = 1;"
               "SELECT setval('conf.numbers', 77)");
    moves_export(source, run_dir);
    run = moves_pghaul("check", "--source", source, "--target", target);
    cr_assert_null(strstr(run.output, "relations are there"), "%s", run.output);
    moves_load(target, run_dir);
    moves_assert_verified(target, run_dir);

    cr_assert_str_eq(server_value(target, "SELECT string_agg(v, ',' ORDER BY"
                                          " id) FROM conf.rules WHERE own"),
                     "one,two");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM conf.rules"
                                          " WHERE NOT own"),
                     "11");
    cr_assert_str_eq(server_fingerprint(target, "conf.uses"),
                     server_fingerprint(source, "conf.uses"));
    cr_assert_str_eq(server_value(target, "SELECT v FROM conf.cache"), "0");
    cr_assert_str_eq(server_value(target, "SELECT nextval('conf.numbers')"),
                     "78");

    server_sql(target, "UPDATE conf.rules SET v = '' WHERE id = 15");
    run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
    assert_says(run, 1, "conf.rules: ");
}

Test(planner, tables_that_configure_an_extension_are_locked_too)
{
    const char *source = server_database("source");
    struct server_run run;
    PGconn *other;

    server_sql(source, extension);
    other = PQconnectdb(source);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE conf.rules"));
    run = moves_pghaul("check", "--source", source);
    cr_assert_eq(run.status, 6);
    cr_assert_not_null(strstr(run.output, "conf.rules is locked by pid"), "%s",
                       run.output);
    PQfinish(other);
}

/* ---- many tables ---- */

Test(planner, full_lock_table_is_said_with_the_setting_that_would_do)
{
    const char *source = server_database("crowded");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, "CREATE PROCEDURE make(n int) LANGUAGE plpgsql AS"
                       "  $$BEGIN FOR i IN 1..n LOOP"
                       "    EXECUTE format('CREATE TABLE t%s ()', i); COMMIT;"
                       "  END LOOP; END$$");
    server_sql(source, "CALL make(2000)");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    assert_says(run, 6, "the lock table of the source is full");
    assert_says(run, 6, "there are 2000, and max_locks_per_transaction is 10");
    assert_says(run, 6, "Set max_locks_per_transaction = 400");
}
