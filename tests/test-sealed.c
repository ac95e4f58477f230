/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* Run a command of the shell in the directory. */
static struct server_run
shell(const char *dir, const char *command)
{
    return server_run((const char *const[]){
        "sh", "-c", "cd \"$0\" && eval \"$1\"", dir, command, NULL});
}

static void
must(const char *dir, const char *command)
{
    struct server_run run = shell(dir, command);

    cr_assert_eq(run.status, 0, "%s: %s%s", command, run.errors, run.output);
}

/* By others' word, and by ours. */
static void
assert_sealed(const char *dir)
{
    struct server_run run = moves_pghaul("status", "--dir", dir);

    cr_assert(strstr(run.output, "sealed "), "%s", run.output);
    must(dir, "sha256sum --strict --quiet -c tagmanifest-sha256.txt");
    must(dir, "sha256sum --strict --quiet -c manifest-sha256.txt");
    must(dir, "test $(find data -type f | wc -l) -eq"
              " $(wc -l <manifest-sha256.txt)");
    must(dir, "test -z \"$(find . -type f ! -perm 600)\"");
}

static const char *
run_dir(void)
{
    return moves_path(server_tmp_dir(), "run");
}

Test(sealed, export_is_a_bag_and_stays_the_same_bag)
{
    const char *source = moves_source(), *dir = run_dir();

    moves_export(source, dir);
    assert_sealed(dir);
    must(dir, "stat -c '%n %i %y' *.txt data/*.* >../before");
    moves_export(source, dir);
    moves_load(server_database("target"), dir);
    must(dir, "stat -c '%n %i %y' *.txt data/*.* | cmp - ../before");
    assert_sealed(dir);
}

Test(sealed, clone_is_a_bag_too)
{
    const char *dir = run_dir();
    struct server_run run =
        moves_pghaul("clone", "--source", moves_source(), "--target",
                     server_database("target"), "--dir", dir);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_sealed(dir);
}

/* As after a crash between the last chunk and the seal. */
Test(sealed, export_that_was_not_sealed_is_sealed_by_the_same_command)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run;

    moves_export(source, dir);
    must(dir, "rm tagmanifest-sha256.txt bag-info.txt"
              " && mv bagit.txt bagit.txt.part && : >README.txt");
    run = moves_pghaul("status", "--dir", dir);
    cr_assert_not(strstr(run.output, "sealed "));
    moves_export(source, dir);
    must(dir, "test ! -e bagit.txt.part");
    assert_sealed(dir);
}

Test(sealed, begun_again_is_another_bag)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run;

    moves_export(source, dir);
    must(dir, "cp bag-info.txt ../before");
    run = moves_pghaul("export", "--source", source, "--dir", dir,
                       "--start-over", "--quiet");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_sealed(dir);
    cr_assert_neq(shell(dir, "grep -qxf ../before bag-info.txt && "
                             "grep External-Identifier ../before |"
                             " grep -qxFf - bag-info.txt")
                      .status,
                  0);
}

Test(sealed, foreign_file_below_data_is_named_and_nothing_is_sealed)
{
    const char *source = moves_source(), *dir = run_dir();
    struct server_run run;

    must(server_tmp_dir(), "true");
    moves_export(source, dir);
    must(dir, "rm tagmanifest-sha256.txt && echo >data/notes");
    run = moves_pghaul("export", "--source", source, "--dir", dir);
    cr_assert_eq(run.status, 6, "%s", run.errors);
    cr_assert(strstr(run.errors, "\"data/notes\" is no part of the run"), "%s",
              run.errors);
    must(dir, "test ! -e tagmanifest-sha256.txt && rm data/notes");
    moves_export(source, dir);
    assert_sealed(dir);
}

/* ---- carried to another machine ---- */

static const char carry[] = "mkdir -m 700 ../carried && cp -a data *.txt"
                            " ../carried";

Test(sealed, carried_bag_is_loaded_and_verified)
{
    const char *source = moves_source(), *dir = run_dir();
    const char *target = server_database("target");
    char *carried;

    moves_export(source, dir);
    must(dir, carry);
    cr_assert_gt(asprintf(&carried, "%s/../carried", dir), 0);
    moves_load(target, carried);
    moves_assert_verified(target, carried);
    moves_assert_equal(source, target);
    assert_sealed(carried);
    free(carried);
}

static const struct {
    const char *damage, *message;
} damages[] = {
    {"sed -i s/1.0/0.97/ bagit.txt", "\"bagit.txt\" is of another version"},
    {"echo >>manifest-sha256.txt", "\"manifest-sha256.txt\" is not the one"},
    {"echo x >tagmanifest-sha256.txt",
     "\"tagmanifest-sha256.txt\" is malformed"},
    {"sed -i 's/\"rows\": 1/\"rows\": 2/' data/catalog.json",
     "\"data/catalog.json\" is not the one that was sealed"},
};

