/* SPDX-License-Identifier: PostgreSQL */

/*
 * Planted differences: a bit of each of the common types, and what else a copy
 * could get wrong.  All of them at once, each in a table of its own, so that one
 * export, one load and one proof are enough.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"
#include "tests/server.h"

SERVERS({"only"})

/* A column of this type and value; another value of it in one row of the target;
   and the two as they are shown.  Of all that come before FIRST_AS_TEXT one table
   is made, which is staged in binary, and of the others one. */
static const struct change {
    const char *column, *type, *value, *other, *left, *right;
} changes[] = {
    {"a_bool", "boolean", "true", "false", "t", "f"},
    {"a_int2", "smallint", "256", "257", "256", "257"},
    {"a_int4", "integer", "-1", "-2", "-1", "-2"},
    {"a_int8", "bigint", "9223372036854775807", "9223372036854775806",
     "9223372036854775807", "9223372036854775806"},
    {"a_float4", "real", "1.5", "1.5000001", "1.5", "1.5000001"},
    {"a_float8", "double precision", "0.1", "0.10000000000000002", "0.1",
     "0.10000000000000002"},
    {"minus_zero", "double precision", "'0'", "'-0'", "0", "-0"},
    {"not_a_number", "double precision", "'nan'", "'infinity'", "NaN",
     "Infinity"},
    {"a_numeric", "numeric", "12345678901234567890.1", "12345678901234567890.2",
     "12345678901234567890.1", "12345678901234567890.2"},
    {"a_scale", "numeric", "1.0", "1.00", "1.0", "1.00"},
    {"a_text", "text", "'Stra\u00dfe'", "'Strasse'", "Stra\u00dfe", "Strasse"},
    {"a_form", "text", "E'\\u00e9'", "E'e\\u0301'", "\u00e9", "e\u0301"},
    {"a_blank", "text", "'x'", "'x '", "x", "\"x \""},
    {"a_null", "text", "NULL", "''", "NULL", "\"\""},
    {"a_word", "text", "NULL", "'NULL'", "NULL", "\"NULL\""},
    {"a_varchar", "varchar(9)", "'a'", "'b'", "a", "b"},
    {"a_char", "char(3)", "'a'", "'b'", "\"a  \"", "\"b  \""},
    {"a_letter", "\"char\"", "'a'", "'b'", "a", "b"},
    {"a_name", "name", "'a'", "'b'", "a", "b"},
    {"a_bytea", "bytea", "'\\x00ff'", "'\\x00fe'", "\\x00ff", "\\x00fe"},
    {"a_date", "date", "'2024-02-29'", "'2024-03-01'", "2024-02-29",
     "2024-03-01"},
    {"a_time", "time", "'24:00'", "'00:00'", "24:00:00", "00:00:00"},
    {"a_timetz", "timetz", "'12:00+01'", "'11:00+00'", "12:00:00+01",
     "11:00:00+00"},
    {"a_timestamp", "timestamp", "'2024-01-01'", "'2024-01-01 00:00:00.000001'",
     "2024-01-01 00:00:00", "2024-01-01 00:00:00.000001"},
    {"a_zone", "timestamptz", "'2024-01-01 12:00+00'", "'2024-01-01 12:00+01'",
     "2024-01-01 12:00:00+00", "2024-01-01 11:00:00+00"},
    {"a_interval", "interval", "'1 day'", "'24 hours'", "1 day", "24:00:00"},
    {"a_uuid", "uuid", "'00000000-0000-0000-0000-000000000000'",
     "'00000000-0000-0000-0000-000000000001'",
     "00000000-0000-0000-0000-000000000000",
     "00000000-0000-0000-0000-000000000001"},
    {"a_json", "json", "'{\"a\":1}'", "'{\"a\": 1}'", "{\"a\":1}",
     "{\"a\": 1}"},
    {"a_jsonb", "jsonb", "'{\"a\": 1}'", "'{\"a\": 1.0}'", "{\"a\": 1}",
     "{\"a\": 1.0}"},
    {"a_inet", "inet", "'10.0.0.1/24'", "'10.0.0.1/16'", "10.0.0.1/24",
     "10.0.0.1/16"},
    {"a_cidr", "cidr", "'10.0.0.0/24'", "'10.0.0.0/16'", "10.0.0.0/24",
     "10.0.0.0/16"},
    {"a_macaddr", "macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'",
     "08:00:2b:01:02:03", "08:00:2b:01:02:04"},
    {"a_bit", "bit(3)", "'101'", "'100'", "101", "100"},
    {"a_varbit", "bit varying", "'10'", "'100'", "10", "100"},
    {"a_point", "point", "'1,2'", "'1,3'", "(1,2)", "(1,3)"},
    {"a_oid", "oid", "4294967295", "4294967294", "4294967295", "4294967294"},
    {"a_array", "int[]", "'{1,NULL}'", "'{1,0}'", "{1,NULL}", "{1,0}"},
    {"a_bound", "int[]", "'{1,2}'", "'[0:1]={1,2}'", "{1,2}", "[0:1]={1,2}"},
    {"a_texts", "text[]", "'{a}'", "'{\"a \"}'", "{a}", "{\"a \"}"},
    {"a_enum", "state", "'new'", "'sent'", "new", "sent"},
    {"a_domain", "price", "1.50", "1.5", "1.50", "1.5"},
#define FIRST_AS_TEXT "a_range"
    {"a_range", "int4range", "'[1,2)'", "'[1,3)'", "[1,2)", "[1,3)"},
    {"a_words", "tsvector", "'a b'", "'a c'", "'a' 'b'", "'a' 'c'"},
    {"a_xml", "xml", "'<a/>'", "'<a></a>'", "<a/>", "<a></a>"},
    {"a_pair", "pair", "'(1,\"x\")'", "'(1,)'", "(1,x)", "(1,)"},
    {"a_tab", "tsquery", "'a & b'", "'a | b'", "'a' & 'b'", "'a' | 'b'"},
};
enum { N_CHANGES = sizeof changes / sizeof *changes };

