/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/run.h"

TestSuite(catalog_work, .init = run_set_up, .fini = run_tear_down,
          .timeout = 60);

/* ---- export ---- */

Test(catalog_work, the_largest_chunk_is_exported_first_and_taken_once)
{
    uint64_t a = run_add_table("a", 1), b = run_add_table("b", 2);
    uint64_t small = run_add_chunk(b, 10), large = run_add_chunk(a, 30),
             middle = run_add_chunk(b, 20);

    cr_assert_eq(run_take_to_export(), large);
    cr_assert_eq(run_take_to_export(), middle);
    run_stage(large);
    cr_assert_eq(run_take_to_export(), small);
    cr_assert_eq(run_take_to_export(), 0);
}

Test(catalog_work, what_was_taken_by_a_process_that_died_is_handed_out_again)
{
    uint64_t chunk = run_add_chunk(run_add_table("t", 1), 1);

    cr_assert_eq(run_take_to_export(), chunk);
    run_close();
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(run_take_to_export(), chunk);
}

Test(catalog_work, a_chunk_is_staged_once)
{
    struct catalog_chunk k = {.id = 1, .file = "tables/1-t/other"};

    run_stage(run_add_chunk(run_add_table("t", 1), 1));
    cr_assert_lt(catalog_chunk_staged(c, &k, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_str_eq(err.message, "chunk 1 cannot be staged");
}

/* ---- load ---- */

Test(catalog_work, the_largest_table_is_loaded_first_by_few_at_a_time)
{
    uint64_t small = run_add_table("small", 1),
             large = run_add_table("large", 9);
    uint64_t chunks[5];

    for (int i = 0; i < 2; i++)
        run_stage(chunks[i] = run_add_chunk(small, 1));
    for (int i = 2; i < 5; i++)
        run_stage(chunks[i] = run_add_chunk(large, 1));

    cr_assert_eq(run_take_to_load(2), chunks[2]);
    cr_assert_eq(run_take_to_load(2), chunks[3]);
    cr_assert_eq(run_take_to_load(2), chunks[0], "large has two in hand");
    ok(catalog_chunk_loaded(c, chunks[3], &err));
    cr_assert_eq(run_take_to_load(2), chunks[4]);
    cr_assert_eq(run_take_to_load(2), chunks[1]);
    cr_assert_eq(run_take_to_load(2), 0);
}

Test(catalog_work, a_chunk_can_be_loaded_as_soon_as_it_is_staged)
{
    uint64_t table = run_add_table("t", 1);
    uint64_t first = run_add_chunk(table, 2), second = run_add_chunk(table, 1);

    cr_assert_eq(run_take_to_export(), first);
    cr_assert_eq(run_take_to_export(), second);
    cr_assert_eq(run_take_to_load(1), 0);
    run_stage(first);
    cr_assert_eq(run_take_to_load(1), first,
                 "an export is no writer of the table");
}

Test(catalog_work, a_chunk_that_is_not_staged_cannot_be_loaded)
{
    uint64_t chunk = run_add_chunk(run_add_table("t", 1), 1);

    cr_assert_lt(catalog_chunk_loaded(c, chunk, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_str_eq(err.message, "chunk 1 cannot be loaded");
}

Test(catalog_work, a_new_load_begins_with_nothing_loaded)
{
    uint64_t table = run_add_table("t", 1), chunk = run_add_chunk(table, 1);

    run_add_entry(1, 1, table);
    run_stage(chunk);
    ok(catalog_chunk_loaded(c, chunk, &err));
    ok(catalog_entry_done(c, 1, &err));
    cr_assert_eq(run_take_to_load(1), 0);

    ok(catalog_forget_load(c, &err));
    cr_assert_eq(run_take_to_load(1), chunk);
    run_add_entry(1, 1, table);
    cr_assert_eq(run_take_entry(), 0);

    /* As the ledger is read: again, and in any order. */
    ok(catalog_entry_done(c, 1, &err));
    ok(catalog_chunk_loaded(c, chunk, &err));
    ok(catalog_chunk_loaded(c, chunk, &err));
    cr_assert_eq(run_take_entry(), 0);
}

/* ---- entries ---- */

Test(catalog_work, entries_of_a_table_wait_for_all_its_chunks)
{
    uint64_t table = run_add_table("t", 1);
    uint64_t first = run_add_chunk(table, 1), second = run_add_chunk(table, 1);

    run_add_entry(1, 1, table);
    run_stage(first);
    run_stage(second);
    ok(catalog_chunk_loaded(c, first, &err));
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_chunk_loaded(c, second, &err));
    cr_assert_eq(run_take_entry(), 1);
}

Test(catalog_work, entries_of_a_table_come_in_order_one_at_a_time)
{
    uint64_t small = run_add_table("small", 1),
             large = run_add_table("large", 2);

    run_add_entry(12, 4, small);
    run_add_entry(22, 3, large);
    run_add_entry(21, 2, large);
    run_add_entry(11, 1, small);
    cr_assert_eq(run_take_entry(), 21);
    cr_assert_eq(run_take_entry(), 11);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_entry_done(c, 11, &err));
    cr_assert_eq(run_take_entry(), 12);
    ok(catalog_entry_done(c, 21, &err));
    cr_assert_eq(run_take_entry(), 22);
}

Test(catalog_work, entries_of_a_family_wait_for_the_chunks_of_all_of_it)
{
    uint64_t a = run_add_leaf("a", "root"), b = run_add_leaf("b", "root");
    uint64_t of_a = run_add_chunk(a, 1), of_b = run_add_chunk(b, 1);
    uint64_t other = run_add_leaf("a", "other");

    run_add_entry(1, 1, a);
    run_add_entry(2, 2, b);
    run_add_entry(3, 3, other);
    run_stage(of_a);
    run_stage(of_b);
    cr_assert_eq(run_take_entry(), 3);
    ok(catalog_chunk_loaded(c, of_a, &err));
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_chunk_loaded(c, of_b, &err));
    cr_assert_eq(run_take_entry(), 1);
    cr_assert_eq(run_take_entry(), 2);
}

Test(catalog_work, failed_table_keeps_back_the_entries_of_its_family)
{
    uint64_t a = run_add_leaf("a", "root"), b = run_add_leaf("b", "root");

    run_add_entry(1, 1, a);
    ok(catalog_table_failed(c, b, run_reason("no", ""), &err));
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_forget_failures(c, &err));
    cr_assert_eq(run_take_entry(), 1);
}

