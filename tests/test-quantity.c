/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "loader/progress/quantity.h"

typedef char *(*quantity_fn)(char to[QUANTITY_SIZE], uint64_t n);

struct expected {
    uint64_t n;
    const char *text;
};

static void
expect(quantity_fn quantity, const struct expected *list)
{
    char text[QUANTITY_SIZE];

    for (; list->text; list++)
        cr_expect_str_eq(quantity(text, list->n), list->text, "%s: %s",
                         list->text, text);
}

Test(quantity, bytes_have_three_digits_and_the_units_of_pg_size_pretty)
{
    expect(quantity_bytes, (struct expected[]){
                               {0, "0 bytes"},
                               {1023, "1023 bytes"},
                               {1024, "1.00 kB"},
                               {64 << 20, "64.0 MB"},
                               {327155712, "312 MB"},
                               {1331439862, "1.24 GB"},
                               {5ull << 40, "5.00 TB"},
                               {UINT64_MAX, "16383 PB"},
                               {0, NULL},
                           });
}

Test(quantity, bytes_are_cut_and_never_rounded_up)
{
    expect(quantity_bytes, (struct expected[]){
                               {(1 << 20) - 1, "1023 kB"},
                               {(10 << 20) - 1, "9.99 MB"},
                               {(100 << 20) - 1, "99.9 MB"},
                               {(1ull << 50) - 1, "1023 TB"},
                               {0, NULL},
                           });
}

Test(quantity, rates_are_bytes_a_second)
{
    expect(quantity_rate, (struct expected[]){
                              {0, "0 bytes/s"},
                              {327155712, "312 MB/s"},
                              {0, NULL},
                          });
}

Test(quantity, part_is_in_the_unit_of_the_whole)
{
    char text[QUANTITY_SIZE];

    cr_expect_str_eq(quantity_part(text, 128 << 20, 2116000000),
                     "0.12 of 1.97 GB");
    cr_expect_str_eq(quantity_part(text, 43200000, 64 << 20),
                     "41.1 of 64.0 MB");
    cr_expect_str_eq(quantity_part(text, 0, 0), "0 of 0 bytes");
    cr_expect_str_eq(quantity_part(text, UINT64_MAX, UINT64_MAX),
                     "16383 of 16383 PB");
}

Test(quantity, part_of_almost_nothing_is_cut_but_complete)
{
    char text[QUANTITY_SIZE];

    /* The longest that there can be: still a whole sentence. */
    cr_expect_str_eq(quantity_part(text, UINT64_MAX, 9),
                     "18446744073709551615 of 9 bytes");
}

Test(quantity, rows_go_by_a_thousand)
{
    expect(quantity_rows, (struct expected[]){
                              {0, "0 rows"},
                              {1, "1 row"},
                              {999, "999 rows"},
                              {1000, "1.00 k rows"},
                              {2100000, "2.10 M rows"},
                              {1150000000, "1.15 G rows"},
                              {UINT64_MAX, "18446744 T rows"},
                              {0, NULL},
                          });
}

Test(quantity, durations_are_hours_minutes_seconds)
{
    expect(quantity_duration, (struct expected[]){
                                  {0, "00:00:00"},
                                  {999, "00:00:00"},
                                  {83000, "00:01:23"},
                                  {3599999, "00:59:59"},
                                  {450366000, "125:06:06"},
                                  {UINT64_MAX, "5124095576030:25:51"},
                                  {0, NULL},
                              });
}