/* What else is made in the source, planted in the target, and said. */
static const struct plant {
    const char *make, *sql, *says;
} plants[] = {
    {"CREATE TABLE missing AS SELECT i AS id FROM generate_series(1, 9) AS i;"
     "ALTER TABLE missing ADD PRIMARY KEY (id)",
     "DELETE FROM missing WHERE id = 7", "missing: id = 7\n"},
    {"CREATE TABLE doubled AS SELECT i AS a FROM generate_series(1, 9) AS i",
     "INSERT INTO doubled VALUES (3)", "extra: a = 3\n"},
    {"CREATE TABLE halved (a int); INSERT INTO halved VALUES (1), (1), (2)",
     "DELETE FROM halved; INSERT INTO halved VALUES (1), (2), (2)",
     "rows: 1 missing, 1 extra, 0 differing"},
    {"CREATE TABLE swapped (id int PRIMARY KEY, a text, b text);"
     "INSERT INTO swapped VALUES (1, 'x', 'y'), (2, 'p', 'q')",
     "UPDATE swapped SET b = CASE id WHEN 1 THEN 'q' ELSE 'y' END",
     "differing: id = 1: b is y in the bag, q in the target"},
    {"CREATE TABLE turned (id int PRIMARY KEY, a text, b text);"
     "INSERT INTO turned VALUES (1, 'x', 'y')",
     "UPDATE turned SET a = b, b = a",
     "differing: id = 1: a is x in the bag, y in the target; b is y in the "
     "bag, x in the target"},
    {"CREATE TABLE shifted (id int PRIMARY KEY, a text);"
     "INSERT INTO shifted VALUES (1, 'x'), (2, 'y')",
     "UPDATE shifted SET id = id + 2", "rows: 2 missing, 2 extra, 0 differing"},
    {"CREATE TABLE keys (a int, b text, c int, PRIMARY KEY (b, a));"
     "INSERT INTO keys VALUES (1, 'x', 0), (1, 'y', 0)",
     "UPDATE keys SET c = 1 WHERE b = 'y'",
     "differing: b = y, a = 1: c is 0 in the bag, 1 in the target"},
    {"CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES",
     "INSERT INTO bare DEFAULT VALUES", "extra: a row without columns\n"},
    {"CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a);"
     "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
     "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);"
     "INSERT INTO parts VALUES (1, 'x'), (12, 'y'), (15, 'z')",
     "ALTER TABLE parts DETACH PARTITION parts_1;"
     "ALTER TABLE parts DETACH PARTITION parts_2;"
     "INSERT INTO parts_1 SELECT * FROM parts_2 WHERE a = 12;"
     "DELETE FROM parts_2 WHERE a = 12;"
     "ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (13);"
     "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (13) TO (20)",
     "extra: a = 12, b = y\n"},
    {"CREATE TABLE gone (a int)", "DROP TABLE gone",
     "public.gone: it is in the bag only"},
    {"SELECT", "CREATE TABLE new (a int)",
     "public.new: it is in the target only"},
    {"CREATE TABLE narrow (a int, b int)", "ALTER TABLE narrow DROP b",
     "public.narrow: column \"b\" is missing in the target"},
    {"CREATE TABLE retyped (id int PRIMARY KEY, a int);"
     "INSERT INTO retyped VALUES (1, 1)",
     "ALTER TABLE retyped ALTER a TYPE bigint",
     "differing: id = 1: a is \\x00000001 in the bag, \\x0000000000000001 in"},
    {"SELECT lo_from_bytea(20001, 'x')", "SELECT lo_put(20001, 0, 'y')",
     "differing: loid = 20001, offset = 0: data is \\x78 in the bag, \\x79 in "
     "the target"},
};
enum { N_PLANTS = sizeof plants / sizeof *plants };