Test(catalog_work, entries_of_no_table_come_after_all_others_one_at_a_time)
{
    uint64_t empty = run_add_table("empty", 1), full = run_add_table("full", 1);
    uint64_t chunk = run_add_chunk(full, 1);

    run_add_entry(1, 2, 0);
    run_add_entry(2, 1, 0);
    run_add_entry(3, 3, empty);
    run_stage(chunk);

    cr_assert_eq(run_take_entry(), 3);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_chunk_loaded(c, chunk, &err));
    cr_assert_eq(run_take_entry(), 0, "entry 3 is in hand, not done");
    ok(catalog_entry_done(c, 3, &err));
    cr_assert_eq(run_take_entry(), 2);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_entry_done(c, 2, &err));
    cr_assert_eq(run_take_entry(), 1);
}

Test(catalog_work, entries_together_wait_for_those_before_and_the_last_for_them)
{
    run_add_entry(7, CATALOG_LAST, 0);
    run_add_entry(-5, CATALOG_TOGETHER, 0);
    run_add_entry(-6, CATALOG_TOGETHER, 0);
    run_add_entry(1, 1, 0);

    cr_assert_eq(run_take_entry(), 1);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_entry_done(c, 1, &err));
    cr_assert_eq(run_take_entry(), -6);
    cr_assert_eq(run_take_entry(), -5);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_entry_failed(c, -6, run_reason("no", ""), &err));
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_entry_done(c, -5, &err));
    cr_assert_eq(run_take_entry(), 7);
}

