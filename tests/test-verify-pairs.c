/* SPDX-License-Identifier: PostgreSQL */

/* What may be compared with what, how much of it, and what is no difference. */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server.h"

SERVERS({"only"})

#define assert_equal(run)                                                      \
    cr_assert_eq((run).status, 0, "%s%s", (run).errors, (run).output)

/* The same rows, in tables made in another way. */
static const char rows[] =
    "INSERT INTO t (id, a, b, c) SELECT i, 'a' || i, i * 1.10,"
    "  CASE WHEN i % 3 > 0 THEN now() - now() + interval '1 day' * i END"
    "  FROM generate_series(1, 3000) AS i;"
    "INSERT INTO plain (a, b) SELECT i % 50, 'v' || i % 20"
    "  FROM generate_series(1, 1000) AS i;"
    "INSERT INTO words (id, w) SELECT i, to_tsvector('simple', 'w ' || i)"
    "  FROM generate_series(1, 500) AS i;"
    "INSERT INTO p SELECT i, 'x' FROM generate_series(1, 900) AS i;"
    "SELECT lo_from_bytea(20001, 'x')";

static const char one_way[] =
    "CREATE TABLE t (id int PRIMARY KEY, a text, b numeric, c interval,"
    "  d text GENERATED ALWAYS AS (a || '!') STORED);"
    "CREATE TABLE plain (a int, b text);"
    "CREATE TABLE words (id int PRIMARY KEY, w tsvector);"
    "CREATE TABLE p (a int, b text) PARTITION BY RANGE (a);"
    "CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (500);"
    "CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (500) TO (1000);";

static const char other_way[] =
    "CREATE TABLE t (gone int, c interval, id int, b numeric, gone_too text,"
    "  a text, d text GENERATED ALWAYS AS (a || '!') STORED)"
    "  WITH (fillfactor = 20);"
    "ALTER TABLE t DROP gone, DROP gone_too, ADD PRIMARY KEY (id);"
    "CREATE TABLE plain (b text, a int);"
    "CREATE TABLE words (w tsvector, id int PRIMARY KEY);"
    "CREATE TABLE p (a int, b text) PARTITION BY RANGE (a);"
    "CREATE TABLE p_2 (b text, x int, a int); ALTER TABLE p_2 DROP x;"
    "ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES FROM (500) TO (1000);"
    "CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (500);";

/* Rows that have moved about, and holes. */
static const char shuffle[] =
    ";UPDATE t SET a = a WHERE id % 2 = 0; UPDATE plain SET a = a WHERE a < 9;"
    "INSERT INTO t (id) VALUES (9999); DELETE FROM t WHERE id = 9999";

static const char *
database_of(const char *tables, const char *more)
{
    const char *conninfo = server_database("only");
    char sql[4096];

    snprintf(sql, sizeof sql, "%s%s%s", tables, rows, more);
    server_sql(conninfo, sql);
    return conninfo;
}

Test(verify_pairs, servers_are_equal_whatever_their_order_of_rows_and_columns)
{
    const char *source = database_of(one_way, "");
    const char *target = database_of(other_way, shuffle);
    struct server_run run =
        moves_pghaul("verify", "--source", source, "--target", target);

    assert_equal(run);
    cr_assert(strstr(run.output, "in 6 tables, every row"), "%s", run.output);

    server_sql(target, "UPDATE t SET a = 'b' WHERE id = 7;"
                       "DELETE FROM words WHERE id = 8");
    run = moves_pghaul("verify", "--source", source, "--target", target);
    moves_assert_says(run, 1,
                      "differing: id = 7: a is a7 in the source, b in the");
    moves_assert_says(run, 1,
                      "public.words: 500 rows in the source, 499 in the");
    moves_assert_says(run, 1, "missing: id = 8\n");
    moves_assert_says(run, 1,
                      "Of 6 tables 4 are equal, 2 differ, 0 are on one side");

    /* Of what was asked for alone. */
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--table", "plain");
    assert_equal(run);
}

/* The same rows of all: what is in the sample is found, and what is not, not. */
Test(verify_pairs, sample_is_the_same_on_all_sides)
{
    const char *source = database_of(one_way, "");
    const char *target = database_of(other_way, shuffle);
    const char *dir = moves_path(server_tmp_dir(), "run");
    const char *const pairs[][2] = {{"--source", source}, {"--dir", dir}};
    struct server_run run;
    const char *found[2];

    moves_export(source, dir);
    for (int i = 0; i < 2; i++) {
        run = moves_pghaul("verify", pairs[i][0], pairs[i][1], "--target",
                           target, "--sample", "10%");
        assert_equal(run);
        cr_assert(strstr(run.output, "a sample of 10%"), "%s", run.output);
        found[i] = run.output;
    }
    cr_assert_eq(strncmp(found[0], found[1], strcspn(found[0], ",")), 0, "%s%s",
                 found[0], found[1]);

    server_sql(target, "UPDATE t SET a = 'b'; UPDATE words SET w = 'z'");
    for (int i = 0; i < 2; i++) {
        run = moves_pghaul("verify", pairs[i][0], pairs[i][1], "--target",
                           target, "--sample", "10%", "--show", "1");
        moves_assert_says(run, 1, "rows: 0 missing, 0 extra, ");
        found[i] = strstr(strstr(run.errors, "public.t:"), "rows: ");
    }
    cr_assert_eq(strncmp(found[0], found[1], strcspn(found[0], "\n")), 0,
                 "%s%s", found[0], found[1]);
}