Test(sealed, carried_bag_that_does_not_fit_is_not_loaded)
{
    const char *source = moves_source(), *dir = run_dir();
    const char *target = server_database("target");

    moves_export(source, dir);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char *carried;
        struct server_run run;

        must(dir, "rm -rf ../carried");
        must(dir, carry);
        cr_assert_gt(asprintf(&carried, "%s/../carried", dir), 0);
        must(carried, damages[i].damage);
        for (int again = 0; again < 2; again++) {
            run = moves_pghaul("load", "--target", target, "--dir", carried);
            cr_assert_eq(run.status, 4, "%s: %s", damages[i].damage,
                         run.errors);
            cr_assert(strstr(run.errors, damages[i].message), "%s: %s",
                      damages[i].damage, run.errors);
        }
        free(carried);
    }
    cr_assert_str_eq(server_value(target,
                                  "SELECT count(*) FROM pg_namespace"
                                  " WHERE nspname IN ('shop', 'pghaul')"),
                     "0");
}

/* ---- the README, to the letter ---- */

/* Names with all that a shell, SQL and a text file could stumble over; a type
   that makes the second table text. */
static const char hostile[] =
    "CREATE SCHEMA \"$(touch pwned); 'a\"\"b'\";"
    "CREATE TABLE \"$(touch pwned); 'a\"\"b'\".\"`x`\n    touch pwned\\\t%s*\""
    " (\"id'; --\" int PRIMARY KEY, \"ü\\n\" text, v numeric, b bytea,"
    "  \"$HOME\" timestamptz, i interval);"
    "INSERT INTO \"$(touch pwned); 'a\"\"b'\".\"`x`\n    touch pwned\\\t%s*\""
    " SELECT i, E'a\\tb\\nc\\\\.' || i, i / 7.0, decode(md5(i::text), 'hex'),"
    "  'epoch'::timestamptz + i * interval '1 day', - i * interval '1 day 2 s'"
    "  FROM generate_series(1, 30000) AS i;"
    "CREATE TABLE public.\"../../etc\" (\"a b\" tsvector, m money, t timestamp,"
    "  i interval, x xml, z text);"
    "INSERT INTO public.\"../../etc\" SELECT to_tsvector('simple', 'w ' || i),"
    "  i * 1.5, 'epoch'::timestamp + i * interval '1 day',"
    "  - i * interval '1 day 2 s', '<a/>text', E'\\\\N' || i"
    "  FROM generate_series(1, 30000) AS i;";

/* Its indented lines, run with nothing but what it names. */
static const char follow[] =
    "set -eu\n"
    "mkdir ../bin\n"
    "for p in psql; do ln -s $BIN/$p ../bin; done\n"
    "for p in lz4 sha256sum; do ln -s $(command -v $p) ../bin; done\n"
    "sed -n 's/^    //p' README.txt >../commands\n"
    "test $(wc -l <../commands) -ge 10\n"
    "sh=$(command -v sh)\n"
    "PATH=$PWD/../bin $sh -eu ../commands\n"
    "test ! -e pwned\n";

static const char *
restored(const char *target)
{
    static char conninfo[512];

    snprintf(conninfo, sizeof conninfo, "%s dbname=restored", target);
    return conninfo;
}

static void
assert_same(const char *source, const char *target, const char *table)
{
    cr_assert_str_eq(server_fingerprint(target, table),
                     server_fingerprint(source, table), "%s", table);
}

Test(sealed, readme_restores_tables_with_common_tools_alone)
{
    const char *source = server_database("source"), *dir = run_dir();
    const char *target = server_conninfo("target");
    struct server_run run;

    server_sql(source, hostile);
    server_sql(target, "DROP DATABASE IF EXISTS restored");
    /* A role's settings must not get in the way. */
    server_sql(target, "ALTER SYSTEM SET DateStyle = 'SQL, DMY'");
    server_sql(target, "ALTER SYSTEM SET IntervalStyle = 'sql_standard'");
    server_sql(target, "SELECT pg_reload_conf()");
    moves_export(source, dir);
    setenv("BIN", server_bin_dir(), 1);
    setenv("PGHOST", server_socket_dir("target"), 1);
    setenv("PGUSER", server_value(target, "SELECT current_user"), 1);
    setenv("PGPORT", server_value(target, "SHOW port"), 1);
    run = shell(dir, follow);
    cr_assert_eq(run.status, 0, "%s%s", run.errors, run.output);
    cr_assert_str_eq(run.errors, "");
    unsetenv("PGHOST");
    assert_same(source, restored(target),
                "\"$(touch pwned); 'a\"\"b'\".\"`x`\n    touch pwned\\\t%s*\"");
    assert_same(source, restored(target), "public.\"../../etc\"");
    cr_assert_str_eq(server_value(restored(target),
                                  "SELECT count(*) FROM pg_indexes"
                                  " WHERE indexname LIKE '%pkey'"
                                  " AND schemaname LIKE '$%'"),
                     "1");
}
