/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the tests of cut-overs share: a bank that was moved and is followed,
 * its tellers, and what must hold of it.
 */

#include <signal.h>
#include <stdlib.h>

#include "tests/cdc.h"

struct moved {
    const char *source, *target, *dir;
};

static const char vaults[] =
    "CREATE TABLE journal (id bigserial PRIMARY KEY, i int, j int, note text);"
    "CREATE TABLE parts (i int PRIMARY KEY, t text) PARTITION BY RANGE (i);"
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);"
    "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (2000);"
    "INSERT INTO parts SELECT i, repeat(md5(i::text), 100) FROM"
    "  generate_series(1, 1999) AS i;"
    "CREATE SEQUENCE unused START 77; CREATE SEQUENCE down INCREMENT -2;"
    "SELECT nextval('down');";

static inline void
follow(const struct moved *m)
{
    struct server_run run = moves_pghaul("handoff", "--dir", m->dir, "--source",
                                         m->source, "--target", m->target,
                                         "--to", "subscription", "--unproven");

    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
}

/* A bank whose target follows it. */
static inline struct moved
moved(void)
{
    struct moved m = {bank_database(), server_database("target"), run_dir()};
    struct server_run run;

    server_sql(m.source, vaults);
    run = server_run(cdc_words(m.source, "--dir", m.dir));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(m.target, m.dir);
    follow(&m);
    return m;
}

/* (m, "--dry-run", ...) */
#define cutover_words(m, ...)                                                  \
    moves_words("cutover", "--source", (m).source, "--target", (m).target,     \
                "--dir", (m).dir, "--yes", ##__VA_ARGS__)
#define cutover(m, ...) server_run(cutover_words(m, ##__VA_ARGS__))

/* Money goes from a to b; another client writes notes and parts. */
static inline struct server_program
start_tellers(const char *conninfo)
{
    const char *script = moves_path(server_tmp_dir(), "teller.sql");
    FILE *f = fopen(script, "w");

    cr_assert_not_null(f);
    fputs("\\set i random(1, 30000)\n\\set j random(1, 30000)\n"
          "\\set k random(1, 1999)\n"
          "BEGIN;\nUPDATE a SET n = n - 1 WHERE i = :i;\n"
          "UPDATE b SET n = n + 1 WHERE i = :j;\n"
          "INSERT INTO journal (i, j, note) VALUES (:i, :j, 'x');\nCOMMIT;\n"
          "UPDATE parts SET t = 't' || t WHERE i = :k;\n"
          "DELETE FROM journal WHERE i = :j;\n",
          f);
    fclose(f);
    return server_program_start((const char *const[]){
        server_process_text("%s/pgbench", server_bin_dir()), "-n", "-c", "2",
        "-R", "200", "-T", "600", "-f", script, conninfo, NULL});
}

static const char total[] = "SELECT (SELECT sum(n) FROM a)"
                            " + (SELECT sum(n) FROM b) = 60000000";

static inline void
assert_same_bank(const struct moved *m)
{
    static const char *const tables[] = {"public.a", "public.b",
                                         "public.journal", "public.parts_1",
                                         "public.parts_2"};

    cr_assert_str_eq(server_value(m->source, total), "t");
    cr_assert_str_eq(server_value(m->target, total), "t");
    for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++)
        cr_assert_str_eq(server_fingerprint(m->target, tables[i]),
                         server_fingerprint(m->source, tables[i]),
                         "%s is not the same", tables[i]);
}

/* What a cut-over can leave in a database and its cluster. */
static const char marks[] =
    "SELECT concat_ws(',', (SELECT string_agg(slot_name, ' ') FROM"
    "  pg_replication_slots WHERE database = current_database()),"
    " (SELECT string_agg(pubname, ' ') FROM pg_publication),"
    " (SELECT string_agg(subname || subenabled, ' ') FROM pg_subscription"
    "  WHERE subdbid = (SELECT oid FROM pg_database"
    "   WHERE datname = current_database())),"
    " (SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting s"
    "  JOIN pg_database d ON d.oid = s.setdatabase"
    "  WHERE d.datname = current_database()))";

static inline const char *
marks_of(const struct moved *m)
{
    return server_process_text("%s | %s", server_value(m->source, marks),
                               server_value(m->target, marks));
}

/* Slots keep databases from being dropped, and are of a cluster that other
   tests use. */
static inline void
clear_up(const struct moved *m)
{
    struct server_run run;

    cutover(*m, "--rollback");
    server_sql(
        m->target,
        "BEGIN READ WRITE; DO $$ DECLARE n text; BEGIN FOR n IN SELECT subname"
        " FROM pg_subscription WHERE subdbid = (SELECT oid"
        " FROM pg_database WHERE datname ="
        " current_database()) LOOP EXECUTE format('ALTER"
        " SUBSCRIPTION %I DISABLE', n); EXECUTE"
        " format('ALTER SUBSCRIPTION %I SET (slot_name ="
        " NONE)', n); EXECUTE format('DROP SUBSCRIPTION %I',"
        " n); END LOOP; END $$; COMMIT");
    moves_wait_until(m->source, "SELECT count(*) = 0 FROM pg_replication_slots"
                                " WHERE active AND database ="
                                " current_database()");
    run = moves_pghaul("abort", "--source", m->source, "--target", m->target,
                       "--dir", m->dir, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
}
