/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/run.h"

TestSuite(catalog, .init = run_set_up, .fini = run_tear_down, .timeout = 60);

/* ---- what goes in comes out ---- */

/* Every byte but NUL, as a SQL_ASCII database may have it in a name. */
static char *
all_bytes(void)
{
    static char s[256];

    for (int i = 0; i < 255; i++)
        s[i] = (char)(i + 1);
    return s;
}

static void
check_table(const struct catalog_table *t)
{
    cr_assert_eq(t->id, 1);
    cr_assert_eq(t->oid, UINT32_MAX);
    cr_assert_str_eq(t->schema, all_bytes());
    cr_assert_str_eq(t->name, "\"; DROP TABLE tables; --\n%s");
    cr_assert_eq(t->format, COPY_TEXT);
    cr_assert_eq(t->n_bytes, UINT64_MAX);
    cr_assert_eq(t->n_columns, 2);
    cr_assert_str_eq(t->columns[0].name, "");
    cr_assert_str_eq(t->columns[0].type, "public.\"My Type\"");
    cr_assert_str_eq(t->columns[1].name, all_bytes());
    cr_assert_str_eq(t->columns[1].type, "\xff\xfe");
}

Test(catalog, a_table_comes_back_byte_for_byte)
{
    cleanup_(catalog_table_freep) struct catalog_table *found = NULL;
    struct catalog_column columns[] = {{"", "public.\"My Type\""},
                                       {all_bytes(), "\xff\xfe"}};
    struct catalog_table t = {
        .oid = UINT32_MAX,
        .schema = all_bytes(),
        .name = "\"; DROP TABLE tables; --\n%s",
        .format = COPY_TEXT,
        .n_bytes = UINT64_MAX,
        .n_columns = 2,
        .columns = columns,
    };

    ok(catalog_add_table(c, &t, &err));
    run_close();
    run_open(RUN_DIR_OPEN);
    ok(catalog_find_table(c, 1, &found, &err));
    check_table(found);
    none(catalog_find_table(c, 2, &found, &err));
}

Test(catalog, tables_come_in_the_order_of_their_numbers)
{
    uint64_t id = 0;

    for (uint64_t i = 1; i <= 3; i++)
        cr_assert_eq(run_add_table("t", 0), i);
    for (uint64_t i = 1; i <= 3; i++) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        ok(catalog_next_table(c, id, &t, &err));
        cr_assert_eq(t->id, i);
        id = t->id;
    }
    none(catalog_next_table(c, id, NULL, &err));
}

Test(catalog, a_table_is_found_by_its_oid)
{
    uint64_t id;

    run_add_table("t", 1);
    ok(catalog_table_by_oid(c, 16384, &id, &err));
    cr_assert_eq(id, 1);
    none(catalog_table_by_oid(c, 16385, &id, &err));
}

Test(catalog, a_table_without_columns_is_a_table)
{
    cleanup_(catalog_table_freep) struct catalog_table *found = NULL;
    struct catalog_table t = {.schema = "s", .name = "t"};

    ok(catalog_add_table(c, &t, &err));
    ok(catalog_find_table(c, t.id, &found, &err));
    cr_assert_eq(found->n_columns, 0);
}

Test(catalog, what_few_tables_have_comes_back_byte_for_byte)
{
    cleanup_(catalog_table_freep) struct catalog_table *a = NULL, *b = NULL;
    struct catalog_table t = {
        .schema = "s",
        .name = "t",
        .condition = "x > 1 -- and so on",
        .root_schema = all_bytes(),
        .root_name = "",
        .extension = "an \"extension\"",
        .fingerprint = "1 2 3",
    };

    ok(catalog_add_table(c, &t, &err));
    run_add_table("u", 0);
    ok(catalog_find_table(c, 1, &a, &err));
    cr_assert_str_eq(a->condition, t.condition);
    cr_assert_str_eq(a->root_schema, all_bytes());
    cr_assert_str_eq(a->root_name, "");
    cr_assert_str_eq(a->extension, t.extension);
    cr_assert_str_eq(a->fingerprint, t.fingerprint);
    ok(catalog_find_table(c, 2, &b, &err));
    cr_assert(!b->condition && !b->root_schema && !b->root_name &&
              !b->extension && !b->fingerprint);
}

