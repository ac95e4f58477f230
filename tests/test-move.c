/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* The only file that the pattern (below dir) matches. */
static char *
only_file(const char *dir, const char *pattern)
{
    char *found;
    glob_t g;

    cr_assert_eq(glob(moves_path(dir, pattern), 0, NULL, &g), 0, "no %s",
                 pattern);
    found = strdup(g.gl_pathv[0]);
    globfree(&g);
    return found;
}

static struct server_run
shell(const char *command)
{
    return server_run((const char *const[]){"sh", "-c", command, NULL});
}

#define assert_says moves_assert_says

/* ---- the whole way ---- */

Test(move, copy_is_equal_in_rows_schema_and_sequences)
{
    const char *source = moves_source(), *dir = server_tmp_dir();
    const char *target = server_database("target");
    const char *run_dir = moves_path(dir, "run");
    struct server_run run;

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(source, target);
}

Test(move, clone_is_equal_too)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    run = moves_pghaul("clone", "--source", source, "--target", target, "--dir",
                       run_dir, "--jobs", "2", "--chunk-size", "1MB");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(source, target);
}

Test(move, text_and_stored_and_synchronous_runs_are_equal_as_well)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--format",
                     "text", "--compress", "none", "--io", "sync");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, run_dir);
    run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(source, target);
}

Test(move, commands_repeated_after_the_end_do_nothing)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *before;

    moves_export(source, run_dir);
    before = server_value(source, "SELECT count(*) FROM shop.orders");
    server_sql(source, "DELETE FROM shop.orders WHERE id < 100");
    moves_export(source, run_dir);
    moves_load(target, run_dir);
    server_sql(target, "SELECT setval('shop.orders_id_seq', 90000)");
    moves_load(target, run_dir);

    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM shop.orders"),
                     before);
    cr_assert_str_eq(
        server_value(target, "SELECT last_value FROM shop.orders_id_seq"),
        "90000");
}

Test(move, writes_during_the_export_are_not_in_it)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *const words[] = {
        "sh", "-c",
        "for i in 1 2 3 4 5 6 7 8 9; do psql -qd \"$0\" -c 'WITH gone AS"
        " (DELETE FROM shop.odd WHERE \"we ird\"\"col\" % 10 = '$i' RETURNING"
        " 1) INSERT INTO shop.empty SELECT '$i' * 1000 + row_number() OVER ()"
        " FROM gone' || exit 1; done",
        source, NULL};
    struct server_program writer = server_program_start(words);
    struct server_run run;

    moves_export(source, run_dir);
    run = server_program_wait(&writer);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_load(target, run_dir);
    /* Each transaction moved rows from one table to the other. */
    cr_assert_str_eq(server_value(target,
                                  "SELECT (SELECT count(*) FROM shop.odd) +"
                                  " (SELECT count(*) FROM shop.empty)"),
                     "3000");
}

/* ---- a staged file, by hand ---- */

Test(move, chunk_file_is_read_by_lz4_and_loaded_by_psql_alone)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *by_hand = server_database("target");
    char command[2048];
    struct server_run run;

    moves_export(source, run_dir);
    server_sql(by_hand, "CREATE TABLE customers (id bigint, name text, born"
                        " date, note text)");
    snprintf(
        command, sizeof command,
        "set -e; for f in %s/data/tables/*-customers/*.copy.lz4; do"
        " lz4 -tq $f; lz4 -dcq $f | psql -qd \"%s\" -c 'COPY customers FROM"
        " STDIN (FORMAT binary)'; done",
        run_dir, by_hand);
    run = shell(command);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_fingerprint(by_hand, "customers"),
                     server_fingerprint(source, "shop.customers"));
}

Test(move, run_directory_is_private)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    char command[512];
    struct server_run run;

    moves_export(source, run_dir);
    snprintf(command, sizeof command, "find %s -perm /077", run_dir);
    run = shell(command);
    cr_assert_str_empty(run.output);
}

Test(move, data_alone_is_enough_to_load_elsewhere)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *dir = server_tmp_dir();
    const char *run_dir = moves_path(dir, "run");
    const char *carried = moves_path(dir, "carried");
    char command[512];
    struct server_run run;

    moves_export(source, run_dir);
    snprintf(command, sizeof command, "mkdir -m 700 %s && cp -a %s/data %s",
             carried, run_dir, carried);
    cr_assert_eq(shell(command).status, 0);
    moves_load(target, carried);
    run = moves_pghaul("verify", "--target", target, "--dir", carried);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(source, target);
}

