/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>

#include "loader/source/guard/guard.h"

/* Time is simulated: a measurement a second. */
static struct guard_limits limits;
static struct guard g;
static struct vitals v;
static uint64_t now_ms;

static void
begin(enum guard_choice choice, unsigned n_workers)
{
    limits.choice = choice;
    now_ms = 1000000;
    v = (struct vitals){.known = (1u << N_VITALS) - 1};
    guard_begin(&g, &limits, n_workers, now_ms);
}

/* A second later, with a new measurement. */
static struct guard_verdict
second(uint64_t lag_ms)
{
    now_ms += 1000;
    v.n++;
    v.value[VITAL_REPLICA_LAG] = lag_ms;
    return guard_step(&g, &v, now_ms);
}

/* How many are allowed in each of the next seconds: "4 2 2 2 1". */
static const char *
course(uint64_t lag_ms, unsigned n_seconds)
{
    static char text[256];
    size_t len = 0;

    for (unsigned i = 0; i < n_seconds; i++) {
        struct guard_verdict verdict = second(lag_ms);

        cr_assert_eq(verdict.end, GUARD_GO_ON);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u",
                                i ? " " : "", verdict.n_allowed);
    }
    return text;
}

static void
set_limits(void)
{
    limits = (struct guard_limits){.max = {[VITAL_REPLICA_LAG] = 10000}};
}

TestSuite(guard, .init = set_limits);

Test(guard, slow_halves_the_workers_and_lets_them_come_back_one_by_one)
{
    begin(GUARD_SLOW, 8);
    cr_assert_str_eq(course(0, 3), "8 8 8");
    cr_assert_str_eq(course(12000, 12), "4 4 4 2 2 2 1 1 1 1 1 1");
    cr_assert_str_eq(course(7000, 12), "1 1 1 1 2 2 2 2 2 3 3 3");
    cr_assert_str_eq(course(12000, 2), "1 1", "and down again at once");
}

Test(guard, what_is_only_just_better_changes_nothing)
{
    begin(GUARD_SLOW, 4);
    course(12000, 5);
    cr_assert_str_eq(course(9000, 20),
                     "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1");
    cr_assert_str_eq(course(8000, 6), "1 1 1 1 2 2");
}

Test(guard, pause_lets_nobody_work_and_then_one_by_one)
{
    struct guard_verdict verdict;

    begin(GUARD_PAUSE, 3);
    cr_assert_str_eq(course(10001, 3), "0 0 0");
    verdict = second(60000);
    cr_assert_str_eq(verdict.words, "paused: replica lag 60 s > 10 s");
    cr_assert_str_eq(course(9000, 10), "0 0 0 0 0 0 0 0 0 0");
    cr_assert_str_eq(course(0, 16), "0 0 0 0 1 1 1 1 1 2 2 2 2 2 3 3");
    cr_assert_str_eq(second(0).words, "");
}

Test(guard, stop_comes_when_it_lasts)
{
    struct guard_verdict verdict;

    begin(GUARD_STOP, 4);
    cr_assert_str_eq(course(12000, 3), "4 4 4");
    cr_assert_str_eq(course(0, 2), "4 4");
    cr_assert_str_eq(course(12500, 3), "4 4 4");
    verdict = second(12500);
    cr_assert_eq(verdict.end, GUARD_END);
    cr_assert_eq(verdict.cause, VITAL_REPLICA_LAG);
    cr_assert_str_eq(verdict.words, "replica lag 12 s > 10 s");
}

Test(guard, changes_are_news_and_nothing_else_is)
{
    struct guard_verdict verdict;

    begin(GUARD_SLOW, 2);
    cr_assert_not(second(0).is_news);
    verdict = second(12000);
    cr_assert(verdict.is_news);
    cr_assert_str_eq(verdict.words,
                     "slowed to 1 of 2 workers: replica lag 12 s > 10 s");
    for (int i = 0; i < 20; i++) {
        verdict = second(13000);
        cr_assert_not(verdict.is_news);
        cr_assert_str_eq(verdict.words,
                         "slowed to 1 of 2 workers: replica lag 13 s > 10 s");
    }
    cr_assert_not(second(3000).is_news);
    cr_assert_str_eq(second(3000).words,
                     "slowed to 1 of 2 workers: replica lag 3 s <= 10 s");
    course(3000, 2);
    verdict = second(3000);
    cr_assert(verdict.is_news);
    cr_assert_eq(verdict.n_allowed, 2);
    cr_assert_str_eq(verdict.words, "");
}

