/* SPDX-License-Identifier: PostgreSQL */

/* What a load does besides rows and pg_dump's entries. */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define assert_says moves_assert_says

#define load(target, dir, ...)                                                 \
    moves_pghaul("load", "--target", target, "--dir", dir, "--jobs",           \
                 "2" __VA_OPT__(, ) __VA_ARGS__)

static const char *
exported(const char *source)
{
    const char *dir = moves_path(server_tmp_dir(), "run");

    moves_export(source, dir);
    return dir;
}

/* ---- statistics ---- */

/* Trees of partitions, one with a foreign table in it, whose server cannot be
   asked; a parent; views of views. */
static const char trees[] =
    "CREATE TABLE alone (id int PRIMARY KEY, x int);"
    "CREATE TABLE top (id int, x int) PARTITION BY RANGE (id);"
    "CREATE TABLE top_1 PARTITION OF top FOR VALUES FROM (0) TO (500);"
    "CREATE TABLE top_2 PARTITION OF top FOR VALUES FROM (500) TO (2000)"
    "  PARTITION BY RANGE (id);"
    "CREATE TABLE top_2_1 PARTITION OF top_2 FOR VALUES FROM (500) TO (2000);"
    "CREATE TABLE torn (id int, x int) PARTITION BY LIST (id);"
    "CREATE TABLE torn_1 PARTITION OF torn FOR VALUES IN (1);"
    "CREATE TABLE torn_2 PARTITION OF torn FOR VALUES IN (2)"
    "  PARTITION BY RANGE (x);"
    "CREATE TABLE torn_2_1 PARTITION OF torn_2 DEFAULT;"
    "CREATE FOREIGN DATA WRAPPER nobody;"
    "CREATE SERVER nowhere FOREIGN DATA WRAPPER nobody;"
    "CREATE FOREIGN TABLE torn_3 PARTITION OF torn FOR VALUES IN (3)"
    "  SERVER nowhere;"
    "CREATE TABLE parent (id int, x int);"
    "CREATE TABLE child () INHERITS (parent);";

static const char rows_and_views[] =
    "INSERT INTO alone SELECT i, i % 7 FROM generate_series(1, 1000) i;"
    "INSERT INTO top SELECT * FROM alone;"
    "INSERT INTO torn SELECT i % 2 + 1, i FROM generate_series(1, 100) i;"
    "INSERT INTO parent SELECT * FROM alone;"
    "INSERT INTO child SELECT * FROM alone;"
    "CREATE MATERIALIZED VIEW z AS SELECT * FROM top;"
    "CREATE MATERIALIZED VIEW a AS SELECT x, count(*) FROM z GROUP BY x;"
    "CREATE UNIQUE INDEX ON a (x);"
    "CREATE MATERIALIZED VIEW later AS SELECT * FROM a WITH NO DATA;";

static const char of_whom[] =
    "SELECT string_agg(DISTINCT c.relname || CASE WHEN stainherit THEN '*'"
    "  ELSE '' END, ' ' ORDER BY c.relname || CASE WHEN stainherit THEN '*'"
    "  ELSE '' END) FROM pg_statistic s JOIN pg_class c ON c.oid = starelid"
    " WHERE c.relnamespace = 'public'::regnamespace";

#define OF_TABLES                                                              \
    "alone child parent parent* top* top_1 top_2* top_2_1 torn_1 torn_2* "     \
    "torn_2_1"

static const char *
database_of_trees(void)
{
    const char *source = server_database("source");

    server_sql(source, trees);
    server_sql(source, rows_and_views);
    return source;
}