static void
flip_byte(const char *dir, const char *pattern)
{
    unsigned char byte;
    struct stat st;
    glob_t g;
    int fd;

    cr_assert_eq(glob(moves_path(dir, pattern), 0, NULL, &g), 0);
    fd = open(g.gl_pathv[0], O_RDWR);
    cr_assert_geq(fd, 0);
    fstat(fd, &st);
    cr_assert_eq(pread(fd, &byte, 1, st.st_size / 2), 1);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, st.st_size / 2), 1);
    close(fd);
    globfree(&g);
}

Test(verify_pairs, bags_are_compared_and_read_again_when_asked_to)
{
    const char *source = database_of(one_way, "");
    const char *a = moves_path(server_tmp_dir(), "a");
    const char *b = moves_path(server_tmp_dir(), "b");
    const char *c = moves_path(server_tmp_dir(), "c");
    struct server_run run;

    moves_export(source, a);
    moves_export(source, b);
    run = moves_pghaul("verify", "--dir", a, "--other-dir", b);
    assert_equal(run);
    run = moves_pghaul("verify", "--dir", a, "--other-dir", b, "--deep");
    assert_equal(run);

    server_sql(source, "UPDATE words SET w = 'z' WHERE id = 3");
    moves_export(source, c);
    run = moves_pghaul("verify", "--dir", a, "--other-dir", c);
    moves_assert_says(run, 1,
                      "public.words: as many rows (500), but not the same\n"
                      "  rows: 1 missing, 1 extra, 0 differing\n");
    moves_assert_says(run, 1, "extra: id = 3, w = 'z'");

    flip_byte(a, "data/tables/*-t/*.lz4");
    run = moves_pghaul("verify", "--dir", a, "--other-dir", b);
    assert_equal(run);
    run = moves_pghaul("verify", "--dir", a, "--other-dir", b, "--deep");
    moves_assert_says(run, 1, "public.t: could not be read: ");
    moves_assert_says(run, 1, "is damaged");
    moves_assert_says(run, 1,
                      "5 are equal, 0 differ, 0 are on one side only and 1 "
                      "could not be compared");
}

Test(verify_pairs, source_is_seen_in_the_runs_snapshot_while_the_keeper_lives)
{
    const char *source = server_database("only");
    const char *target = server_database("only");
    const char *dir = moves_path(server_tmp_dir(), "run");
    static const char table[] =
        "CREATE TABLE t AS SELECT i AS id, repeat('x', 900) AS a"
        "  FROM generate_series(1, 10000) AS i";
    struct server_program export;
    struct server_run run;

    server_sql(source, table);
    server_sql(target, table);
    export = server_program_start(moves_words("export", "--source", source,
                                              "--dir", dir, "--max-rate", "1MB",
                                              "--jobs", "1"));
    moves_wait_until(source, "SELECT count(*) > 0 FROM pg_stat_activity"
                             " WHERE application_name = 'pghaul: export'"
                             "  AND query LIKE 'COPY%'");
    kill(export.pid, SIGKILL);
    server_program_wait(&export);
    server_sql(source, "UPDATE t SET a = 'y' WHERE id = 5");

    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--dir", dir);
    moves_assert_says(run, 0, "the source is seen in the run's snapshot");
    run = moves_pghaul("abort", "--dir", dir, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--dir", dir);
    moves_assert_says(run, 1, "seen as it is now");
    moves_assert_says(run, 1, "rows: 1 missing, 1 extra, 0 differing");
}

/* ---- what is accepted ---- */

static const struct rule {
    const char *rule;
    int status;
} rules[] = {
    {"public.t: rows=1, match=99%", 0},
    {"public.t: match=99%", 1}, /* the numbers must be equal, too */
    {"public.t: rows=1", 1},    /* but for one row all must be the same */
    {"public.t: rows=0.1%, match=99.9%", 0},
    {"public.t: rows=0.01%, match=99%", 1},
    {"public.t: rows=1, match=99.99%", 1},
    {"public.*: rows=1, match=99%", 0},
    {"*: rows=1, match=99%", 0},
    {"public.plain: rows=1, match=99%", 1},
    {"public.t.a: rows=1, match=99%", 1},
    {"public.t", 2},
    {"public.t: rows", 2},
    {"public.t: rows=-1", 2},
    {"public.t: match=101%", 2},
    {"public.t: size=1", 2},
    {"t: rows=1", 2},
    {"a.b.c.d: rows=1", 2},
};

Test(verify_pairs, accepted_is_what_the_rules_say_and_no_more)
{
    const char *source = database_of(one_way, "");
    const char *target = database_of(other_way, "");
    struct server_run run;

    server_sql(target, "UPDATE t SET a = 'b' WHERE id = 7;"
                       "DELETE FROM t WHERE id = 8");
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
        run = moves_pghaul("verify", "--source", source, "--target", target,
                           "--table", "t", "--accept", rules[i].rule);
        cr_assert_eq(run.status, rules[i].status, "%s: %s", rules[i].rule,
                     run.errors);
    }
    server_sql(target, "CREATE TABLE new (a int)");
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--accept", "public.t: rows=1, match=99%", "--accept",
                       "*: extra=yes");
    assert_equal(run);
    server_sql(target, "DROP TABLE p; DROP TABLE words");
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--accept", "public.t: rows=1, match=99%", "--accept",
                       "*: extra=yes");
    moves_assert_says(run, 1, "public.words: it is in the source only");
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--accept", "public.t: rows=1, match=99%", "--accept",
                       "*: missing=yes");
    assert_equal(run);
}

