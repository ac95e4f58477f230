/* SPDX-License-Identifier: PostgreSQL */
#include "tests/edge.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server_process.h"

static const char *
bin(const char *program)
{
    return server_process_text("%s/%s", server_bin_dir(), program);
}

static const char *
tree(const char *path)
{
    const char *root = getenv("PGHAUL_SOURCE");

    return server_process_text("%s/%s", root ? root : ".", path);
}

static struct server_run
run(const char *const argv[])
{
    struct server_run r = server_run(argv);

    cr_assert_eq(r.status, 0, "%s: %s", argv[0], r.errors);
    return r;
}

static void
psql_file(const char *conninfo, const char *path)
{
    run((const char *const[]){bin("psql"), "-Xqd", conninfo, "-v",
                              "ON_ERROR_STOP=1", "-f", tree(path), NULL});
}

/* ---- databases ---- */

const char *
edge_source(const char *server)
{
    const char *all = server_conninfo(server);

    if (!server_value(all, "SELECT 1 FROM pg_database"
                           " WHERE datname = 'edge_cases'")) {
        psql_file(all, "tests/edge-roles.sql");
        server_sql(all, "CREATE DATABASE edge_cases");
        psql_file(server_process_text("%s dbname=edge_cases", all),
                  "tests/edge-cases.sql");
    }
    return server_database_with(server, "TEMPLATE edge_cases");
}

const char *
edge_target(const char *server)
{
    psql_file(server_conninfo(server), "tests/edge-roles.sql");
    return server_database(server);
}

/* ---- the schema ---- */

/*
 * What pg_dump cannot say, and so neither pg_restore nor we can repeat.
 *
 * A table that became a child later has its columns in an order of its own; a
 * child made at once has the parent's first.  The columns are the same.
 */
static const struct {
    const char *source, *target;
} exceptions[] = {
    {"CREATE TABLE shapes.adopted (\n"
     "    c integer,\n    b text,\n    a integer\n)",
     "CREATE TABLE shapes.adopted (\n"
     "    a integer,\n    b text,\n    c integer\n)"},
};

/* Publications are named and not copied: a copy does not publish. */
static char *
schema_of(const char *conninfo)
{
    struct server_run dump = run((const char *const[]){
        bin("pg_dump"), "--schema-only", "--no-publications",
        "--no-subscriptions", "--exclude-schema=" EDGE_LEDGER, "-d", conninfo,
        NULL});
    char *key;

    /* The key of \restrict is random, and of one length. */
    while ((key = strstr(dump.output, "restrict ")) &&
           strcspn(key + 9, "\n") > 40)
        memset(key, '.', 9 + strcspn(key + 9, "\n"));
    return dump.output;
}

static const char *
with_exceptions(const char *dump)
{
    for (unsigned i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
        const char *at = strstr(dump, exceptions[i].source);

        if (at)
            dump = server_process_text("%.*s%s%s", (int)(at - dump), dump,
                                       exceptions[i].target,
                                       at + strlen(exceptions[i].source));
    }
    return dump;
}

/* The first line that differs, with some before and after it: all of them are
   too many to be read. */
static void
assert_same_text(const char *is, const char *expected, const char *what)
{
    const char *a = is, *b = expected, *line = is;
    size_t back;

    while (*a && *a == *b) {
        if (*a++ == '\n')
            line = a;
        b++;
    }
    back = line - is < 600 ? (size_t)(line - is) : 600;
    cr_assert(*a == *b, "%s differ; the copy has\n%.800s\n==== and not\n%.400s",
              what, line - back, b - (a - line));
}

/* ---- rows and sequences ---- */

/*
 * All of shapes.by_hash, whose rows are in other partitions of the copy; else
 * each table's own.  A row's columns by name, since their order may be another
 * (see above).
 */