Test(load, statistics_are_there_of_whole_trees_and_views_and_gathered_once)
{
    const char *target = server_database("target");
    const char *dir = exported(database_of_trees());
    struct server_run run = load(target, dir);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, of_whom), "a " OF_TABLES " z");
    moves_wait_until(target, "SELECT sum(analyze_count) >= 13"
                             " FROM pg_stat_user_tables");
    cr_assert_str_eq(server_value(target, "SELECT max(analyze_count)"
                                          " FROM pg_stat_user_tables"),
                     "1");
    cr_assert_str_eq(server_value(target,
                                  "SELECT string_agg(relname || relispopulated,"
                                  " ' ' ORDER BY relname) FROM pg_class"
                                  " WHERE relkind = 'm'"),
                     "atrue laterfalse ztrue");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM a"), "7");
}

Test(load, statistics_are_gathered_of_existing_tables_and_not_when_told_so)
{
    const char *dir = exported(database_of_trees());
    const char *target = server_database("target");
    struct server_run run;

    server_sql(target, trees);
    server_sql(target, "CREATE MATERIALIZED VIEW others AS SELECT 1 AS x");
    run = load(target, dir, "--into-existing");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, of_whom), OF_TABLES);

    target = server_database("target");
    run = load(target, dir, "--no-analyze");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_null(server_value(target, of_whom));
}

/* ---- connections ---- */

Test(load, last_connections_are_left_to_others)
{
    const char *source = server_database("source"), *dir;
    const char *target = server_database("target");
    char *as_few = NULL;
    struct server_run run;

    server_sql(source, "CREATE TABLE t AS SELECT 1 AS x");
    dir = exported(source);
    server_sql(target, "CREATE ROLE few LOGIN CONNECTION LIMIT 2;"
                       "ALTER SCHEMA public OWNER TO few;"
                       "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I"
                       " TO few', current_database()); END$$");
    cr_assert_gt(asprintf(&as_few, "%s user=few", target), 0);
    run = load(as_few, dir, "--no-owner", "--no-acl");
    assert_says(run, 6, "no connection left for a worker");
    assert_says(run, 6, "CONNECTION LIMIT of the role");

    server_sql(target, "ALTER ROLE few CONNECTION LIMIT 3");
    run = load(as_few, dir, "--no-owner", "--no-acl");
    assert_says(run, 0, "1 of 2 workers");
    free(as_few);
    cr_assert_str_eq(server_value(target, "SELECT x FROM t"), "1");
}

static int
has_ended(pid_t pid)
{
    siginfo_t ended = {0};

    cr_assert_eq(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT),
                 0);
    return ended.si_pid != 0;
}

/* Indexes of several tables, each of which takes a while. */
Test(load, indexes_are_made_by_as_many_workers_as_asked)
{
    const char *source = server_database("source"), *dir;
    const char *target = server_database("target");
    struct server_program p;
    int most = 0, n;

    server_sql(source,
               "CREATE FUNCTION slow(x int) RETURNS int LANGUAGE plpgsql"
               " IMMUTABLE AS $$BEGIN PERFORM pg_sleep(0.2); RETURN x; END$$;"
               "CREATE TABLE a (x int); CREATE INDEX ON a (slow(x));"
               "CREATE TABLE b (x int); CREATE INDEX ON b (slow(x));"
               "CREATE TABLE c (x int); CREATE INDEX ON c (slow(x));"
               "INSERT INTO a VALUES (1), (2), (3);"
               "INSERT INTO b VALUES (1), (2), (3);"
               "INSERT INTO c VALUES (1), (2), (3);");
    dir = exported(source);
    p = server_program_start(moves_words("load", "--target", target, "--dir",
                                         dir, "--jobs", "3", "--index-jobs",
                                         "1", "--no-analyze"));
    while (!has_ended(p.pid)) {
        n = atoi(server_value(target, "SELECT count(*) FROM pg_stat_activity"
                                      " WHERE state = 'active'"
                                      " AND query LIKE '%CREATE INDEX %'"
                                      " AND datname = current_database()"
                                      " AND pid <> pg_backend_pid()"));
        most = n > most ? n : most;
    }
    cr_assert_eq(server_program_wait(&p).status, 0);
    cr_assert_eq(most, 1, "%d indexes were made at once", most);
}
