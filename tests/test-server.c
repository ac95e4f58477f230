/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/server.h"

SERVERS({"one"}, {"two", .conf = "work_mem = '5MB'",
                  .hba = "local all guarded scram-sha-256"})

static const char system_id[] =
    "SELECT system_identifier FROM pg_control_system()";

Test(server, clusters_are_different_systems_with_their_own_settings)
{
    cr_assert_str_neq(server_value(server_conninfo("one"), system_id),
                      server_value(server_conninfo("two"), system_id));
    cr_assert_str_eq(server_value(server_conninfo("one"), "SHOW work_mem"),
                     "4MB");
    cr_assert_str_eq(server_value(server_conninfo("two"), "SHOW work_mem"),
                     "5MB");
}

Test(server, each_database_is_new)
{
    const char *a = server_database("one");
    const char *b = server_database_with(
        "one", "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");

    server_sql(a, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)");
    server_sql(b, "CREATE TABLE t (x int)");
    cr_assert_str_eq(server_value(a, "SELECT count(*) FROM t"), "1");
    cr_assert_str_eq(server_value(b, "SHOW server_encoding"), "LATIN1");
    cr_assert_null(server_value(b, "SELECT x FROM t"));
}

Test(server, comes_back_after_a_crash_with_its_data)
{
    const char *db = server_database("two");

    server_sql(db, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)");
    server_crash("two");
    cr_assert_eq(PQping(db), PQPING_NO_RESPONSE);
    server_start("two");
    cr_assert_str_eq(server_value(db, "SELECT x FROM t"), "1");
}

Test(server, fingerprint_is_of_the_rows_whatever_their_order_and_settings)
{
    const char *db = server_database("one");
    const char *before;

    server_sql(db, "CREATE TABLE r (r timestamptz, f float8);"
                   "INSERT INTO r VALUES ('2000-01-02 UTC', 0.1),"
                   " ('2001-01-02 UTC', 1e300)");
    before = server_fingerprint(db, "public.r");
    cr_assert_eq(strncmp(before, "2 ", 2), 0);

    server_sql(db, "CREATE TABLE copy AS SELECT * FROM r"
                   " ORDER BY 1 DESC;"
                   "ALTER ROLE postgres SET datestyle = 'SQL, DMY'");
    cr_assert_str_eq(server_fingerprint(db, "copy"), before);
    server_sql(db, "ALTER ROLE postgres RESET ALL;"
                   "UPDATE copy SET f = 0.2 WHERE f = 0.1");
    cr_assert_str_neq(server_fingerprint(db, "copy"), before);
}

Test(server, program_is_run_with_its_output_caught)
{
    struct server_run run = server_run((const char *const[]){
        "sh", "-c", "echo out; echo err >&2; kill -9 $$", NULL});

    cr_assert_eq(run.status, 128 + 9);
    cr_assert_str_eq(run.output, "out\n");
    cr_assert_str_eq(run.errors, "err\n");
}
