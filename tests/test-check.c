/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/err.h"
#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source", .conf = "max_prepared_transactions = 5\n"}, {"target"})

#define check(...) moves_pghaul("check", "--jobs", "1", "--source", __VA_ARGS__)

static void
assert_finds(const struct server_run *run, int status, const char *text)
{
    cr_assert_eq(run->status, status, "%d: %s%s", run->status, run->output,
                 run->errors);
    cr_assert(strstr(run->output, text), "%s", run->output);
}

/* The database as another role sees it. */
static const char *
as_role(const char *conninfo, const char *role)
{
    char *end = strstr(conninfo, "user=postgres");
    char *text = NULL;

    cr_assert_geq(asprintf(&text, "%.*suser=%s%s", (int)(end - conninfo),
                           conninfo, role, end + strlen("user=postgres")),
                  0);
    return text;
}

/* A session that lasts as long as the test. */
static PGconn *
session_with(const char *conninfo, const char *sql)
{
    PGconn *conn = PQconnectdb(conninfo);

    PQclear(PQexec(conn, sql));
    cr_assert_eq(PQtransactionStatus(conn), PQTRANS_INTRANS, "%s",
                 PQerrorMessage(conn));
    return conn;
}

Test(check, healthy_pair_is_told_so)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = check(source, "--target", target, "--dir", dir);

    assert_finds(&run, 0, "ok       locks                  every table");
    assert_finds(&run, 0, "ok       target rows            the database is");
    cr_assert_null(strstr(run.output, "error "), "%s", run.output);
    cr_assert_str_empty(run.errors);
    cr_assert_neq(access(dir, F_OK), 0, "the run directory was made");
}

Test(check, json_is_one_object_also_when_something_is_in_the_way)
{
    const char *source = server_database("source");
    json_t *all, *finding;
    struct server_run run;
    size_t i, n_errors = 0;
    char *stranger;

    server_sql(source, "SELECT lo_create(0); CREATE ROLE stranger LOGIN");
    cr_assert_gt(asprintf(&stranger, "%s user=stranger", source), 0);
    run = check(stranger, "--json");
    free(stranger);
    all = json_loads(run.output, 0, NULL);
    cr_assert_eq(run.status, ERR_REFUSED);
    cr_assert_not_null(all, "%s", run.output);
    json_array_foreach(json_object_get(all, "findings"), i, finding)
    {
        const char *name, *level, *seen, *advice;

        cr_assert_eq(json_unpack(finding, "{s:s,s:s,s:s,s:s !}", "name", &name,
                                 "level", &level, "seen", &seen, "advice",
                                 &advice),
                     0);
        cr_assert_eq(*advice == '\0', strcmp(level, "ok") == 0);
        n_errors += strcmp(level, "error") == 0;
    }
    cr_assert_eq(n_errors, 1);
    json_decref(all);
}

Test(check, server_that_is_not_there_is_status_3)
{
    struct server_run run = check("host=/nowhere");

    cr_assert_eq(run.status, ERR_SERVER);
    cr_assert_str_empty(run.output);
}

Test(check, table_that_cannot_be_read_is_named)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE ROLE blind LOGIN; CREATE TABLE public.\"S\x1b\""
                       " (i int); CREATE TABLE public.open (i int);"
                       "GRANT SELECT ON public.open TO blind");
    run = check(as_role(source, "blind"));
    assert_finds(&run, ERR_REFUSED,
                 "error    privileges             1 table or sequence cannot "
                 "be read: public.\"S\\x1b\"\n");
}

Test(check, rows_hidden_by_row_security_are_an_error)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE ROLE filtered LOGIN; CREATE TABLE public.secret"
                       " (i int); GRANT SELECT ON public.secret TO filtered;"
                       "ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY");
    run = check(as_role(source, "filtered"));
    assert_finds(&run, ERR_REFUSED,
                 "error    row security           1 table would show only "
                 "some of its rows: public.secret\n");
    run = check(source);
    assert_finds(&run, 0, "ok       row security");
}

Test(check, who_holds_a_lock_is_named)
{
    const char *source = moves_source();
    PGconn *conn = session_with(source, "SET application_name = 'rewriter';"
                                        "BEGIN; LOCK TABLE shop.orders");
    char text[100];
    struct server_run run = check(source);

    snprintf(text, sizeof text,
             "error    locks                  shop.orders is locked by pid %d "
             "(rewriter), 00:0",
             PQbackendPID(conn));
    assert_finds(&run, ERR_REFUSED, text);
    PQfinish(conn);
}

Test(check, large_objects_are_counted)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "SELECT lo_create(0)");
    run = check(source);
    assert_finds(&run, 0,
                 "ok       large objects          1, all can be read\n");
}

Test(check, prepared_transaction_is_a_warning_with_its_name)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE TABLE public.t (i int)");
    PQfinish(session_with(source, "SELECT 1; BEGIN"));
    server_sql(source, "BEGIN; INSERT INTO public.t VALUES (1);"
                       "PREPARE TRANSACTION 'forgotten'");
    run = check(source);
    server_sql(source, "ROLLBACK PREPARED 'forgotten'");
    assert_finds(&run, 0,
                 "warning  prepared transactions  1 waiting to be committed: "
                 "forgotten of postgres, 00:0");
}

Test(check, too_many_workers_are_too_many)
{
    struct server_run run = moves_pghaul("check", "--jobs", "64", "--source",
                                         server_database("source"));
    const char *max =
        server_value(server_conninfo("source"), "SHOW max_connections");

    if (atoi(max) < 64 + 3 + 3)
        assert_finds(&run, ERR_REFUSED, "error    connections            67");
    else
        assert_finds(&run, 0, "ok       connections            67");
}