/* ---- failures ---- */

Test(catalog_work, a_failed_table_is_left_alone_until_failures_are_forgotten)
{
    uint64_t table = run_add_table("t", 1);
    uint64_t staged = run_add_chunk(table, 1),
             planned = run_add_chunk(table, 1);

    run_stage(staged);
    cr_assert_eq(run_take_to_load(1), staged);
    ok(catalog_table_failed(c, table, run_reason("no", ""), &err));
    cr_assert_eq(run_take_to_export(), 0);
    cr_assert_eq(run_take_to_load(9), 0);

    ok(catalog_forget_failures(c, &err));
    cr_assert_eq(run_take_to_export(), planned);
    cr_assert_eq(run_take_to_load(1), staged);
}

Test(catalog_work, a_failed_table_keeps_back_its_entries_and_those_of_no_table)
{
    uint64_t bad = run_add_table("bad", 2), good = run_add_table("good", 1);

    run_add_entry(1, 1, bad);
    run_add_entry(2, 2, good);
    run_add_entry(3, 3, 0);
    ok(catalog_table_failed(c, bad, run_reason("no", ""), &err));
    cr_assert_eq(run_take_entry(), 2);
    ok(catalog_entry_done(c, 2, &err));
    cr_assert_eq(run_take_entry(), 0);
}

Test(catalog_work, a_failed_table_without_entries_keeps_back_those_of_no_table)
{
    ok(catalog_table_failed(c, run_add_table("bad", 2), run_reason("no", ""),
                            &err));
    run_add_entry(1, 1, 0);
    cr_assert_eq(run_take_entry(), 0);
    ok(catalog_forget_failures(c, &err));
    cr_assert_eq(run_take_entry(), 1);
}

Test(catalog_work, a_failed_entry_does_not_keep_back_the_others)
{
    uint64_t table = run_add_table("t", 2);

    run_add_entry(1, 1, table);
    run_add_entry(2, 2, table);
    run_add_entry(3, 3, 0);
    cr_assert_eq(run_take_entry(), 1);
    ok(catalog_entry_failed(c, 1, run_reason("no", ""), &err));
    cr_assert_eq(run_take_entry(), 2);
    ok(catalog_entry_done(c, 2, &err));
    cr_assert_eq(run_take_entry(), 3);

    ok(catalog_forget_failures(c, &err));
    cr_assert_eq(run_take_entry(), 1);
}

/* ---- all of it ---- */

/* One of everything that moves a counter, at random. */
static void
do_something(unsigned *seed)
{
    uint64_t id = (uint64_t)rand_r(seed) % 40 + 1;

    switch (rand_r(seed) % 9) {
    case 0:
        run_add_chunk(id % 10 + 1, id);
        return;
    case 1:
        run_add_entry(
            run_number("SELECT coalesce(max(id), 0) + 1 FROM entries"), 1,
            id % 11);
        return;
    case 2:
        if (run_number("SELECT count(*) FROM chunks WHERE state = 'planned'"))
            run_stage((uint64_t)run_number(
                "SELECT min(id) FROM chunks WHERE state = 'planned'"));
        return;
    case 3:
        catalog_chunk_loaded(c, id, &err);
        return;
    case 4:
        catalog_entry_done(c, (int64_t)id, &err);
        return;
    case 5:
        catalog_entry_failed(c, (int64_t)id, run_reason("no", ""), &err);
        return;
    case 6:
        catalog_table_failed(c, id, run_reason("no", ""), &err);
        return;
    case 7:
        ok(catalog_forget_failures(c, &err));
        return;
    default:
        if (id == 1)
            ok(catalog_forget_load(c, &err));
        return;
    }
}

