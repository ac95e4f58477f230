/* SPDX-License-Identifier: PostgreSQL */

/* How many different values there were, about. */

#include <criterion/criterion.h>
#include <inttypes.h>

#include "formats/sketch.h"

static void
add_numbers(struct sketch *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        sketch_add(s, &i, sizeof i);
}

static void
assert_about(const struct sketch *s, uint64_t n)
{
    uint64_t said = sketch_estimate(s);
    uint64_t most = n / 20; /* three times the standard error */

    cr_assert(said + most >= n && said <= n + most,
              "%" PRIu64 " are said to be %" PRIu64, n, said);
}

Test(sketch, estimates_any_number)
{
    static const uint64_t numbers[] = {0,    1,     2,      10,     100,
                                       1000, 10000, 100000, 1000000};

    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sketch s = {0};

        add_numbers(&s, 0, numbers[i]);
        assert_about(&s, numbers[i]);
    }
}

Test(sketch, neither_order_nor_repetition_nor_parts_matter)
{
    struct sketch whole = {0}, first = {0}, second = {0};

    add_numbers(&whole, 0, 5000);
    add_numbers(&second, 3000, 5000);
    add_numbers(&second, 2000, 4000);
    add_numbers(&first, 0, 3000);
    sketch_merge(&second, &first);
    cr_assert(sketch_is_equal(&whole, &second));
}

Test(sketch, one_value_more_is_seen_among_few)
{
    struct sketch a = {0}, b = {0};

    add_numbers(&a, 0, 100);
    add_numbers(&b, 0, 101);
    cr_assert_not(sketch_is_equal(&a, &b));
    assert_about(&b, 101);
}