static const char all_rows[] =
    "SET search_path = ''; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC';"
    "SET intervalstyle = 'postgres'; SET extra_float_digits = 3;"
    "SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET row_security = off;"
    "SELECT string_agg(format('%s %s', c.oid::regclass,"
    "  (xpath('//f/text()', query_to_xml(format("
    "   'SELECT concat_ws('' '', count(*),"
    "     sum(hashtextextended(x::text, 0)::numeric),"
    "     sum(hashtextextended(x::text, 1)::numeric)) AS f"
    "    FROM (SELECT ROW(%s) AS x FROM %s %s) AS q', a.columns,"
    "    CASE relkind WHEN 'p' THEN '' ELSE 'ONLY' END,"
    "    c.oid::regclass), false, false, '')))[1]), E'\\n'"
    "  ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\")"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
    " LATERAL (SELECT string_agg(quote_ident(attname), ', '"
    "    ORDER BY attname COLLATE \"C\") AS columns FROM pg_attribute"
    "   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS a"
    " WHERE (c.relkind IN (%s) OR c.relname = 'by_hash') AND c.relname NOT LIKE"
    " 'by\\_hash\\_%' AND c.relispopulated AND c.relpersistence <> 't'"
    " AND nspname NOT IN ('pg_catalog', 'information_schema', '" EDGE_LEDGER
    "')";

static const char all_states[] =
    "SET search_path = '';"
    "SELECT string_agg(format('%s %s', c.oid::regclass, CASE relkind WHEN 'S'"
    "   THEN (xpath('//f/text()', query_to_xml(format('SELECT concat_ws('' '',"
    "     last_value, is_called) AS f FROM %s', c.oid::regclass), false,"
    "     false, '')))[1]::text"
    "   ELSE relispopulated::text END), E'\\n'"
    "  ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\")"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('S', 'm') AND nspname <> '" EDGE_LEDGER "'";

/* pg_dump --schema-only is silent about them. */
static const char large_objects[] =
    "SELECT string_agg(format('%s %s %s %s %s', oid, lomowner::regrole, lomacl,"
    "  md5(lo_get(oid)), obj_description(oid, 'pg_largeobject')), E'\\n'"
    "  ORDER BY oid) FROM pg_largeobject_metadata";

static const char *
rows_of(const char *conninfo, const char *kinds)
{
    char *sql = NULL;
    const char *at = strstr(all_rows, "IN (%s)");
    const char *rows;

    /* The other % are SQL's. */
    cr_assert_gt(asprintf(&sql, "%.*sIN (%s)%s", (int)(at - all_rows), all_rows,
                          kinds, at + strlen("IN (%s)")),
                 0);
    rows = server_value(conninfo, sql);
    free(sql);
    return rows ? rows : "";
}

void
edge_assert_same_rows(const char *source, const char *target)
{
    assert_same_text(rows_of(target, "'r'"), rows_of(source, "'r'"), "rows");
}

static const char *
text_of(const char *conninfo, const char *sql)
{
    const char *text = server_value(conninfo, sql);

    return text ? text : "";
}

void
edge_assert_equal(const char *source, const char *target)
{
    assert_same_text(schema_of(target), with_exceptions(schema_of(source)),
                     "schemas");
    assert_same_text(rows_of(target, "'r', 'm'"), rows_of(source, "'r', 'm'"),
                     "rows");
    assert_same_text(text_of(target, all_states), text_of(source, all_states),
                     "states");
    assert_same_text(text_of(target, large_objects),
                     text_of(source, large_objects), "large objects");
}

/* ---- by hand ---- */

void
edge_assert_readable_by_hand(const char *source, const char *run_dir,
                             const char *server)
{
    const char *by_hand = server_database_with(
        server,
        server_process_text("ENCODING '%s' TEMPLATE template0 LOCALE 'C'",
                            server_value(source, "SHOW server_encoding")));

    run((const char *const[]){
        bin("pg_restore"), "--section=pre-data", "--exit-on-error", "-d",
        by_hand, server_process_text("%s/data/schema.dump", run_dir), NULL});
    run((const char *const[]){PYTHON, "-B", tree("tests/load-by-hand.py"),
                              run_dir, by_hand, NULL});
    edge_assert_same_rows(source, by_hand);
}
