/* SPDX-License-Identifier: PostgreSQL */

/*
 * Settings of roles and databases that would change what a value looks like,
 * which rows are seen, or how long one may take: what is staged is the same,
 * byte for byte, and what is loaded is right.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

/* name, value, the first version that has it */
static const struct {
    const char *name, *value;
    int version;
} settings[] = {
    {"datestyle", "'SQL, DMY'", 0},
    {"intervalstyle", "'sql_standard'", 0},
    {"extra_float_digits", "-15", 0},
    {"bytea_output", "'escape'", 0},
    {"timezone", "'Asia/Kathmandu'", 0},
    {"lc_monetary", "'C.UTF-8'", 0},
    {"lc_numeric", "'C.UTF-8'", 0},
    {"search_path", "'evil, pg_catalog'", 0},
    {"client_encoding", "'LATIN1'", 0},
    {"row_security", "on", 0},
    {"statement_timeout", "'500ms'", 0},
    {"lock_timeout", "'500ms'", 0},
    {"idle_in_transaction_session_timeout", "'50ms'", 0},
    {"idle_session_timeout", "'5s'", 140000},
    {"transaction_timeout", "'50ms'", 170000},
    {"default_transaction_read_only", "on", 0},
    {"default_transaction_isolation", "serializable", 0},
    {"default_transaction_deferrable", "on", 0},
    {"synchronize_seqscans", "on", 0},
    {"quote_all_identifiers", "on", 0},
    {"standard_conforming_strings", "off", 0},
    {"escape_string_warning", "on", 0},
    {"backslash_quote", "off", 0},
    {"array_nulls", "off", 0},
    {"transform_null_equals", "on", 0},
    {"xmloption", "document", 0},
    {"xmlbinary", "hex", 0},
    {"default_tablespace", "'none_such'", 0},
    {"default_toast_compression", "lz4", 140000},
    {"check_function_bodies", "on", 0},
    {"session_replication_role", "origin", 0},
    {"enable_seqscan", "off", 0},
    {"enable_tidscan", "off", 0},
    {"client_min_messages", "debug1", 0},
    {"log_statement", "'all'", 0},
    {"log_min_duration_statement", "0", 0},
    {"application_name", "'mine'", 0},
    {"password_encryption", "'md5'", 0},
    {"work_mem", "64", 0},

};

static const char tables[] =
    "CREATE SCHEMA shop; CREATE SCHEMA evil;"
    "CREATE FUNCTION evil.\"=\"(int, int) RETURNS bool LANGUAGE sql"
    "  AS 'SELECT false';"
    "CREATE FUNCTION evil.format_type(oid, int) RETURNS text LANGUAGE sql"
    "  AS 'SELECT ''evil''::text';"
    "CREATE TABLE shop.t (id int PRIMARY KEY, d date, ts timestamptz,"
    "  i interval, f float8, r real, m money, b bytea, x xml, a text[], t text,"
    "  c regclass);"
    "INSERT INTO shop.t SELECT i, date '2001-02-03' + i,"
    "  timestamptz '2001-02-03 04:05:06.789Z' + i * interval '1 h',"
    "  i * interval '1 mon -1 day 01:02:03.4', 1.0::float8 / i, 1.0::real / i,"
    "  i * 1.01::numeric::money, decode(md5(i::text), 'hex'), ('<a>'"
    "  || i || '</a><b/>')::xml, ARRAY['x', NULL, E'\\\\'], E'back\\\\slash "
    "ü', 'shop.t'"
    "  FROM generate_series(1, 3000) AS i;"
    "CREATE TABLE shop.s (id serial, j json DEFAULT '{\"a\" : 1}',"
    "  d date DEFAULT '2001-02-03' CHECK (d > '1999-12-31'));"
    "INSERT INTO shop.s (id) SELECT i FROM generate_series(1, 100) AS i;";

