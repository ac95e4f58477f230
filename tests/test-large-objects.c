/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define run_program(...) server_run((const char *const[]){__VA_ARGS__, NULL})

#define assert_says moves_assert_says

/* Thousands of small ones of 0 to 4 kB; one whose end alone was written; one
   of 12 MB; ones of exactly one piece, and of one byte more. */
static const char make_objects[] =
    "SELECT lo_from_bytea(20000 + i, decode(repeat(md5(i::text), i % 256),"
    "  'hex')) FROM generate_series(1, 3000) AS i;"
    "SELECT lo_create(500), lo_create(4294967295);"
    "SELECT lo_put(500, 9000000, 'the end');"
    "SELECT lo_put(4294967295, i * 1048576::int8,"
    "  decode(repeat(md5(i::text), 65536), 'hex'))"
    "  FROM generate_series(0, 11) AS i;"
    "SELECT lo_from_bytea(600, decode(repeat('ab', 262144), 'hex')),"
    "  lo_from_bytea(601, decode(repeat('cd', 262145), 'hex')),"
    "  lo_from_bytea(602, decode(repeat('00', 600000), 'hex')),"
    "  lo_from_bytea(603, decode(repeat('00', 524288), 'hex'));"
    "COMMENT ON LARGE OBJECT 600 IS E'it''s \\\\ one\nline; --';"
    "REVOKE ALL ON LARGE OBJECT 601 FROM CURRENT_USER;"
    "GRANT SELECT ON LARGE OBJECT 602 TO PUBLIC;";

static const char contents[] =
    "SELECT count(*) || ' ' || md5(string_agg(oid || md5(lo_get(oid)), ','"
    "  ORDER BY oid)) FROM pg_largeobject_metadata";

static const char belongings[] =
    "SELECT string_agg(format('%s %s %s %s', oid, lomowner::regrole, lomacl,"
    "  obj_description(oid, 'pg_largeobject')), ',' ORDER BY oid)"
    " FROM pg_largeobject_metadata";

static const char *
new_run_dir(void)
{
    return moves_path(server_tmp_dir(), "run");
}

static void
assert_same_objects(const char *source, const char *target)
{
    cr_assert_str_eq(server_value(target, contents),
                     server_value(source, contents));
    cr_assert_str_eq(server_value(target, belongings),
                     server_value(source, belongings));
}

static const char *
source_with_objects(void)
{
    const char *source = server_database("source");

    server_sql(source, make_objects);
    return source;
}

Test(large_objects, arrive_with_what_belongs_to_them)
{
    const char *source = source_with_objects();
    const char *target = server_database("target"), *run_dir = new_run_dir();

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    assert_same_objects(source, target);
    moves_assert_verified(target, run_dir);
}

Test(large_objects, holes_stay_holes)
{
    const char *source = server_database("source");
    const char *target = server_database("target"), *run_dir = new_run_dir();

    server_sql(source, "SELECT lo_create(1);"
                       "SELECT lo_put(1, 500000000, 'x');");
    moves_export(source, run_dir);
    moves_load(target, run_dir);
    cr_assert_str_eq(server_value(target, "SELECT lo_get(1, 500000000, 9)"),
                     "\\x78");
    cr_assert_str_eq(
        server_value(target,
                     "SELECT pg_relation_size('pg_largeobject') < 1000000"),
        "t");
    moves_assert_verified(target, run_dir);
}

/* ---- killed ---- */

static void
kill_a_few(const char *const argv[], unsigned whole_us, unsigned *seed)
{
    for (int i = 0; i < 3; i++)
        moves_kill(argv, rand_r(seed) % whole_us, SIGKILL);
}

Test(large_objects, killed_at_any_moment_all_arrive_once)
{
    const char *source = source_with_objects();
    const char *target = server_database("target"), *run_dir = new_run_dir();
    const char *const *export =
        moves_words("export", "--source", source, "--dir", run_dir,
                    "--chunk-size", "1MB", "--jobs", "2", "--quiet");
    const char *const *load = moves_words("load", "--target", target, "--dir",
                                          run_dir, "--jobs", "2", "--quiet");
    unsigned seed = moves_seed();

    kill_a_few(export, 1500 * 1000, &seed);
    moves_export(source, run_dir);
    kill_a_few(load, 2500 * 1000, &seed);
    moves_load(target, run_dir);
    assert_same_objects(source, target);
    moves_assert_verified(target, run_dir);
}

/* ---- verified ---- */

static const struct damage {
    const char *sql;
    const char *words;
} damages[] = {
    {"SELECT lo_put(20007, 50, 'x')", "but not the same"},
    {"SELECT lo_unlink(20009)", "in the bag"},
    {"SELECT lo_create(77)", "in the target"},
    {"SELECT lo_put(20255, 4080, 'x')", "but not the same"},
};

Test(large_objects, verify_finds_a_byte_a_missing_and_an_extra_one)
{
    const char *source = source_with_objects();
    const char *target = server_database("target"), *run_dir = new_run_dir();

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    for (unsigned i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[256];
        struct server_run run;

        snprintf(sql, sizeof sql,
                 "CREATE MATERIALIZED VIEW kept AS SELECT lo_get(20007) AS a,"
                 " lo_get(20009) AS b, lo_get(20255) AS c; %s",
                 damages[i].sql);
        server_sql(target, sql);
        run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
        assert_says(run, 1, damages[i].words);
        server_sql(
            target,
            "SELECT lo_unlink(oid) FROM pg_largeobject_metadata"
            "  WHERE oid IN (77, 20007, 20009, 20255);"
            "SELECT lo_from_bytea(20007, a), lo_from_bytea(20009, b),"
            "  lo_from_bytea(20255, c) FROM kept; DROP MATERIALIZED VIEW kept");
        moves_assert_verified(target, run_dir);
    }
}

