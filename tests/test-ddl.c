/* SPDX-License-Identifier: PostgreSQL */

/*
 * Somebody alters the schema while it is exported: he waits, or the export is
 * refused with the table's name, or the copy is what the snapshot shows.
 */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

static const char tables[] =
    "CREATE SCHEMA shop;"
    "CREATE TYPE shop.e AS ENUM ('a', 'b');"
    "CREATE TABLE shop.t (id int PRIMARY KEY, n int NOT NULL, v text, e shop.e"
    "  DEFAULT 'a');"
    "INSERT INTO shop.t SELECT i, i, 'v' || i FROM generate_series(1, 3000)"
    "  AS i;"
    "CREATE INDEX t_v ON shop.t (v);"
    "CREATE TABLE shop.other AS SELECT 1 AS x;"
    "CREATE TABLE shop.root (k int, v text) PARTITION BY LIST (k);"
    "CREATE TABLE shop.leaf PARTITION OF shop.root FOR VALUES IN (1);"
    "INSERT INTO shop.root SELECT 1, i FROM generate_series(1, 100) AS i;"
    /* Some time to look on. */
    "CREATE TABLE shop.large AS SELECT i, repeat(md5(i::text), 30) AS x"
    "  FROM generate_series(1, 30000) AS i;";

/* All need ACCESS EXCLUSIVE on shop.t or shop.leaf. */
static const char *const statements[] = {
    "TRUNCATE shop.t",
    "CLUSTER shop.t USING t_v",
    "ALTER TABLE shop.t ALTER n TYPE bigint",
    "ALTER TABLE shop.t ALTER v TYPE varchar",
    "ALTER TABLE shop.t ADD y int DEFAULT 7",
    "ALTER TABLE shop.t ADD y float8 DEFAULT random()",
    "ALTER TABLE shop.t DROP n",
    "ALTER TABLE shop.t RENAME n TO m",
    "ALTER TABLE shop.t RENAME TO u",
    "ALTER TABLE shop.t SET SCHEMA public",
    "ALTER TABLE shop.t RENAME TO u; ALTER TABLE shop.other RENAME TO t",
    "DROP TABLE shop.t",
    "DROP TABLE shop.t; CREATE TABLE shop.t (id int, n int, v text, e shop.e);"
    "INSERT INTO shop.t VALUES (1, 1, 'another', 'b')",
    "ALTER TABLE shop.t RENAME id TO x; ALTER TABLE shop.t RENAME n TO id;"
    "ALTER TABLE shop.t RENAME x TO n; UPDATE shop.t SET n = n + 1",
    "ALTER TABLE shop.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    "DROP TABLE shop.leaf",
    "ALTER TABLE shop.root DETACH PARTITION shop.leaf",
};

enum { N_STATEMENTS = sizeof statements / sizeof *statements };

static const char *
make_source(void)
{
    const char *source = server_database("source");

    server_sql(source, tables);
    return source;
}

/* What the copy of a table must be like: its rows, their columns. */
struct look {
    const char *rows, *columns;
};

static struct look
look_at(const char *conninfo, const char *table)
{
    return (struct look){
        server_fingerprint(conninfo, table),
        server_value(conninfo,
                     server_process_text(
                         "SELECT string_agg(attname || ' ' ||"
                         " format_type(atttypid, atttypmod), ', ' ORDER BY"
                         " attnum) FROM pg_attribute WHERE attrelid ="
                         " '%s'::regclass AND attnum > 0 AND NOT attisdropped",
                         table)),
    };
}

static void
assert_like(struct look is, struct look was, const char *statement)
{
    cr_assert_str_eq(is.columns, was.columns, "%s: %s", statement, is.columns);
    cr_assert_str_eq(is.rows, was.rows, "%s: other rows", statement);
}

static PGconn *
begin_with_lock(const char *source)
{
    PGconn *conn = PQconnectdb(source);

    PQclear(PQexec(conn, "BEGIN; LOCK TABLE shop.t, shop.leaf"));
    cr_assert_eq(PQtransactionStatus(conn), PQTRANS_INTRANS, "%s",
                 PQerrorMessage(conn));
    return conn;
}

static const char waits_for_lock[] =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE"
    " 'pghaul%' AND datname = current_database() AND wait_event_type = 'Lock'";