/* ---- what verify finds ---- */

struct difference {
    const char *name, *sql, *says;
};

static const struct difference differences[] = {
    {"a row is missing", "DELETE FROM shop.orders WHERE id = 77",
     "shop.orders: 20000 rows in the bag, 19999 in the target"},
    {"a row is doubled", "INSERT INTO shop.log VALUES ('2024-01-02', 'line 1')",
     "shop.log_1: "},
    {"a value is changed",
     "UPDATE shop.orders SET amount = amount + 0.01"
     " WHERE id = 5",
     "shop.orders: as many rows (20000), but not the same"},
    {"NULL became empty", "UPDATE shop.customers SET note = '' WHERE id = 1",
     "shop.customers: as many rows"},
    {"a table is gone", "DROP TABLE shop.empty",
     "shop.empty: it is in the bag only"},
    {"a row too many without columns",
     "INSERT INTO shop.nothing DEFAULT"
     " VALUES",
     "shop.nothing: 11 rows in the bag, 12 in the target"},
};

Test(move, verify_finds_and_names_what_differs)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, run_dir);
    for (unsigned i = 0; i < sizeof differences / sizeof *differences; i++) {
        const char *target = server_database("target");

        moves_load(target, run_dir);
        server_sql(target, "DROP TRIGGER stop ON shop.orders");
        server_sql(target, differences[i].sql);
        run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
        assert_says(run, 1, differences[i].says);
    }
}

Test(move, verify_does_not_mind_the_order_of_rows)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    server_sql(target, "UPDATE shop.orders SET amount = amount"
                       " WHERE id % 2 = 0");
    server_sql(target, "CLUSTER shop.customers USING customers_pkey");
    run = moves_pghaul("verify", "--target", target, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

/* ---- damage on disk ---- */

static void
flip_byte(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    unsigned char byte;

    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

Test(move, damaged_file_is_named_and_none_of_its_rows_are_loaded)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;
    char *file;

    moves_export(source, run_dir);
    file = only_file(run_dir, "data/tables/*-odd/*.lz4");
    flip_byte(file, 5000);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 4, "is damaged");
    assert_says(run, 4, "-odd/");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM shop.odd"),
                     "0");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM shop.orders"),
                     "20000");

    flip_byte(file, 5000);
    moves_load(target, run_dir);
    moves_assert_equal(source, target);
}

Test(move, missing_and_swapped_files_are_found)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    char *a, *b, command[1024];
    struct server_run run;

    moves_export(source, run_dir);
    a = only_file(run_dir, "data/tables/*-log_1/*.lz4");
    b = only_file(run_dir, "data/tables/*-log_2/*.lz4");
    snprintf(command, sizeof command, "mv %s %s.x; mv %s %s; mv %s.x %s", a, a,
             b, a, a, b);
    cr_assert_eq(shell(command).status, 0);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 4, "-log_1/");

    cr_assert_eq(shell(command).status, 0);
    cr_assert_eq(rename(a, moves_path(run_dir, "away")), 0);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    cr_assert_neq(run.status, 0);
    cr_assert_not_null(strstr(run.errors, "-log_1/"));
    cr_assert_eq(rename(moves_path(run_dir, "away"), a), 0);
    moves_load(target, run_dir);
    moves_assert_equal(source, target);
}

/* ---- refusals ---- */

Test(move, target_that_is_not_empty_is_refused)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, run_dir);
    server_sql(target, "CREATE TABLE mine (a int)");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 6, "the target database is not empty");
    assert_says(run, 6, "public.mine");
}

Test(move, load_before_the_export_is_complete_is_refused)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *target = server_database("target");
    struct server_run run;

    server_sql(source, "CREATE ROLE guest LOGIN;"
                       "GRANT USAGE ON SCHEMA shop TO guest;"
                       "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO guest;"
                       "GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO guest;"
                       "REVOKE SELECT ON shop.odd FROM guest");
    run = moves_pghaul("export", "--dir", run_dir, "--source",
                       server_value(source, "SELECT 'user=guest host='"
                                            " || current_setting("
                                            "'unix_socket_directories')"
                                            " || ' dbname='"
                                            " || current_database()"));
    assert_says(run, 3, "permission denied for table odd");

    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 6, "the export of this run is not complete");
    server_sql(source, "DROP OWNED BY guest; DROP ROLE guest");
}

Test(move, directory_of_another_source_is_refused)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, run_dir);
    run = moves_pghaul("export", "--source", server_database("source"), "--dir",
                       run_dir);
    assert_says(run, 6, "is of another source");
}