Test(verify_pairs, json_has_the_rules_and_what_they_stand_in)
{
    const char *source = database_of(one_way, "");
    const char *target = database_of(other_way, "");
    const char *config = moves_path(server_tmp_dir(), "shop.yaml");
    json_t *all, *t, *accept;
    struct server_run run;
    char sum[65] = "";
    FILE *f = fopen(config, "w");

    fputs("accept:\n  - \"public.t: rows=1, match=99%\"\n", f);
    fclose(f);
    server_sql(target, "UPDATE t SET a = ' b' WHERE id = 7");
    run = moves_pghaul("verify", "--source", source, "--target", target,
                       "--config", config, "--json");
    assert_equal(run);
    all = json_loads(run.output, 0, NULL);
    cr_assert_not_null(all, "%s", run.output);
    cr_assert_eq(json_integer_value(json_object_get(all, "accepted")), 1);
    accept = json_object_get(all, "accept");
    cr_assert_str_eq(
        json_string_value(json_array_get(json_object_get(accept, "rules"), 0)),
        "public.t: rows=1, match=99%");
    run = server_run((const char *const[]){"sha256sum", config, NULL});
    memcpy(sum, run.output, 64);
    cr_assert_str_eq(
        json_string_value(json_object_get(accept, "config_sha256")), sum);

    size_t i;
    json_array_foreach(json_object_get(all, "tables"), i, t)
    {
        const char *text = json_dumps(t, JSON_COMPACT);

        if (strcmp(json_string_value(json_object_get(t, "name")), "t") == 0)
            cr_assert(strstr(text, "\"shown\":[{\"what\":\"differing\","
                                   "\"key\":\"id = 7\",\"columns\":{\"a\":"
                                   "{\"source\":\"a7\",\"target\":\" b\"}}}]"),
                      "%s", text);
    }
    json_decref(all);
}

Test(verify_pairs, options_that_name_no_two_are_refused)
{
    struct server_run run = moves_pghaul("verify", "--dir", "/nowhere");

    moves_assert_says(run, 2, "there are no two to be compared");
    run = moves_pghaul("verify", "--dir", "/nowhere", "--other-dir", "/x",
                       "--target", "dbname=x");
    moves_assert_says(run, 2, "cannot be used together");
    run = moves_pghaul("verify", "--dir", "/nowhere", "--target", "dbname=x",
                       "--sample", "0%");
    moves_assert_says(run, 2, "invalid value");
}

Test(verify_pairs, of_any_two_a_report_can_be_had)
{
    const char *a = server_database("only"), *b = server_database("only");
    const char *report = moves_path(server_tmp_dir(), "report");
    static const char table[] =
        "CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 100) AS i";
    struct server_run run;

    server_sql(a, table);
    server_sql(b, table);
    run = moves_pghaul("verify", "--source", a, "--target", b, "--report",
                       report);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.output, "report.html"), "%s", run.output);
    run = moves_pghaul("report", "--dir", report, "--json");
    cr_assert_not_null(strstr(run.output, "\"verdict\": \"equal\""), "%s",
                       run.output);
    server_sql(b, "DELETE FROM t WHERE id = 7");
    run = moves_pghaul("verify", "--source", a, "--target", b, "--report",
                       report, "--quiet");
    cr_assert_eq(run.status, 1, "%s", run.errors);
    run = moves_pghaul("report", "--dir", report, "--json");
    cr_assert_not_null(strstr(run.output, "1 of 1 tables is not the same on"),
                       "%s", run.output);
    run = server_run(
        (const char *const[]){"grep", "-c", "report of a comparison",
                              moves_path(report, "report.html"), NULL});
    cr_assert_eq(run.status, 0);
}