/* The statement is done after the snapshot was taken, and before its lock. */
static struct server_run
export_meanwhile(const char *source, const char *run_dir, const char *statement)
{
    PGconn *conn = begin_with_lock(source);
    struct server_program p = server_program_start(
        moves_words("export", "--source", source, "--dir", run_dir, "--quiet"));

    moves_wait_until(source, waits_for_lock);
    PQclear(PQexec(conn, statement));
    PQclear(PQexec(conn, "COMMIT"));
    cr_assert_eq(PQtransactionStatus(conn), PQTRANS_IDLE, "%s",
                 PQerrorMessage(conn));
    PQfinish(conn);
    return server_program_wait(&p);
}

Test(ddl, before_the_lock_is_refused_by_name_or_not_in_the_copy)
{
    unsigned n_refused = 0;

    for (unsigned i = 0; i < N_STATEMENTS; i++) {
        const char *source = make_source(), *target;
        const char *run_dir = moves_path(server_tmp_dir(), "run");
        struct look t = look_at(source, "shop.t");
        struct look leaf = look_at(source, "shop.leaf");
        struct server_run run =
            export_meanwhile(source, run_dir, statements[i]);

        if (run.status != 0) {
            cr_assert(run.status == 6 || run.status == 3, "%s: %d: %s",
                      statements[i], run.status, run.errors);
            cr_assert(strstr(run.errors, "shop.t") ||
                          strstr(run.errors, "shop.other") ||
                          strstr(run.errors, "leaf"),
                      "%s: not named: %s", statements[i], run.errors);
            n_refused++;
            continue;
        }
        target = server_database("target");
        moves_load(target, run_dir);
        moves_assert_verified(target, run_dir);
        assert_like(look_at(target, "shop.t"), t, statements[i]);
        assert_like(look_at(target, "shop.leaf"), leaf, statements[i]);
    }
    cr_assert_gt(n_refused, 0);
}

/* After a refusal the same command must be able to begin anew. */
Test(ddl, export_that_was_refused_begins_anew_with_the_same_command)
{
    const char *source = make_source(), *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = export_meanwhile(source, run_dir, statements[0]);

    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, "\"shop.t\" was truncated"), "%s",
                       run.errors);
    moves_export(source, run_dir);
    moves_load(target, run_dir);
    moves_assert_same_tables(source, target);
}

static void
assert_waits(const char *source, const char *statement, const char *when)
{
    PGconn *conn = PQconnectdb(source);
    PGresult *r;

    PQclear(PQexec(conn, "SET lock_timeout = 150"));
    r = PQexec(conn, statement);
    cr_assert_eq(PQresultStatus(r), PGRES_FATAL_ERROR, "%s: not blocked %s",
                 statement, when);
    cr_assert_str_eq(PQresultErrorField(r, PG_DIAG_SQLSTATE), "55P03", "%s: %s",
                     statement, PQresultErrorMessage(r));
    PQclear(r);
    PQfinish(conn);
}

/* Some of it is staged, and most is not. */
static struct server_program
half_an_export(const char *const command[], const char *run_dir)
{
    struct server_program p = server_program_start(command);

    moves_wait_until_staged(run_dir);
    kill(p.pid, SIGSTOP);
    return p;
}

Test(ddl, after_the_lock_waits_also_between_two_exporters)
{
    const char *source = make_source(), *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const *command =
        moves_words("export", "--source", source, "--dir", run_dir, "--jobs",
                    "1", "--chunk-size", "1MB", "--quiet");
    struct look t = look_at(source, "shop.t");
    struct server_program p = half_an_export(command, run_dir);
    struct server_run run;

    for (unsigned i = 0; i < N_STATEMENTS; i++)
        assert_waits(source, statements[i], "while chunks are read");
    assert_waits(source, "VACUUM FULL shop.t", "while chunks are read");
    kill(p.pid, SIGKILL);
    kill(p.pid, SIGCONT);
    server_program_wait(&p);

    for (unsigned i = 0; i < N_STATEMENTS; i++)
        assert_waits(source, statements[i], "after the exporter was killed");
    server_sql(source, "DELETE FROM shop.t WHERE id > 1000");
    run = server_run(command);
    cr_assert_eq(run.status, 0, "%d: %s", run.status, run.errors);
    moves_load(target, run_dir);
    moves_assert_verified(target, run_dir);
    assert_like(look_at(target, "shop.t"), t, "DELETE");
}