/* Statement after statement, as one: a connection each would take longer than
   all the rest. */
static void
run_all(const char *conninfo, void (*write)(FILE *f))
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    write(f);
    fclose(f);
    server_sql(conninfo, sql);
    free(sql);
}

static const char *
table_of(int change)
{
    static const char *table;

    if (change == 0)
        table = "binary_forms";
    if (strcmp(changes[change].column, FIRST_AS_TEXT) == 0)
        table = "text_forms";
    return table;
}

static void
write_source(FILE *f)
{
    fputs("CREATE TYPE state AS ENUM ('new', 'sent');"
          "CREATE DOMAIN price AS numeric;"
          "CREATE TYPE pair AS (a int, b text);"
          "CREATE TABLE binary_forms (id int PRIMARY KEY);"
          "INSERT INTO binary_forms SELECT generate_series(0, 99);"
          "CREATE TABLE text_forms (id int PRIMARY KEY);"
          "INSERT INTO text_forms SELECT generate_series(0, 99);"
          "CREATE TABLE same AS SELECT i AS id, 'x' || i AS v"
          "  FROM generate_series(1, 500) AS i;",
          f);
    for (int i = 0; i < N_CHANGES; i++)
        fprintf(f, "ALTER TABLE %s ADD %s %s DEFAULT %s;", table_of(i),
                changes[i].column, changes[i].type, changes[i].value);
    for (int i = 0; i < N_PLANTS; i++)
        fprintf(f, "%s;", plants[i].make);
}

static void
write_plants(FILE *f)
{
    for (int i = 0; i < N_CHANGES; i++)
        fprintf(f, "UPDATE %s SET %s = %s WHERE id = %d;", table_of(i),
                changes[i].column, changes[i].other, i);
    for (int i = 0; i < N_PLANTS; i++)
        fprintf(f, "%s;", plants[i].sql);
}

static void
assert_found(const struct server_run *run)
{
    char says[1024];

    cr_assert_eq(run->status, 1, "%s", run->errors);
    for (int i = 0; i < N_CHANGES; i++) {
        snprintf(says, sizeof says,
                 "  differing: id = %d: %s is %s in the bag, %s in the "
                 "target\n",
                 i, changes[i].column, changes[i].left, changes[i].right);
        cr_assert(strstr(run->errors, says), "%s\nin:\n%s", says, run->errors);
    }
    for (int i = 0; i < N_PLANTS; i++)
        cr_assert(strstr(run->errors, plants[i].says), "%s\nin:\n%s",
                  plants[i].says, run->errors);
    cr_assert(strstr(run->errors, "public.binary_forms: as many rows (100), "
                                  "but not the same\n"),
              "%s", run->errors);
    cr_assert_not(strstr(run->errors, "public.same"), "%s", run->errors);
}

Test(verify, every_planted_difference_is_found_and_named)
{
    const char *source = server_database("only");
    const char *target = server_database("only");
    const char *dir = moves_path(server_tmp_dir(), "run");
    const char *fix = moves_path(server_tmp_dir(), "fix.sql");
    struct server_run run;

    run_all(source, write_source);
    moves_export(source, dir);
    moves_load(target, dir);
    moves_assert_verified(target, dir);

    run_all(target, write_plants);
    run = moves_pghaul("verify", "--dir", dir, "--target", target, "--show",
                       "100");
    assert_found(&run);

    /* What mends it is right when nothing is left to be mended. */
    server_sql(target, "CREATE TABLE gone (a int); DROP TABLE new;"
                       "ALTER TABLE narrow ADD b int;"
                       "ALTER TABLE retyped ALTER a TYPE int;"
                       "SELECT lo_put(20001, 0, 'x')");
    run = moves_pghaul("verify", "--dir", dir, "--target", target,
                       "--repair-sql", fix);
    cr_assert_eq(run.status, 1, "%s", run.errors);
    server_sql(target, "ALTER TABLE parts DETACH PARTITION parts_1;"
                       "ALTER TABLE parts DETACH PARTITION parts_2");
    run =
        server_run((const char *const[]){moves_path(server_bin_dir(), "psql"),
                                         "-qX", "-d", target, "-f", fix, NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_verified(target, dir);
}