Test(catalog, a_family_is_the_tables_of_one_root)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    uint64_t first, second, id;

    run_add_leaf("a", "root");
    first = run_add_leaf("b", "other");
    run_add_table("c", 1);
    second = run_add_leaf("d", "other");

    ok(catalog_find_table(c, second, &t, &err));
    ok(catalog_next_of_family(c, t, 0, &id, &err));
    cr_assert_eq(id, first);
    ok(catalog_next_of_family(c, t, id, &id, &err));
    cr_assert_eq(id, second);
    none(catalog_next_of_family(c, t, id, &id, &err));
}

Test(catalog, a_chunk_can_be_a_condition)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *found = NULL;
    struct catalog_chunk k = {.hi = CATALOG_OPEN_END,
                              .condition = "a >= '1'::int8"};

    ok(catalog_add_chunk(c, run_add_table("t", 1), &k, &err));
    run_stage(k.id);
    ok(catalog_next_chunk(c, 1, 0, &found, &err));
    cr_assert_str_eq(found->condition, k.condition);
}

Test(catalog, a_staged_chunk_comes_back_byte_for_byte)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *found = NULL;
    struct catalog_chunk k = {
        .lo = 7,
        .hi = CATALOG_OPEN_END,
        .n_bytes = 1 << 30,
        .file = "tables/1-t/1.text.lz4",
        .file_len = UINT64_MAX,
        .totals = {.digest = {.n_rows = UINT64_MAX,
                              .sum_lo = 0xfedcba9876543210,
                              .sum_hi = 0x8000000000000001},
                   .raw_len = 3,
                   .n_frames = 4},
    };
    uint64_t table = run_add_table("t", 0);

    memset(k.sha256, 0xa5, sizeof k.sha256);
    ok(catalog_add_chunk(c, table, &k, &err));
    none(catalog_next_chunk(c, table, 0, &found, &err));
    ok(catalog_chunk_staged(c, &k, &err));

    ok(catalog_next_chunk(c, table, 0, &found, &err));
    cr_assert_eq(found->id, k.id);
    cr_assert_eq(found->lo, 7);
    cr_assert_eq(found->hi, CATALOG_OPEN_END);
    cr_assert_eq(found->n_bytes, 1 << 30);
    cr_assert_eq(found->table->id, table);
    cr_assert_str_eq(found->file, k.file);
    cr_assert_eq(found->file_len, UINT64_MAX);
    cr_assert_arr_eq(found->sha256, k.sha256, sizeof k.sha256);
    cr_assert(digest_equal(&found->totals.digest, &k.totals.digest));
    cr_assert_eq(found->totals.digest.n_rows, UINT64_MAX);
    cr_assert_eq(found->totals.raw_len, 3);
    cr_assert_eq(found->totals.n_frames, 4);
    none(catalog_next_chunk(c, table, k.id, &found, &err));
}

Test(catalog, an_entry_comes_back_byte_for_byte)
{
    cleanup_(catalog_entry_freep) struct catalog_entry *e = NULL;
    struct catalog_entry in = {
        .id = INT64_MAX,
        .order = UINT32_MAX,
        .type = "FK CONSTRAINT",
        .schema = "",
        .name = all_bytes(),
        .sql = "ALTER TABLE ONLY \"a'b\" ...;\n",
    };

    ok(catalog_add_entry(c, &in, &err));
    ok(catalog_take_entry(c, &e, &err));
    cr_assert_eq(e->id, INT64_MAX);
    cr_assert_eq(e->order, UINT32_MAX);
    cr_assert_str_eq(e->type, in.type);
    cr_assert_str_eq(e->schema, "");
    cr_assert_str_eq(e->name, in.name);
    cr_assert_str_eq(e->sql, in.sql);
    cr_assert_eq(e->table, 0);
}

