/* SPDX-License-Identifier: PostgreSQL */

/* What a load does besides rows and pg_dump's entries. */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

/* What the source knew is of fewer rows: so it is seen whose they are. */
Test(load, statistics_are_carried_over_where_pg_dump_can)
{
    const char *source = server_database("source"), *dir;
    const char *target = server_database("target");
    int carried;
    struct server_run run;

    server_sql(source,
               "CREATE TABLE known (i int PRIMARY KEY) WITH"
               "  (autovacuum_enabled = off);"
               "CREATE TABLE chosen (LIKE known) WITH"
               "  (autovacuum_enabled = off);"
               "CREATE TABLE never (i int) WITH (autovacuum_enabled = off);"
               "INSERT INTO known SELECT generate_series(1, 100);"
               "INSERT INTO chosen SELECT generate_series(1, 100);"
               "ANALYZE known, chosen;"
               "INSERT INTO known SELECT generate_series(101, 1000);"
               "INSERT INTO chosen SELECT generate_series(101, 1000);"
               "INSERT INTO never SELECT generate_series(1, 50)");
    dir = moves_path(server_tmp_dir(), "run");
    run = moves_pghaul("export", "--source", source, "--dir", dir, "--where",
                       "public.chosen: i > 500");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    carried = access(moves_path(dir, "data/statistics.dump"), F_OK) == 0 &&
              server_version(target) >= 180000;
    run = load(target, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target,
                                  "SELECT string_agg(relname || ' ' ||"
                                  " reltuples, ', ' ORDER BY relname)"
                                  " FROM pg_class WHERE relkind = 'r' AND"
                                  " relnamespace = 'public'::regnamespace"),
                     carried ? "chosen 500, known 100, never 50"
                             : "chosen 500, known 1000, never 50");
    cr_assert_str_eq(server_value(target, of_whom), "chosen known never");
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

/* ---- progress, by SQL ---- */

static const char *
progress_of(const char *target)
{
    return server_value(target,
                        "SELECT concat_ws(' ', phase, chunks_done, chunks,"
                        " rows, bytes > 0, entries_done, entries, failures,"
                        " started <= last, finished IS NOT NULL)"
                        " FROM pghaul.progress");
}

Test(load, progress_is_a_view_in_the_target)
{
    const char *source = server_database("source"), *dir;
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source,
               "CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE"
               " AS $$BEGIN IF current_setting('data_directory') LIKE"
               "  '%/target%' THEN RAISE 'not here'; END IF; RETURN x; END$$;"
               "CREATE TABLE a AS SELECT generate_series(1, 10) AS x;"
               "CREATE UNLOGGED TABLE b AS SELECT * FROM a;"
               "CREATE INDEX ON a (f(x));"
               "CREATE INDEX ON b (x)");
    dir = exported(source);
    run = load(target, dir);
    assert_says(run, 3, "not here");
    cr_assert_str_eq(progress_of(target), "rest 2 2 20 t 3 4 1 t f");
    server_sql(target, "CREATE OR REPLACE FUNCTION f(x int) RETURNS int"
                       " LANGUAGE sql IMMUTABLE AS 'SELECT x'");
    run = load(target, dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(progress_of(target), "finished 2 2 20 t 4 4 0 t t");

    run = moves_pghaul("abort", "--dir", dir, "--target", target);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_null(server_value(target, "SELECT 1 FROM pg_namespace"
                                        " WHERE nspname = 'pghaul'"));
}

/* ---- a disk that is full ---- */

static char small_disk[128], small_database[256];

/* The server is not left with files that it cannot write. */
static void
unmount(void)
{
    char sql[300];

    if (!small_disk[0])
        return;
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", small_database);
    server_sql(server_conninfo("target"), sql);
    umount2(small_disk, MNT_DETACH);
}

/* A database on a disk of its own, too small for what comes; NULL where we may
   not mount one. */
static const char *
database_on_small_disk(void)
{
    const char *all = server_conninfo("target"), *target;
    char words[64], *sql = NULL;
    struct stat st;

    snprintf(small_disk, sizeof small_disk, "%s", server_tmp_dir());
    cr_assert_eq(chmod(small_disk, 0755), 0);
    if (mount("none", small_disk, "tmpfs", 0, "size=16m") < 0) {
        small_disk[0] = '\0';
        cr_log_warn("not tested: a tmpfs cannot be mounted here");
        return NULL;
    }
    cr_assert_eq(stat(server_data_dir("target"), &st), 0);
    cr_assert_eq(chown(small_disk, st.st_uid, st.st_gid), 0);
    cr_assert_gt(asprintf(&sql, "CREATE TABLESPACE small_%d LOCATION '%s'",
                          getpid(), small_disk),
                 0);
    server_sql(all, sql);
    free(sql);
    snprintf(words, sizeof words, "TABLESPACE small_%d TEMPLATE template0",
             getpid());
    target = server_database_with("target", words);
    snprintf(small_database, sizeof small_database, "%s",
             server_value(target, "SELECT current_database()"));
    server_sql(target, "CHECKPOINT"); /* till then its files are holes */
    return target;
}

static const char *
too_much(void)
{
    const char *source = server_database("source");

    server_sql(source, "CREATE TABLE large (id int PRIMARY KEY, x text);"
                       "ALTER TABLE large ALTER x SET STORAGE PLAIN;"
                       "INSERT INTO large SELECT i, repeat('x', 2000)"
                       " FROM generate_series(1, 6000) i;"
                       "CREATE TABLE other AS SELECT * FROM large LIMIT 100");
    return source;
}

/* How often the server has logged it. */
static const char *
count_of_full(void)
{
    static char sql[512];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM regexp_matches(pg_read_file('%s'),"
             " 'No space left on device', 'g')",
             server_log_file("target"));
    return sql;
}

static void
wait_until_full_again(int times)
{
    const char *all = server_conninfo("target");
    char sql[600];

    snprintf(sql, sizeof sql, "SELECT (%s) > %d", count_of_full(), times);
    moves_wait_until(all, sql);
}

Test(load, full_disk_is_waited_for_and_gone_on_with, .fini = unmount)
{
    const char *source = too_much(), *dir = exported(source);
    const char *target = database_on_small_disk();
    struct server_program p;
    struct server_run run;
    int before;

    if (!target)
        return;
    before = atoi(server_value(server_conninfo("target"), count_of_full()));
    p = server_program_start(
        moves_words("load", "--target", target, "--dir", dir, "--jobs", "2"));
    wait_until_full_again(before);
    cr_assert_eq(mount("none", small_disk, "tmpfs", MS_REMOUNT, "size=200m"),
                 0);
    run = server_program_wait(&p);
    assert_says(run, 0, "disk is full: waiting for room");
    assert_says(run, 0, "has room again");
    moves_assert_verified(target, dir);
}

Test(load, full_disk_ends_it_when_told_so, .fini = unmount)
{
    const char *source = too_much(), *dir = exported(source);
    const char *target = database_on_small_disk();
    struct server_run run;

    if (!target)
        return;
    run = load(target, dir, "--on-target-full", "stop");
    assert_says(run, 3, "No space left on device");
    cr_assert_eq(mount("none", small_disk, "tmpfs", MS_REMOUNT, "size=200m"),
                 0);
    run = load(target, dir, "--on-target-full", "stop");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_verified(target, dir);
}