/* ---- refused ---- */

Test(large_objects, target_that_has_some_is_refused)
{
    const char *source = source_with_objects();
    const char *target = server_database("target"), *run_dir = new_run_dir();
    struct server_run run;

    moves_export(source, run_dir);
    server_sql(target, "SELECT lo_from_bytea(600, 'mine')");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 6, "It holds large objects, 600 first.");
}

Test(large_objects, one_of_that_number_is_not_overwritten)
{
    const char *source = source_with_objects();
    const char *target = server_database("target"), *run_dir = new_run_dir();
    struct server_run run;

    server_sql(source, "CREATE ROLE absent; CREATE TABLE t (a int);"
                       "ALTER TABLE t OWNER TO absent");
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 3, "role \"absent\" does not exist");
    server_sql(target, "CREATE ROLE absent;"
                       "SELECT lo_from_bytea(600, 'mine')");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 6, "large object 600 exists in the target already");
    cr_assert_str_eq(
        server_value(target, "SELECT convert_from(lo_get(600), 'UTF8')"),
        "mine");

    server_sql(target, "SELECT lo_unlink(600)");
    moves_load(target, run_dir);
    assert_same_objects(source, target);
    server_sql(source, "DROP TABLE t; DROP ROLE absent");
    server_sql(target, "DROP TABLE t; DROP ROLE absent");
}

Test(large_objects, role_that_is_missing_is_named_with_the_object)
{
    const char *source = server_database("source");
    const char *target = server_database("target"), *run_dir = new_run_dir();
    const char *other = server_database("target");
    struct server_run run;

    server_sql(source, "CREATE ROLE \"o\"\"dd; \\ role\";"
                       "SELECT lo_from_bytea(i, 'x')"
                       "  FROM generate_series(1, 500) AS i;"
                       "ALTER LARGE OBJECT 321 OWNER TO \"o\"\"dd; \\ role\"");
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 3, "It belongs to large object 321.");
    cr_assert_not_null(strstr(run.errors, "--no-owner"), "%s", run.errors);
    run = moves_pghaul("load", "--target", other, "--dir", run_dir,
                       "--no-owner", "--no-acl");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(other, contents),
                     server_value(source, contents));

    server_sql(target, "CREATE ROLE \"o\"\"dd; \\ role\"");
    moves_load(target, run_dir);
    assert_same_objects(source, target);
}

Test(large_objects, who_may_not_read_one_is_told_which)
{
    const char *source = server_database("source"), *run_dir = new_run_dir();
    const char *target = server_database("target");
    struct server_run run;
    char *as_reader;

    server_sql(source, "CREATE ROLE reader LOGIN;"
                       "SELECT lo_from_bytea(1, 'a'), lo_from_bytea(2, 'b');"
                       "GRANT SELECT ON LARGE OBJECT 1 TO reader");
    cr_assert_gt(asprintf(&as_reader, "%s user=reader", source), 0);
    run = moves_pghaul("check", "--source", as_reader);
    cr_assert_not_null(strstr(run.output, "1 of 2 cannot be read, 2 first"),
                       "%s%s", run.output, run.errors);
    run = moves_pghaul("export", "--source", as_reader, "--dir", run_dir);
    assert_says(run, 3, "permission denied for large object 2");

    server_sql(source, "GRANT SELECT ON LARGE OBJECT 2 TO reader");
    run = moves_pghaul("check", "--source", as_reader);
    cr_assert_not_null(strstr(run.output, "2, all can be read"), "%s",
                       run.output);
    moves_export(as_reader, run_dir);
    run =
        moves_pghaul("load", "--target", target, "--dir", run_dir, "--no-acl");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, contents),
                     server_value(source, contents));
    free(as_reader);
}

/* ---- by hand ---- */

/* What README.txt says, with psql and lz4 alone. */
static const char by_hand[] =
    "CREATE TEMP TABLE lo (loid oid, \"offset\" int8, data bytea);"
    "\n\\copy lo FROM PROGRAM 'lz4 -dc %s/data/large-objects/1.copy.lz4'"
    " (FORMAT binary)\n"
    "SELECT lo_create(loid) FROM lo WHERE \"offset\" = 0;"
    "SELECT count(lo_put(loid, \"offset\", data)) FROM lo;"
    "CREATE TEMP TABLE meta (loid oid, what text, statement text);"
    "\n\\copy meta FROM PROGRAM"
    " 'lz4 -dc %s/data/large-objects/2-metadata.copy.lz4' (FORMAT binary)\n"
    "SELECT statement FROM meta ORDER BY loid \\gexec\n";

Test(large_objects, psql_restores_them_by_hand)
{
    const char *source = source_with_objects(), *run_dir = new_run_dir();
    const char *target = server_database("target");
    const char *script = moves_path(server_tmp_dir(), "by-hand.sql");
    struct server_run run;
    FILE *f = fopen(script, "w");

    fprintf(f, by_hand, run_dir, run_dir);
    fclose(f);
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = run_program(moves_path(server_bin_dir(), "psql"), "-X", "-q", "-v",
                      "ON_ERROR_STOP=1", "-d", target, "-f", script);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_same_objects(source, target);
}
