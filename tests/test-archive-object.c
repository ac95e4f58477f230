/* SPDX-License-Identifier: PostgreSQL */

/* Archives in an object store, as users have them. */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/object_store.h"

SERVERS({"source"}, {"target"})

TestSuite(archive_object, .init = object_store_begin, .timeout = 300);

static char where[128];
static const char *dir;

/* A run that is sealed, and where its archive is to lie. */
static const char *
begin(const char *rule)
{
    const char *source = moves_source();

    /* Enough for two volumes, in chunks. */
    server_sql(source, "CREATE TABLE noise AS SELECT i, gen_random_uuid() u "
                       "FROM generate_series(1, 60000) i");
    dir = moves_path(server_tmp_dir(), "run");
    moves_export(source, dir);
    snprintf(where, sizeof where, "s3://%s/cold/shop.tar",
             object_store_bucket(rule));
    return source;
}

#define ok(...)                                                                \
    do {                                                                       \
        struct server_run run_ = moves_pghaul(__VA_ARGS__);                    \
        cr_assert_eq(run_.status, 0, "%s%s", run_.errors, run_.output);        \
    } while (0)

#define create(...)                                                            \
    "archive", "create", "--dir", dir, "-o", where, "--s3-endpoint",           \
        object_store_proxy(), __VA_ARGS__

Test(archive_object, is_made_proved_and_restored)
{
    const char *source = begin(NULL), *target = server_database("target");
    const char *out = moves_path(server_tmp_dir(), "orders");
    struct server_run run;

    ok(create("--quiet"));
    moves_assert_says(moves_pghaul(create("--json")), 0, "");
    setenv("AWS_ENDPOINT_URL_S3", object_store_proxy(), 1);
    ok("archive", "verify", "--deep", where);
    run = moves_pghaul("archive", "list", where);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    ok("archive", "extract", where, "shop.orders", "-o", out);
    ok("archive", "restore", where, "--target", target);
    moves_assert_equal(source, target);
    /* What was found lies beside it. */
    cr_assert_geq(object_store_count("PUT", "shop.tar.attestations.jsonl"), 1);
}

Test(archive_object, may_be_in_volumes)
{
    const char *source = begin(NULL), *target = server_database("target");

    ok(create("--volume-size", "1MB"));
    cr_assert_geq(object_store_count("PUT", "shop.002.tar"), 1);
    setenv("AWS_ENDPOINT_URL_S3", object_store_proxy(), 1);
    ok("archive", "restore", where, "--target", target);
    moves_assert_equal(source, target);
}

Test(archive_object, is_not_written_over)
{
    struct server_run run;

    begin(NULL);
    object_store_run("curl -s -X PUT -d theirs %s/%s", object_store_url(),
                     where + strlen("s3://"));
    run = moves_pghaul(create("--quiet"));
    moves_assert_says(run, 6, "exists, and is not this archive");
}

Test(archive_object, that_does_not_come_whole_is_not_there)
{
    struct server_run run;

    begin("PUT shop.tar 1 403");
    run = moves_pghaul(create("--quiet"));
    moves_assert_says(run, 3, "the object store has refused PUT of \"s3://");
    moves_assert_says(run, 3, "Status 403, AccessDenied");
    ok(create("--quiet"));
}

Test(archive_object, damage_on_the_way_is_noticed)
{
    struct server_run run;

    begin("GET shop.tar * range");
    ok(create("--quiet"));
    setenv("AWS_ENDPOINT_URL_S3", object_store_proxy(), 1);
    run = moves_pghaul("archive", "verify", where);
    cr_assert_eq(run.status, 4, "%d: %s", run.status, run.errors);
}

Test(archive_object, no_secret_is_told)
{
    struct server_run run;

    begin(NULL);
    setenv("AWS_SECRET_ACCESS_KEY", "canary-secret", 1);
    setenv("AWS_SESSION_TOKEN", "canary-token", 1);
    run = moves_pghaul(create("--verbose"));
    moves_assert_says(run, 3, "Either the access key or its secret is not");
    cr_assert_null(strstr(run.errors, "canary"));
    cr_assert_str_eq(object_store_run("grep -rl canary %s", dir), "");
}

Test(archive_object, a_lock_that_is_none_is_refused)
{
    static const char *const locks[] = {"governance", "other:2036-01-01",
                                        "governance:soon",
                                        "compliance:2036-01-01 "};

    begin(NULL);
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        moves_assert_says(moves_pghaul(create("--s3-lock", locks[i])), 2,
                          "is no lock");
}

/* Told to stop while the store does not answer: at once, and nothing is
   there. */
Test(archive_object, the_second_interrupt_ends_what_waits)
{
    struct server_program p;
    struct server_run run;

    begin("PUT shop.tar * stall");
    p = server_program_start(
        (const char *const[]){server_pghaul(), create("--quiet"), NULL});
    while (!object_store_count("PUT", "stall"))
        usleep(20000);
    kill(p.pid, SIGINT);
    usleep(200000);
    kill(p.pid, SIGINT);
    run = server_program_wait(&p);
    cr_assert_eq(run.status, 130, "%d: %s", run.status, run.errors);
}
