/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <string.h>

#include "loader/progress/progress_text.h"

static const struct progress_sum half = {
    .name = "export",
    .total = 2116000000,
    .done = 1332000000,
    .n_bytes = 1000000000,
    .n_rows = 2100000,
    .bytes_per_s = 327155712,
    .left_ms = 3000,
};

static const struct progress_sum unknown = {
    .name = "load",
    .n_bytes = 5 << 20,
    .n_rows = 1,
    .left_ms = PROGRESS_NO_END,
};

Test(progress_text, columns_of_the_sum_and_of_the_tasks_are_the_same)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_sum(text, &half);
    cr_expect_str_eq(text, "export     62 %   1.24 of 1.97 GB    312 MB/s  "
                           "2.10 M rows  00:00:03 left");
    progress_text_task(text, &(struct progress_task){
                                 .number = 12,
                                 .label = "public.pgbench_accounts #3",
                                 .n_bytes = 43200000,
                                 .expected = 64 << 20,
                             });
    cr_expect_str_eq(text, "      12   64 %   41.1 of 64.0 MB  "
                           "public.pgbench_accounts #3");
}

Test(progress_text, what_is_not_known_is_left_out)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_sum(text, &unknown);
    cr_expect_str_eq(text, "load                      5.00 MB  "
                           " 0 bytes/s        1 row  ");
    progress_text_plain(text, &unknown);
    cr_expect_str_eq(text, "load: 5.00 MB, 0 bytes/s, 1 row");
    progress_text_task(
        text,
        &(struct progress_task){.number = 1, .label = "INDEX i", .n_bytes = 0});
    cr_expect_str_eq(text, "       1                  0 bytes  INDEX i");
}

Test(progress_text, plain_sum_is_a_sentence)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_plain(text, &half);
    cr_expect_str_eq(text, "export: 62 %, 1.24 of 1.97 GB, 312 MB/s, "
                           "2.10 M rows, 00:00:03 left");
}

Test(progress_text, worker_between_two_tasks_keeps_its_line)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_task(text, &(struct progress_task){.number = 3});
    cr_expect_str_eq(text, "       3");
}

Test(progress_text, task_larger_than_expected_is_no_more_than_all_of_it)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_task(text, &(struct progress_task){
                                 .number = 1,
                                 .label = "t",
                                 .n_bytes = 70 << 20,
                                 .expected = 64 << 20,
                             });
    cr_expect_str_eq(text, "       1  100 %   70.0 of 64.0 MB  t");
}

Test(progress_text, hostile_label_stays_in_its_line_and_moves_no_cursor)
{
    char text[PROGRESS_TEXT_SIZE];

    progress_text_task(text, &(struct progress_task){
                                 .number = 1,
                                 .label = "a\033[2Jb\nc\td\r\u00fc\u202e\xff",
                             });
    cr_expect_str_eq(strstr(text, "bytes") + 7,
                     "a\\x1b[2Jb     c d\\x0d\u00fc\\xe2\\x80\\xae\\xff");
}

Test(progress_text, label_of_any_length_fits)
{
    char text[PROGRESS_TEXT_SIZE], label[2 * PROGRESS_TEXT_SIZE];

    memset(label, '\033', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    progress_text_task(text,
                       &(struct progress_task){.number = 1, .label = label});
    cr_expect_lt(strlen(text), sizeof text);
}
