/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define run_program(...) server_run((const char *const[]){__VA_ARGS__, NULL})

static const char *
program(const char *name)
{
    return moves_path(server_bin_dir(), name);
}

/* The first word that sha256sum prints. */
static const char *
sha256_of(const char *path)
{
    struct server_run run = run_program("sha256sum", path);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    run.output[strcspn(run.output, " ")] = '\0';
    return run.output;
}

static void
run_script(const char *conninfo, const char *path)
{
    struct server_run run =
        run_program(program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                    conninfo, "-f", path);

    cr_assert_eq(run.status, 0, "%s", run.errors);
}

Test(schema_text, psql_makes_the_schema_of_it)
{
    const char *source = moves_source(), *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    moves_export(source, run_dir);
    run_script(target, moves_path(run_dir, "data/schema/pre-data.sql"));
    run_script(target, moves_path(run_dir, "data/schema/post-data.sql"));
    moves_assert_same_schema(source, target);
}

Test(schema_text, same_dump_gives_the_same_bytes)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *dump = moves_path(run_dir, "data/schema.dump");
    struct server_run run;
    char *key;

    moves_export(source, run_dir);
    run = run_program(program("pg_restore"), "--help");
    if (!strstr(run.output, "--restrict-key"))
        cr_skip_test("this pg_restore knows no --restrict-key");
    cr_assert_gt(asprintf(&key, "--restrict-key=%s", sha256_of(dump)), 0);
    run = run_program(program("pg_restore"), "--section=post-data", key, dump,
                      "--file=-");
    free(key);
    cr_assert_not_null(strstr(run.output, "\\restrict "), "%s", run.output);
    cr_assert_str_eq(
        run.output,
        run_program("cat", moves_path(run_dir, "data/schema/post-data.sql"))
            .output);
}

Test(schema_text, catalog_json_holds_the_digests)
{
    static const char *const files[] = {"data/schema/pre-data.sql",
                                        "data/schema/post-data.sql"};
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run json;

    moves_export(source, run_dir);
    json = run_program("cat", moves_path(run_dir, "data/catalog.json"));
    for (unsigned i = 0; i < 2; i++)
        cr_assert_not_null(
            strstr(json.output, sha256_of(moves_path(run_dir, files[i]))), "%s",
            files[i]);
}
