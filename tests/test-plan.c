/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/err.h"
#include "tests/moves.h"

SERVERS({"source"})

#define plan(source, ...)                                                      \
    moves_pghaul("plan", "--source", source, "--jobs", "2", "--chunk-size",    \
                 "1MB", __VA_ARGS__)

static json_t *
parse(const struct server_run *run)
{
    json_t *all = json_loads(run->output, 0, NULL);

    cr_assert_eq(run->status, 0, "%s", run->errors);
    cr_assert_not_null(all, "%s", run->output);
    return all;
}

static json_int_t
number(json_t *of, const char *name)
{
    cr_assert(json_is_integer(json_object_get(of, name)), "%s", name);
    return json_integer_value(json_object_get(of, name));
}

static unsigned
count_files(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;

    cr_assert_not_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

Test(plan, is_what_export_does)
{
    const char *source = moves_source();
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = plan(source, "--json", "-T", "shop.log_1");
    json_t *planned = parse(&run), *exported;

    run = moves_pghaul("export", "--source", source, "--dir", dir, "--jobs",
                       "2", "--chunk-size", "1MB", "--json", "--progress",
                       "none", "-T", "shop.log_1");
    exported = parse(&run);
    cr_assert_eq(number(planned, "tables"), number(exported, "tables"));
    cr_assert_eq(number(planned, "chunks"), number(exported, "chunks"));
    cr_assert_eq(number(planned, "skipped"), number(exported, "skipped"));
    cr_assert_eq(number(planned, "sequences"), 2);
    cr_assert_eq(number(planned, "disk_bytes"), number(planned, "bytes") / 2);
    json_decref(planned);
    json_decref(exported);
}

Test(plan, largest_tables_come_first_with_their_chunks)
{
    struct server_run run = plan(moves_source(), "--json");
    json_t *all = parse(&run), *largest = json_object_get(all, "largest");
    const char *name, *cut, *format;
    int bytes, chunks;

    cr_assert_eq(json_array_size(largest), number(all, "tables"));
    cr_assert_eq(json_unpack(json_array_get(largest, 0),
                             "{s:s,s:i,s:i,s:s,s:s}", "name", &name, "bytes",
                             &bytes, "chunks", &chunks, "format", &format,
                             "cut_by", &cut),
                 0);
    cr_assert_str_eq(name, "orders");
    cr_assert_gt(chunks, 1);
    cr_assert_str_eq(cut, "blocks");
    cr_assert_str_eq(format, "binary");
    for (size_t i = 1; i < json_array_size(largest); i++)
        cr_assert_leq(number(json_array_get(largest, i), "bytes"),
                      number(json_array_get(largest, i - 1), "bytes"));
    json_decref(all);
}

Test(plan, rows_are_what_the_statistics_say)
{
    const char *source = server_database("source");
    struct server_run run;
    json_t *all, *largest;

    server_sql(source, "CREATE TABLE counted AS SELECT"
                       " generate_series(1, 1000) AS i; ANALYZE counted;"
                       "CREATE TABLE not_counted AS SELECT 1 AS i");
    run = plan(source, "--json");
    all = parse(&run);
    largest = json_object_get(all, "largest");
    cr_assert_eq(number(all, "rows"), 1000);
    cr_assert_eq(number(all, "tables_without_statistics"), 1);
    cr_assert_eq(number(json_array_get(largest, 0), "rows"), 1000);
    cr_assert(
        json_is_null(json_object_get(json_array_get(largest, 1), "rows")));
    json_decref(all);
    run = plan(source, "--schema", "public");
    cr_assert(strstr(run.output, "1.00 k rows, by the source's statistics, "
                                 "which say nothing of 1 table\n"),
              "%s", run.output);
}

Test(plan, says_what_is_not_copied_and_why)
{
    struct server_run run =
        plan(moves_source(), "-N", "public", "-T", "shop.customers");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert(strstr(run.output, "\ntable shop.customers: excluded by "
                                 "--exclude-table \"shop.customers\"\n"),
              "%s", run.output);
    cr_assert(strstr(run.output, "\nforeign key orders_customer_fkey on "
                                 "shop.orders: it needs shop.customers"));
    cr_assert(strstr(run.output, "\nmaterialized view shop.totals: refreshed"));
}

Test(plan, leaves_nothing_behind)
{
    const char *source = moves_source(), *tmp = server_tmp_dir();
    struct server_run run;

    setenv("TMPDIR", tmp, 1);
    setenv("SQLITE_TMPDIR", tmp, 1);
    run = plan(source, "--json");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_eq(count_files(tmp), 0);
    moves_wait_until(source, "SELECT count(*) = 0 FROM pg_stat_activity"
                             " WHERE application_name ~ 'pghaul'");
}

Test(plan, does_not_wait_long_for_a_lock)
{
    const char *source = moves_source();
    PGconn *conn = PQconnectdb(source);
    struct server_run run;

    PQclear(PQexec(conn, "BEGIN; LOCK TABLE shop.nothing"));
    run = plan(source, "--json");
    cr_assert_eq(run.status, ERR_SERVER, "%s", run.errors);
    cr_assert(strstr(run.errors, "holds a stronger lock"), "%s", run.errors);
    run = plan(source, "--json", "-T", "shop.nothing");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    PQfinish(conn);
}

Test(plan, empty_database_has_a_plan)
{
    struct server_run run = plan(server_database("source"), "--json");
    json_t *all = parse(&run);

    cr_assert_eq(number(all, "tables"), 0);
    cr_assert_null(json_object_get(all, "milliseconds"));
    json_decref(all);
}

Test(plan, of_many_tables_the_largest_are_shown)
{
    const char *source = server_database("source");
    struct server_run run;
    json_t *all;

    for (int i = 0; i < 4; i++)
        server_sql(source, "DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE"
                           " format('CREATE TABLE public.t%s (i int)',"
                           " (random() * 1e12)::bigint); END LOOP; END $$");
    run = plan(source, "--json");
    all = parse(&run);
    cr_assert_eq(number(all, "tables"), 2000);
    cr_assert_eq(json_array_size(json_object_get(all, "largest")), 20);
    json_decref(all);
}
