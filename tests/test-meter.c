/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "loader/progress/meter.h"

Test(meter, knows_nothing_before_time_has_passed)
{
    struct meter m = {0};

    cr_assert_eq(meter_per_s(&m), 0);
    meter_read(&m, 5000, 1000000);
    cr_assert_eq(meter_per_s(&m), 0);
    meter_read(&m, 5000, 2000000);
    cr_assert_eq(meter_per_s(&m), 0);
}

Test(meter, counts_from_where_it_began)
{
    struct meter m = {0};

    meter_read(&m, 5000, 1000000);
    meter_read(&m, 5500, 1000300);
    cr_assert_eq(meter_per_s(&m), 600);
}

Test(meter, forgets_what_was_more_than_ten_seconds_ago)
{
    struct meter m = {0};
    uint64_t n = 0;

    for (uint64_t ms = 0; ms < 60000; ms += 150)
        meter_read(&m, ms, n += ms < 30000 ? 150 : 15);
    cr_assert_eq(meter_per_s(&m), 100);
    for (uint64_t ms = 60000; ms < 72000; ms += 150)
        meter_read(&m, ms, n);
    cr_assert_eq(meter_per_s(&m), 0);
}

Test(meter, counter_that_falls_has_no_speed)
{
    struct meter m = {0};

    meter_read(&m, 0, 500);
    meter_read(&m, 1000, 400);
    cr_assert_eq(meter_per_s(&m), 0);
}

Test(meter, does_not_overflow)
{
    struct meter m = {0};

    meter_read(&m, 0, 0);
    meter_read(&m, 10000, UINT64_MAX / 2);
    cr_assert_float_eq((double)meter_per_s(&m), 9.22e17, 1e16);
}
