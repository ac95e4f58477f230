/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/report/report.h"
#include "tests/run.h"

TestSuite(report_size, .init = run_set_up, .fini = run_tear_down);

enum { TABLES = 20000, WORKERS = 32, MB = 1 << 20 };

static const struct facts facts = {
    .state = FACTS_STAGED,
    .run_id = "00000000-0000-0000-0000-000000000000",
    .database = "many",
    .encoding = "UTF8",
};

/* A table of one chunk each, the first the largest. */
static void
add_tables(void)
{
    ok(catalog_begin(c, &err));
    ok(catalog_db_script(
        c, &err,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 20000) INSERT INTO tables(id, epoch, oid, schema, name,"
        " kind, format, n_bytes) SELECT i, 1, i, 'public', 'table_' || i,"
        " 'table', 'text', 9000000 - i FROM n"));
    ok(catalog_db_script(
        c, &err,
        "INSERT INTO chunks(table_id, lo, hi, n_bytes, state, file, file_len,"
        " n_rows, digest, raw_len, n_frames) SELECT id, 0, -1, n_bytes,"
        " 'staged', id, 100, 10, '00000000000000000000000000000001',"
        " n_bytes, 1 FROM tables"));
    ok(catalog_commit(c, &err));
}

/* Tasks of 30 ms, one after the other for each worker; each tenth failed. */
static FILE *
begin_log(void)
{
    int fd = openat(run_dir_fd(dir), "events.jsonl", O_WRONLY | O_CREAT, 0600);
    FILE *f = fdopen(fd, "w");

    cr_assert(f);
    fputs("{\"at\":1000000,\"event\":\"begin\",\"command\":\"export\","
          "\"options\":{}}\n",
          f);
    return f;
}

static void
add_log(void)
{
    FILE *f = begin_log();

    for (int i = 0; i < 3 * TABLES; i++)
        fprintf(f,
                "{\"at\":%d,\"event\":\"task\",\"lane\":\"export\","
                "\"worker\":%d,\"label\":\"public.table_%d #%d\",\"table\":%d,"
                "\"chunk\":%d,\"ms\":30,\"bytes\":100000,\"outcome\":\"%s\","
                "\"why\":\"reason %d\"}\n",
                1000030 + i / WORKERS * 31, i % WORKERS + 1, i % TABLES + 1, i,
                i % TABLES + 1, i % TABLES + 1, i % 10 ? "done" : "again", i);
    fclose(f);
}

static char *page;
static size_t page_len;

static void
make_page(void)
{
    const struct report_params p = {
        .dir = dir,
        .catalog = c,
        .facts = &facts,
        .version = "1",
    };
    cleanup_(report_freep) struct report *r = NULL;
    FILE *f = open_memstream(&page, &page_len);

    ok(report_make(&r, &p, &err));
    ok(report_html(r, f, &err));
    fclose(f);
}

Test(report_size, of_many_tables_and_tasks_is_small)
{
    add_tables();
    add_log();
    make_page();
    cr_assert_lt(page_len, MB, "%zu bytes", page_len);
    cr_assert(strstr(page, ">table_1<"));
    cr_assert(strstr(page, ">table_100<"));
    cr_assert_null(strstr(page, ">table_101<"), "and no smaller one");
    cr_assert(strstr(page, "are not listed"));
    cr_assert(strstr(page, "</html>"));
}

Test(report_size, of_many_troubles_is_small_too)
{
    add_tables();
    ok(catalog_db_script(c, &err, "UPDATE tables SET state = 'failed'"));
    make_page();
    cr_assert_lt(page_len, MB, "%zu bytes", page_len);
    cr_assert(strstr(page, "tables that are not well"));
    cr_assert(strstr(page, "Not complete"));
}
