/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "io/clock.h"
#include "tests/run.h"

TestSuite(catalog_size, .init = run_set_up, .fini = run_tear_down,
          .timeout = 60);

enum { MANY = 100000 };

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

/* What one call costs, in microseconds. */
static double
cost(void (*call)(void), unsigned n)
{
    uint64_t begin = clock_ns();

    ok(catalog_begin(c, &err));
    for (unsigned i = 0; i < n; i++)
        call();
    ok(catalog_commit(c, &err));
    return (double)(clock_ns() - begin) / 1000 / n;
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

/* Bounds with room for a busy machine: a scan of the tables would be 100
   times as dear. */
Test(catalog_size, the_next_of_very_many_is_found_at_once)
{
    uint64_t begin = clock_ms();
    sqlite3_int64 memory;
    double us;

    plan_many();
    plan_what_is_in_the_way();
    memory = sqlite3_memory_used();
    cr_log_info("planned in %d ms", (int)(clock_ms() - begin));
    cr_assert_lt(clock_ms() - begin, 30000);
    cr_assert_lt(memory, 8 << 20);

    cr_assert_lt(us = cost(export_one, 2000), 500);
    cr_log_info("export: %.0f us", us);
    cr_assert_lt(us = cost(load_one, 2000), 500);
    cr_log_info("load: %.0f us", us);
    cr_assert_lt(us = cost(restore_one, 1000), 500);
    cr_log_info("restore: %.0f us", us);
    cr_assert_lt(sqlite3_memory_used(), memory + (1 << 20));
}