/* The role has all of them, and so has the database. */
static const char *
as_odd_role(const char *database)
{
    int version = atoi(server_value(database, "SHOW server_version_num"));
    const char *name = server_value(database, "SELECT current_database()");

    server_sql(database, "DO $$ BEGIN IF to_regrole('odd') IS NULL THEN"
                         " CREATE ROLE odd SUPERUSER LOGIN; END IF;"
                         " END $$");
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (version < settings[i].version)
            continue;
        server_sql(database, server_process_text(
                                 "SET client_min_messages = error;"
                                 "ALTER ROLE odd IN DATABASE %s SET %s = %s",
                                 name, settings[i].name, settings[i].value));
    }
    return server_process_text("%s user=odd", database);
}

static const char *export(const char *source, const char *format)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--format",
                     format, "--quiet");

    cr_assert_eq(run.status, 0, "export: %s", run.errors);
    return run_dir;
}

/* Of all rows, by lz4 and sha256sum. */
static const char *
bytes_of(const char *run_dir)
{
    struct server_run run = server_run((const char *const[]){
        "sh", "-c",
        server_process_text("cd %s/data/tables && for f in */*.lz4; do echo $f;"
                            " lz4 -dcq $f | sha256sum; done",
                            run_dir),
        NULL});

    cr_assert_eq(run.status, 0, "%s", run.errors);
    return run.output;
}

static void
assert_same_bytes(const char *format)
{
    const char *source = server_database("source");
    const char *plain, *odd;

    server_sql(source, tables);
    plain = export(source, format);
    odd = export(as_odd_role(source), format);
    cr_assert_str_eq(bytes_of(odd), bytes_of(plain));
}

Test(settings, staged_text_is_the_same_whatever_the_role_prefers)
{
    assert_same_bytes("text");
}

Test(settings, staged_binary_is_the_same_whatever_the_role_prefers)
{
    assert_same_bytes("auto");
}

Test(settings, copy_made_by_odd_roles_on_both_sides_is_equal)
{
    const char *source = server_database("source");
    const char *target = server_database("target"), *run_dir;

    server_sql(source, tables);
    run_dir = export(as_odd_role(source), "text");
    moves_load(as_odd_role(target), run_dir);
    moves_assert_verified(as_odd_role(target), run_dir);
    moves_assert_same_tables(source, target);
    moves_assert_same_schema(source, target);
}

/* ---- rows that a role may not see ---- */

static const char policies[] =
    "CREATE SCHEMA shop;"
    "CREATE TABLE shop.secret (id int, who text);"
    "INSERT INTO shop.secret VALUES (1, 'visible'), (2, 'postgres');"
    "ALTER TABLE shop.secret ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY mine ON shop.secret USING (who = 'visible');"
    "DO $$ BEGIN IF to_regrole('visible') IS NULL THEN"
    " CREATE ROLE visible LOGIN; END IF; END $$;"
    "GRANT USAGE ON SCHEMA shop TO visible;"
    "GRANT SELECT ON shop.secret TO visible;";

static void
assert_rows_are_not_left_out(const char *source)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = moves_pghaul(
        "export", "--source", server_process_text("%s user=visible", source),
        "--dir", run_dir, "--quiet");

    cr_assert_eq(run.status, 3, "status %d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, "secret"), "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, "row-level security"), "%s",
                       run.errors);
    run = moves_pghaul("abort", "--dir", run_dir); /* lets the locks go */
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(settings, rows_that_a_policy_hides_are_an_error)
{
    const char *source = server_database("source");

    server_sql(source, policies);
    assert_rows_are_not_left_out(source);
    server_sql(source, "ALTER TABLE shop.secret OWNER TO visible");
    moves_export(server_process_text("%s user=visible", source),
                 moves_path(server_tmp_dir(), "run"));
    server_sql(source, "ALTER TABLE shop.secret FORCE ROW LEVEL SECURITY");
    assert_rows_are_not_left_out(source);
}