Test(catalog, sequences_come_in_order)
{
    const int64_t values[] = {INT64_MIN, -1, INT64_MAX};
    uint64_t cursor = 0;

    for (int i = 0; i < 3; i++)
        ok(catalog_add_sequence(c,
                                &(struct catalog_sequence){
                                    .schema = "s",
                                    .name = all_bytes(),
                                    .last_value = values[i],
                                    .is_called = i == 1,
                                },
                                &err));
    for (int i = 0; i < 3; i++) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        ok(catalog_next_sequence(c, &cursor, &q, &err));
        cr_assert_str_eq(q->schema, "s");
        cr_assert_str_eq(q->name, all_bytes());
        cr_assert_eq(q->last_value, values[i]);
        cr_assert_eq(q->is_called, i == 1);
    }
    none(catalog_next_sequence(c, &cursor, NULL, &err));
}

Test(catalog, skips_come_in_order)
{
    uint64_t cursor = 0;

    for (int i = 0; i < 2; i++)
        ok(catalog_add_skip(c,
                            &(struct catalog_skip){
                                .kind = "foreign table",
                                .schema = "s",
                                .name = all_bytes(),
                                .reason = "lies on another server",
                                .harmless = i,
                            },
                            &err));
    for (int i = 0; i < 2; i++) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;

        ok(catalog_next_skip(c, &cursor, &s, &err));
        cr_assert_str_eq(s->kind, "foreign table");
        cr_assert_str_eq(s->schema, "s");
        cr_assert_str_eq(s->name, all_bytes());
        cr_assert_str_eq(s->reason, "lies on another server");
        cr_assert_eq(s->harmless, i);
    }
    none(catalog_next_skip(c, &cursor, NULL, &err));
}

Test(catalog, a_fact_has_the_value_that_was_set_last)
{
    char *value = NULL;

    none(catalog_get(c, "run.id", &value, &err));
    ok(catalog_set(c, "run.id", "first", &err));
    ok(catalog_set(c, "run.id", all_bytes(), &err));
    ok(catalog_get(c, "run.id", &value, &err));
    cr_assert_str_eq(value, all_bytes());
    free(value);
    ok(catalog_set(c, "run.id", NULL, &err));
    none(catalog_get(c, "run.id", &value, &err));
}

/* ---- what is staged ---- */

Test(catalog, a_file_is_known_once_its_chunk_is_staged)
{
    const char *file = "tables/1-t/1.text.lz4";
    uint64_t chunk = run_add_chunk(run_add_table("t", 1), 1);
    int found = -1;

    ok(catalog_has_file(c, file, &found, &err));
    cr_assert_eq(found, 0);
    run_stage(chunk);
    ok(catalog_has_file(c, file, &found, &err));
    cr_assert_eq(found, 1);
    ok(catalog_has_file(c, "tables/1-t/1.text.lz4.part", &found, &err));
    cr_assert_eq(found, 0);
}

