/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <time.h>

#include "tests/run.h"

TestSuite(catalog_size, .init = run_set_up, .fini = run_tear_down,
          .timeout = 400);

enum { MANY = 40000 };

static void
plan_many(void)
{
    ok(catalog_begin(c, &err));
    for (unsigned i = 1; i <= MANY; i++) {
        uint64_t table = run_add_table("t", i);

        run_add_chunk(table, 1);
        run_add_chunk(table, 1);
        run_add_entry(i, i, table);
    }
    ok(catalog_commit(c, &err));
}

static void
export_one(void)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;

    ok(catalog_take_to_export(c, &k, &err));
    run_stage(k->id);
}

static void
load_one(void)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;

    ok(catalog_take_to_load(c, 4, &k, &err));
    ok(catalog_chunk_loaded(c, k->id, &err));
}

static void
restore_one(void)
{
    cleanup_(catalog_entry_freep) struct catalog_entry *e = NULL;

    ok(catalog_take_entry(c, &e, &err));
    ok(catalog_entry_done(c, e->id, &err));
}

/* Of the processor's time, so that a busy machine does not matter. */
static double
seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* What one call costs, in microseconds. */
static double
cost(void (*call)(void), unsigned n)
{
    double begin = seconds();

    ok(catalog_begin(c, &err));
    for (unsigned i = 0; i < n; i++)
        call();
    ok(catalog_commit(c, &err));
    return (seconds() - begin) * 1e6 / n;
}

/* Larger than all the rest, and nothing of it can be handed out. */
static void
plan_what_is_in_the_way(void)
{
    uint64_t failed, full;

    ok(catalog_begin(c, &err));
    failed = run_add_table("failed", 1 << 30);
    full = run_add_table("full", 1 << 29);
    for (int i = 0; i < MANY / 10; i++) {
        run_add_chunk(failed, 1 << 20);
        run_stage(run_add_chunk(full, 1 << 20));
    }
    ok(catalog_table_failed(c, failed, run_reason("no", ""), &err));
    ok(catalog_commit(c, &err));
    for (int i = 0; i < 4; i++)
        cr_assert_gt(run_take_to_load(4), 2 * MANY);
}

/* A scan of the tables would be 30 times as dear. */
#ifdef __SANITIZE_ADDRESS__
enum { DEAR_US = 2000 };
#else
enum { DEAR_US = 200 };
#endif

Test(catalog_size, the_next_of_very_many_is_found_at_once)
{
    double begin = seconds();
    sqlite3_int64 memory;
    double us;

    plan_many();
    plan_what_is_in_the_way();
    memory = sqlite3_memory_used();
    cr_log_info("planned in %.1f s", seconds() - begin);
    cr_assert_lt(seconds() - begin, 200);
    cr_assert_lt(memory, 8 << 20);

    cr_assert_lt(us = cost(export_one, 2000), DEAR_US);
    cr_log_info("export: %.0f us", us);
    cr_assert_lt(us = cost(load_one, 2000), DEAR_US);
    cr_log_info("load: %.0f us", us);
    cr_assert_lt(us = cost(restore_one, 1000), DEAR_US);
    cr_log_info("restore: %.0f us", us);
    cr_assert_lt(sqlite3_memory_used(), memory + (1 << 20));
}