Test(guard, limit_that_one_worker_cannot_help_is_said_nevertheless)
{
    struct guard_verdict verdict;

    begin(GUARD_SLOW, 1);
    verdict = second(12000);
    cr_assert(verdict.is_news);
    cr_assert_eq(verdict.n_allowed, 1);
    cr_assert_str_eq(verdict.words,
                     "slowed to 1 of 1 worker: replica lag 12 s > 10 s");
    cr_assert_not(second(12000).is_news);
    cr_assert(second(0).is_news);
}

Test(guard, worst_of_several_limits_decides)
{
    begin(GUARD_SLOW, 4);
    limits.max[VITAL_SESSIONS] = 3;
    v.value[VITAL_SESSIONS] = 4;
    cr_assert_str_eq(second(0).words,
                     "slowed to 2 of 4 workers: active sessions 4 > 3");
    v.value[VITAL_SESSIONS] = 3;
    cr_assert_str_eq(course(12000, 8), "2 2 1 1 1 1 1 1");
    cr_assert_str_eq(course(0, 5), "1 1 1 1 2", "3 of 3 are few enough");
}

Test(guard, limits_of_the_snapshot_end_it_whatever_was_chosen)
{
    static const enum guard_choice choices[] = {GUARD_SLOW, GUARD_PAUSE,
                                                GUARD_STOP};

    limits.max[VITAL_SNAPSHOT_AGE] = 1800000;
    limits.max[VITAL_WAL] = UINT64_C(10) << 30;
    for (unsigned i = 0; i < 3; i++) {
        struct guard_verdict verdict;

        begin(choices[i], 4);
        v.value[VITAL_SNAPSHOT_AGE] = 1800000;
        cr_assert_eq(second(0).end, GUARD_GO_ON);
        v.value[VITAL_SNAPSHOT_AGE] = 1801000;
        verdict = second(0);
        cr_assert_eq(verdict.end, GUARD_LET_GO);
        cr_assert_str_eq(verdict.words, "snapshot age 00:30:01 > 00:30:00");
        v.value[VITAL_SNAPSHOT_AGE] = 0;
        v.value[VITAL_WAL] = UINT64_C(11) << 30;
        cr_assert_str_eq(second(0).words, "WAL retained 11.0 GB > 10.0 GB");
    }
}

Test(guard, what_cannot_be_measured_counts_as_reached)
{
    struct guard_verdict verdict;

    begin(GUARD_PAUSE, 4);
    limits.max[VITAL_SNAPSHOT_AGE] = 1800000;
    second(0);
    now_ms += GUARD_BLIND_MS - 1;
    cr_assert_eq(guard_step(&g, &v, now_ms).n_allowed, 4);
    snprintf(v.trouble, sizeof v.trouble, "too many clients");
    verdict = guard_step(&g, &v, ++now_ms);
    cr_assert_eq(verdict.end, GUARD_GO_ON, "that costs no snapshot");
    cr_assert_eq(verdict.n_allowed, 0);
    cr_assert_str_eq(
        verdict.words,
        "paused: replica lag cannot be measured: too many clients");
    cr_assert_str_eq(course(0, 6), "0 0 0 0 1 1");

    begin(GUARD_PAUSE, 4);
    cr_assert_eq(guard_step(&g, &v, now_ms + 1000).n_allowed, 4,
                 "nothing has been measured so far");
    v.known = 0;
    cr_assert_eq(second(0).n_allowed, 0);
}

Test(guard, no_limit_limits_nothing)
{
    limits = (struct guard_limits){.choice = GUARD_STOP};
    begin(GUARD_STOP, 4);
    now_ms += UINT64_C(1000000);
    cr_assert_eq(guard_set(&limits), 0);
    cr_assert_str_eq(course(99999999, 5), "4 4 4 4 4");
    cr_assert_str_eq(second(0).words, "");
}