Test(catalog_work, counters_are_what_a_recount_says)
{
    unsigned seed = 1;

    ok(catalog_begin(c, &err));
    for (int i = 0; i < 10; i++)
        run_add_table("t", (uint64_t)i);
    for (int i = 0; i < 1000; i++) {
        do_something(&seed);
        cr_assert_eq(
            run_number("SELECT count(*) FROM tables t WHERE"
                       " (n_to_load, n_unloaded, n_pending) IS NOT ("
                       "  (SELECT count(*) FROM chunks WHERE table_id = t.id"
                       "   AND state = 'staged'),"
                       "  (SELECT count(*) FROM chunks WHERE table_id = t.id"
                       "   AND state <> 'loaded'),"
                       "  (SELECT count(*) FROM entries WHERE table_id = t.id"
                       "   AND state = 'pending'))"),
            0, "step %d", i);
        cr_assert_eq(run_number("SELECT count(*) FROM chunks k JOIN tables t"
                                " ON t.id = table_id"
                                " WHERE held <> (t.state = 'failed')"),
                     0, "step %d", i);
    }
    ok(catalog_commit(c, &err));
}

/* ---- another format ---- */

Test(catalog_work, table_is_staged_again_in_another_format)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *in_hand = NULL;
    cleanup_(catalog_chunk_freep) struct catalog_chunk *again = NULL;
    uint64_t other = run_add_table("other", 1), t = run_add_table("t", 2);
    int stale = 1, loaded = 1;

    run_stage(run_add_chunk(other, 1));
    run_stage(run_add_chunk(t, 3));
    run_add_chunk(t, 2);
    ok(catalog_take_to_export(c, &in_hand, &err));
    ok(catalog_is_stale(c, in_hand, &stale, &err));
    cr_assert_not(stale);
    ok(catalog_table_is_loaded(c, t, &loaded, &err));
    cr_assert_not(loaded);

    ok(catalog_restage_table(c, t, COPY_TEXT, &err));
    ok(catalog_is_stale(c, in_hand, &stale, &err));
    cr_assert(stale);
    cr_assert_eq(run_number("SELECT count(*) FROM chunks WHERE file IS NULL"
                            " AND state = 'planned' AND sha256 IS NULL"),
                 2);
    cr_assert_eq(run_number("SELECT n_to_load FROM tables WHERE name = 't'"),
                 0);
    ok(catalog_take_to_export(c, &again, &err));
    cr_assert_eq(again->table->format, COPY_TEXT);
    cr_assert_eq(run_take_to_export(), in_hand->id);
    cr_assert_eq(run_take_to_export(), 0);
    cr_assert_gt(run_take_to_load(4), 0); /* the other's */
}

Test(catalog_work, table_that_is_loaded_is_not_staged_again)
{
    uint64_t t = run_add_table("t", 1), chunk = run_add_chunk(t, 1);
    int loaded = 0;

    run_stage(chunk);
    run_add_chunk(t, 1);
    cr_assert_eq(run_take_to_load(4), chunk);
    cr_assert_eq(catalog_restage_table(c, t, COPY_TEXT, &err),
                 CATALOG_E_LOADED);
    ok(catalog_chunk_loaded(c, chunk, &err));
    cr_assert_eq(catalog_restage_table(c, t, COPY_TEXT, &err),
                 CATALOG_E_LOADED);
    ok(catalog_table_is_loaded(c, t, &loaded, &err));
    cr_assert(loaded);
    cr_assert_eq(run_number("SELECT count(*) FROM tables"
                            " WHERE format = 'binary'"),
                 1);
}

Test(catalog_work, chunk_that_was_put_back_is_taken_again)
{
    uint64_t chunk = run_add_chunk(run_add_table("t", 1), 1);

    cr_assert_eq(run_take_to_export(), chunk);
    cr_assert_eq(run_take_to_export(), 0);
    ok(catalog_put_back_chunk(c, chunk, &err));
    cr_assert_eq(run_take_to_export(), chunk);
}