Test(check, target_in_use_and_missing_role_are_errors)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source, "CREATE ROLE clerk; CREATE TABLE public.t (i int);"
                       "GRANT SELECT ON public.t TO clerk");
    server_sql(target, "CREATE TABLE public.taken (i int)");
    run = check(source, "--target", target);
    assert_finds(&run, ERR_REFUSED,
                 "error    target rows            1 relation is there "
                 "already: public.taken\n");
    assert_finds(&run, ERR_REFUSED,
                 "error    target roles           1 role is missing: "
                 "clerk\n");
}

Test(check, roles_that_a_load_would_not_need_are_not_missed)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source, "CREATE ROLE owner; CREATE ROLE grantee;"
                       "CREATE ROLE reader; CREATE TABLE public.t (i int);"
                       "ALTER TABLE public.t OWNER TO owner;"
                       "GRANT SELECT ON public.t TO grantee;");
    server_sql(target, "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE"
                       " plpgsql AS 'BEGIN END';"
                       "CREATE EVENT TRIGGER e ON sql_drop"
                       " EXECUTE FUNCTION f()");
    run = check(source, "--target", target, "--no-owner");
    assert_finds(&run, ERR_REFUSED, "1 role is missing: grantee\n");
    assert_finds(&run, 6, "ok       target event triggers  none would fire");
    server_sql(target, "CREATE ROLE plainer LOGIN");
    run = check(source, "--target", as_role(target, "plainer"));
    assert_finds(&run, 6,
                 "warning  target event triggers  1 would fire at what a load "
                 "does: e");
    run = check(source, "--target", target, "--no-owner", "--no-acl");
    assert_finds(&run, 0, "ok       target roles           every role that");
    run = check(source, "--target", target, "--roles");
    assert_finds(&run, 0, "2 would be made (--roles): grantee, owner\n");
    /* A policy names whom it is for in any case. */
    server_sql(source, "CREATE POLICY p ON public.t TO reader USING (true)");
    run = check(source, "--target", target, "--no-owner", "--no-acl");
    assert_finds(&run, ERR_REFUSED, "1 role is missing: reader\n");
}

Test(check, connection_limits_of_role_and_database_are_limits)
{
    const char *source = server_database("source");
    const char *name = server_value(source, "SELECT current_database()");
    struct server_run run;

    server_sql(source, "CREATE ROLE few LOGIN CONNECTION LIMIT 4");
    run = moves_pghaul("check", "--jobs", "2", "--source",
                       as_role(source, "few"));
    assert_finds(&run, ERR_REFUSED,
                 "error    connections            5 of 4 would be used: "
                 "CONNECTION LIMIT of the role\n");
    run = moves_pghaul("check", "--jobs", "2", "--source", source);
    assert_finds(&run, 0, "ok       connections");
    server_sql(source,
               server_process_text("ALTER ROLE few CONNECTION LIMIT -1;"
                                   "ALTER DATABASE %s CONNECTION LIMIT 5",
                                   name));
    run = moves_pghaul("check", "--jobs", "2", "--source",
                       as_role(source, "few"));
    assert_finds(&run, 0,
                 "warning  connections            5 of 5 would be used: "
                 "CONNECTION LIMIT of the database\n");
}

/* Of their sessions it sees little more than that they are there. */
Test(check, sessions_of_others_count_for_an_ordinary_role)
{
    const char *source = server_database("source");
    PGconn *others[3];
    struct server_run run;
    const char *left;
    int all;

    for (unsigned i = 0; i < 3; i++)
        others[i] = session_with(source, "BEGIN");
    all = atoi(server_value(source, "SELECT current_setting('max_connections')"
                                    "::int - current_setting("
                                    "'superuser_reserved_connections')::int"));
    server_sql(source, "CREATE ROLE ordinary LOGIN");
    run = check(as_role(source, "ordinary"));
    left = strstr(run.output, "connections            4 of ");
    cr_assert_not_null(left, "%s", run.output);
    cr_assert_leq(atoi(strstr(left, " of ") + 4), all - 3, "%s", left);
    for (unsigned i = 0; i < 3; i++)
        PQfinish(others[i]);
}

Test(check, an_older_version_of_the_collation_is_told)
{
    const char *source = server_database("source");
    struct server_run run;

    if (server_version(source) < 150000)
        return;
    server_sql(source, "UPDATE pg_database SET datcollversion = '0.1'"
                       " WHERE datname = current_database()"
                       "  AND datcollversion IS NOT NULL");
    run = check(source);
    if (server_value(source, "SELECT datcollversion FROM pg_database"
                             " WHERE datname = current_database()"))
        assert_finds(&run, 0, "1 has another version now: ");
    else
        assert_finds(&run, 0, "ok       collation              is of");
}

/* Who asks for a table's size waits for whoever has locked it. */
Test(check, a_lock_is_not_waited_for_without_end)
{
    const char *source = moves_source(), *target = server_database("target");
    PGconn *conn = session_with(source, "BEGIN; LOCK TABLE shop.orders");
    struct server_run run = check(source, "--target", target, "--dir",
                                  moves_path(server_tmp_dir(), "run"),
                                  "--where", "shop.customers: id > 5");

    assert_finds(&run, ERR_REFUSED, "shop.orders is locked by pid");
    assert_finds(&run, ERR_REFUSED, "; by statistics\n");
    run = check(source, "--where", "shop.orders: id > 5");
    assert_finds(&run, ERR_REFUSED, "lock timeout");
    PQfinish(conn);
}
