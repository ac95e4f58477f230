/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "loader/source/guard/forecast.h"

enum { HOUR = 3600000, MB = 1 << 20 };

static struct guard_limits limits;
static struct forecast f;
static struct vitals v;
static uint64_t now_ms;

static void
begin(void)
{
    limits = (struct guard_limits){0};
    f = (struct forecast){0};
    v = (struct vitals){.known = (1u << N_VITALS) - 1};
    now_ms = 1000000;
}

TestSuite(forecast, .init = begin);

/* So many seconds with so much WAL each; the last answer. */
static struct forecast_verdict
pass(unsigned n_seconds, uint64_t wal, uint64_t left_ms)
{
    struct forecast_verdict ret = {0};
    int is_news = 0;

    for (unsigned i = 0; i < n_seconds; i++) {
        now_ms += 1000;
        v.value[VITAL_SNAPSHOT_AGE] += 1000;
        v.value[VITAL_WAL] += wal;
        ret = forecast_step(&f, &limits, &v, left_ms, now_ms);
        is_news += ret.is_news;
    }
    cr_assert_leq(is_news, 1, "it is said once");
    ret.is_news = is_news;
    return ret;
}

Test(forecast, says_when_the_wal_will_be_too_much_before_the_end)
{
    struct forecast_verdict verdict;

    limits.max[VITAL_WAL] = UINT64_C(3600) * MB + 100 * MB;
    cr_assert_not(pass(4, MB, 2 * HOUR).is_news, "not at once");
    verdict = pass(96, MB, 2 * HOUR);
    cr_assert(verdict.is_news);
    cr_assert_eq(verdict.which, VITAL_WAL);
    cr_assert_gt(verdict.limit_ms, 3590000);
    cr_assert_lt(verdict.limit_ms, 3610000);
    cr_assert_str_eq(verdict.words,
                     "at this rate the limit on WAL retained is reached in "
                     "01:00:00, and 02:00:00 is needed");
}

Test(forecast, says_nothing_when_it_will_do)
{
    struct forecast_verdict verdict;

    limits.max[VITAL_WAL] = UINT64_C(3600) * MB;
    limits.max[VITAL_SNAPSHOT_AGE] = 2 * HOUR;
    verdict = pass(100, MB, HOUR / 2);
    cr_assert_not(verdict.is_news);
    cr_assert_str_eq(verdict.words, "");
    cr_assert_neq(verdict.limit_ms, FORECAST_NEVER);
}

Test(forecast, is_unsaid_when_there_is_room_to_spare)
{
    struct forecast_verdict verdict;

    limits.max[VITAL_SNAPSHOT_AGE] = HOUR;
    verdict = pass(20, 0, 2 * HOUR);
    cr_assert(verdict.is_news && verdict.words[0]);
    cr_assert_eq(verdict.which, VITAL_SNAPSHOT_AGE);
    verdict = pass(5, 0, HOUR - 200000);
    cr_assert(!verdict.is_news && verdict.words[0], "but not by a little");
    verdict = pass(5, 0, HOUR / 2);
    cr_assert(verdict.is_news && !verdict.words[0]);
}

Test(forecast, rate_is_that_of_the_last_minutes)
{
    limits.max[VITAL_WAL] = UINT64_C(100000) * MB;
    pass(600, 10 * MB, HOUR);
    cr_assert_lt(pass(1, 10 * MB, HOUR).limit_ms, 9500000);
    cr_assert_gt(pass(300, 1 * MB, HOUR).limit_ms, 50000000);
    cr_assert_gt(pass(1200, 0, HOUR).limit_ms, UINT64_C(1000000000));
}

Test(forecast, knows_nothing_without_figures)
{
    limits.max[VITAL_WAL] = MB;
    limits.max[VITAL_SNAPSHOT_AGE] = HOUR;
    v.known = 0;
    cr_assert_eq(pass(30, MB, HOUR).limit_ms, FORECAST_NEVER);
    v.known = (1u << N_VITALS) - 1;
    cr_assert_str_eq(pass(30, 0, FORECAST_NEVER).words, "");
}