Test(catalog, two_chunks_cannot_have_one_file)
{
    uint64_t table = run_add_table("t", 1);
    struct catalog_chunk k = {.file = "tables/1-t/1.text.lz4"};

    run_stage(run_add_chunk(table, 1));
    k.id = run_add_chunk(table, 1);
    cr_assert_lt(catalog_chunk_staged(c, &k, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
}

Test(catalog, totals_of_a_table_are_the_sum_once_all_is_staged)
{
    struct catalog_chunk one = {
        .file = "a",
        .totals = {.digest = {.n_rows = 2,
                              .sum_lo = UINT64_MAX,
                              .sum_hi = UINT64_MAX},
                   .raw_len = 10,
                   .n_frames = 1},
    };
    struct catalog_chunk two = {
        .file = "b",
        .totals = {.digest = {.n_rows = 3, .sum_lo = 2, .sum_hi = 5},
                   .raw_len = 20,
                   .n_frames = 2},
    };
    struct chunk_totals sum;
    uint64_t table = run_add_table("t", 1);

    ok(catalog_add_chunk(c, table, &one, &err));
    ok(catalog_add_chunk(c, table, &two, &err));
    ok(catalog_chunk_staged(c, &one, &err));
    none(catalog_table_totals(c, table, &sum, &err));
    ok(catalog_chunk_staged(c, &two, &err));

    ok(catalog_table_totals(c, table, &sum, &err));
    cr_assert_eq(sum.digest.n_rows, 5);
    cr_assert_eq(sum.digest.sum_lo, 1);
    cr_assert_eq(sum.digest.sum_hi, 5);
    cr_assert_eq(sum.raw_len, 30);
    cr_assert_eq(sum.n_frames, 3);
}

/* ---- the whole ---- */

Test(catalog, failures_are_told_with_the_first_reason)
{
    static const char *const expected[][2] = {
        {"entry INDEX public i", "could not create\nDETAIL:  Key (a)=(1)."},
        {"table public.t", "no such thing"},
    };
    uint64_t cursor = 0, table = run_add_table("t", 1);

    run_add_entry(5, 1, table);
    ok(catalog_entry_failed(
        c, 5, run_reason("could not create", "Key (a)=(1)."), &err));
    ok(catalog_table_failed(c, table, run_reason("no such thing", ""), &err));
    ok(catalog_table_failed(c, table, run_reason("a consequence", ""), &err));

    for (int i = 0; i < 2; i++) {
        char *what, *why;

        ok(catalog_next_failure(c, &cursor, &what, &why, &err));
        cr_assert_str_eq(what, expected[i][0]);
        cr_assert_str_eq(why, expected[i][1]);
        free(what);
        free(why);
    }
    none(catalog_next_failure(c, &cursor, NULL, NULL, &err));
}

Test(catalog, counts_say_how_far_it_is)
{
    struct catalog_counts n;
    uint64_t table = run_add_table("t", 1);
    uint64_t chunk = run_add_chunk(table, 100);

    ok(catalog_count(c, &n, &err));
    cr_assert_eq(n.n_chunks, 1);
    cr_assert_eq(n.raw_bytes, 0);

    run_add_chunk(table, 20);
    run_stage(chunk);
    run_stage(run_add_chunk(table, 3));
    ok(catalog_chunk_loaded(c, chunk, &err));
    ok(catalog_table_failed(c, run_add_table("u", 1), run_reason("no", ""),
                            &err));
    run_add_entry(1, 1, 0);
    run_add_entry(2, 1, 0);
    run_add_entry(3, 1, 0);
    ok(catalog_entry_done(c, 1, &err));
    ok(catalog_entry_failed(c, 2, run_reason("no", ""), &err));
    ok(catalog_add_skip(c, &(struct catalog_skip){"", "", "", "", 1}, &err));
    ok(catalog_add_skip(c, &(struct catalog_skip){"", "", "", "", 0}, &err));

    ok(catalog_count(c, &n, &err));
    cr_assert_eq(n.n_tables, 2);
    cr_assert_eq(n.n_tables_failed, 1);
    cr_assert_eq(n.n_chunks, 3);
    cr_assert_eq(n.n_chunks_staged, 2);
    cr_assert_eq(n.n_chunks_loaded, 1);
    cr_assert_eq(n.n_entries, 3);
    cr_assert_eq(n.n_entries_done, 1);
    cr_assert_eq(n.n_entries_failed, 1);
    cr_assert_eq(n.n_skipped, 2);
    cr_assert_eq(n.n_skipped_harmful, 1);
    cr_assert_eq(n.planned_bytes, 123);
    cr_assert_eq(n.staged_bytes_estimated, 103);
    cr_assert_eq(n.loaded_bytes_estimated, 100);
    cr_assert_eq(n.raw_bytes, 2000);
    cr_assert_eq(n.file_bytes, 200);
    cr_assert_eq(n.n_rows, 20);
}

Test(catalog, clear_leaves_nothing)
{
    struct catalog_counts n, nothing = {0};
    uint64_t table = run_add_table("t", 1), chunk = run_add_chunk(table, 1);
    char *value;

    run_add_entry(1, 1, table);
    run_stage(chunk);
    cr_assert_eq(run_take_to_load(1), chunk);
    ok(catalog_table_failed(c, table, run_reason("no", ""), &err));
    ok(catalog_set(c, "run.id", "x", &err));

    ok(catalog_clear(c, &err));
    ok(catalog_count(c, &n, &err));
    cr_assert_arr_eq(&n, &nothing, sizeof n);
    none(catalog_get(c, "run.id", &value, &err));
    cr_assert_eq(run_add_table("t", 1), 1);
    cr_assert_eq(run_add_chunk(1, 1), 1);
    cr_assert_eq(run_take_to_export(), 1);
}
