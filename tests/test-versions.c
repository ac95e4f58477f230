/* SPDX-License-Identifier: PostgreSQL */

/*
 * What only newer versions have, moved: each thing from the version on that
 * brought it.  ./run matrix runs this from and to other versions.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

static const struct thing {
    int version; /* from this on */
    const char *sql;
} things[] = {
    {13, "CREATE TABLE shop.stored (a int, b int GENERATED ALWAYS AS (a * 2)"
         "  STORED, c text);"
         "INSERT INTO shop.stored (a, c) SELECT i, 'x' || i"
         "  FROM generate_series(1, 1000) AS i"},
    {13, "CREATE TABLE shop.dots (line text);"
         "INSERT INTO shop.dots VALUES ('\\.'), ('.'), (E'\\\\.\\n\\\\.'),"
         "  (''), ('\\N'), (NULL)"},
    {14, "CREATE TABLE shop.multi (r int4multirange, c text COMPRESSION lz4);"
         "INSERT INTO shop.multi VALUES ('{[1,3),[5,9)}',"
         "  repeat('abc', 3000)), ('{}', NULL);"
         "CREATE STATISTICS shop.both ON (length(c)), r FROM shop.multi"},
    {14, "CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql"
         "  BEGIN ATOMIC SELECT 1; END"},
    {15, "CREATE TABLE shop.nulls (a int, b int,"
         "  UNIQUE NULLS NOT DISTINCT (a, b));"
         "INSERT INTO shop.nulls VALUES (NULL, NULL), (1, NULL);"
         "CREATE VIEW shop.invoker WITH (security_invoker = true) AS"
         "  SELECT * FROM shop.nulls"},
    {17, "CREATE TABLE shop.parts (id int GENERATED ALWAYS AS IDENTITY,"
         "  at date) PARTITION BY RANGE (at);"
         "CREATE TABLE shop.part PARTITION OF shop.parts"
         "  FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
         "INSERT INTO shop.parts (at) SELECT '2024-03-01'"
         "  FROM generate_series(1, 9)"},
    {18, "CREATE TABLE shop.virtual (a int, b int GENERATED ALWAYS AS (a + 1)"
         "  VIRTUAL, c int CONSTRAINT c_is_there NOT NULL);"
         "INSERT INTO shop.virtual (a, c) SELECT i, i"
         "  FROM generate_series(1, 1000) AS i"},
    {18, "CREATE TABLE shop.later (a int);"
         "INSERT INTO shop.later VALUES (1), (NULL);"
         "ALTER TABLE shop.later ADD CONSTRAINT a_is_there NOT NULL a"
         "  NOT VALID"},
    {18, "CREATE EXTENSION btree_gist;"
         "CREATE TABLE shop.times (id int, valid daterange,"
         "  PRIMARY KEY (id, valid WITHOUT OVERLAPS));"
         "INSERT INTO shop.times VALUES (1, '[2024-01-01,2024-02-01)'),"
         "  (1, '[2024-02-01,)')"},
    {18, "CREATE TABLE shop.trusting (a int CHECK (a > 0) NOT ENFORCED);"
         "INSERT INTO shop.trusting VALUES (-1)"},
};

static const char *
source_with_all(void)
{
    const char *source = moves_source();

    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (server_version(source) / 10000 >= things[i].version)
            server_sql(source, things[i].sql);
    return source;
}

static void
assert_moved(const char *format)
{
    const char *source = source_with_all();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run =
        moves_pghaul("clone", "--source", source, "--target", target, "--dir",
                     run_dir, "--format", format, "--chunk-size", "1MB");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_verified(target, run_dir);
    moves_assert_equal(source, target);
}

Test(versions, what_is_new_in_each_arrives)
{
    assert_moved("auto");
}

Test(versions, what_is_new_in_each_arrives_as_text)
{
    assert_moved("text");
}

/* The default since 15 is another. */
Test(versions, who_may_create_in_public_stays_who_may)
{
    static const char may[] =
        "SELECT has_schema_privilege('one_of_many', 'public', 'CREATE')";
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    server_sql(source, "CREATE ROLE one_of_many");
    server_sql(target, "CREATE ROLE one_of_many");
    moves_export(source, run_dir);
    moves_load(target, run_dir);
    cr_assert_str_eq(server_value(target, may), server_value(source, may));
}
