/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>

#include "io/clock.h"
#include "tests/toy_lane.h"

/* Every third is damaged. */
static int
fail_some(struct toy_task *t, struct err *err)
{
    if (t->number % 3 == 1)
        return err_set(err, ERR_CORRUPT, "task %u is damaged", t->number);
    return 0;
}

Test(drive, every_task_is_done_and_recorded_once)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, TOY_MAX_TASKS, toy_succeed);
    cr_assert_eq(toy_drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_eq(toy.n_recorded, TOY_MAX_TASKS);
    cr_assert_eq(result.n_done, TOY_MAX_TASKS);
    cr_assert_eq(result.n_failed, 0);
    cr_assert_eq(result.first.class, 0);
}

Test(drive, workers_work_side_by_side)
{
    struct drive_result result;
    uint64_t begun_ms = clock_ms();
    struct toy toy;
    struct err err;

    toy_make(&toy, 40, toy_nap);
    cr_assert_eq(toy_drive(&toy, 1, 20, &result, &err), 0);
    cr_assert_lt(clock_ms() - begun_ms, 40 * 50, "and not one after the other");
}

Test(drive, worker_without_a_task_is_never_opened)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 2, toy_nap);
    cr_assert_eq(toy_drive(&toy, 1, 8, &result, &err), 0);
    cr_assert_eq(toy.n_opened, 2);
}

Test(drive, lane_goes_on_with_what_another_has_recorded)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    toy_make(&toys[0], 500, toy_succeed);
    toy_make(&toys[1], 500, toy_succeed);
    toys[1].after = &toys[0];
    cr_assert_eq(toy_drive(toys, 2, 3, &result, &err), 0);
    cr_assert_eq(toys[1].n_recorded, 500);
    cr_assert_eq(result.n_done, 1000);
}

/* ---- failures ---- */

static int
succeed_at_the_third_try(struct toy_task *t, struct err *err)
{
    return t->n_tries < 3 ? err_set(err, ERR_SERVER, "not yet") : 0;
}

Test(drive, task_is_tried_again_when_that_may_help)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 4, succeed_at_the_third_try);
    cr_assert_eq(toy_drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_eq(toy.n_worked, 12);
    cr_assert_eq(result.n_done, 4);
    cr_assert_eq(result.n_failed, 0);
}

Test(drive, failed_task_is_given_up_and_the_others_go_on)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 9, fail_some);
    cr_assert_eq(toy_drive(&toy, 1, 1, &result, &err), 0);
    cr_assert_eq(result.n_done, 6);
    cr_assert_eq(result.n_failed, 3);
    cr_assert_eq(toy.n_given_up, 3);
    cr_assert_str_eq(result.first.message, "task 1 is damaged");
    cr_assert_str_eq(toy.why.message, "task 7 is damaged");
}

/* The first fails for all, while the second is at work. */
static int
fail_first_for_all(struct toy_task *t, struct err *err)
{
    if (t->number > 0)
        return toy_nap(t, err);
    while (t->toy->n_begun < 2)
        clock_nap_us(100);
    return err_set(err, ERR_SYSTEM, "disk is full");
}

Test(drive, failure_that_concerns_all_lets_the_others_finish)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, fail_first_for_all);
    cr_assert_lt(toy_drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_str_eq(err.message, "disk is full");
    cr_assert_eq(toy.n_recorded, 1);
    cr_assert_eq(toy.n_fetched, 2, "nothing new is begun");
    cr_assert_eq(result.n_done, 1);
    cr_assert_eq(result.n_failed, 0, "the task itself is not at fault");
}

static int
refuse_once(struct toy *toy, struct err *err)
{
    static atomic_uint n;

    (void)toy;
    return n++ == 0 ? err_set(err, ERR_SERVER, "too many clients") : 0;
}

static int
refuse_for_good(struct toy *toy, struct err *err)
{
    (void)toy;
    return err_set(err, ERR_REFUSED, "wrong server");
}

Test(drive, worker_that_could_not_open_tries_again)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, toy_succeed);
    toy.open = refuse_once;
    cr_assert_eq(toy_drive(&toy, 1, 1, &result, &err), 0);
    cr_assert_eq(result.n_done, 3);
    cr_assert_eq(toy.n_opened, 1);
}

static int
refuse_all_but_the_first(struct toy *toy, struct err *err)
{
    static atomic_uint n;

    (void)toy;
    return n++ > 0 ? err_set(err, ERR_SERVER, "too many clients") : 0;
}

Test(drive, tasks_of_workers_that_can_never_open_are_done_by_the_others)
{
    struct drive_result result;
    uint64_t begun_ms = clock_ms();
    struct toy toy;
    struct err err;

    toy_make(&toy, 40, toy_nap);
    toy.open = refuse_all_but_the_first;
    cr_assert_eq(toy_drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_eq(result.n_done, 40);
    cr_assert_eq(result.n_failed, 0);
    cr_assert_eq(toy.n_opened, 1);
    cr_assert_lt(clock_ms() - begun_ms, 10000, "and nobody waits for them");
}

Test(drive, tasks_that_were_put_back_are_dropped_when_it_is_stopped_short)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 40, toy_nap);
    toy.open = refuse_all_but_the_first;
    toy.record_fails = 0;
    cr_assert_lt(toy_drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_str_eq(err.message, "record is broken");
}

/* ---- limits ---- */

/* None at first; then more and more. */
static int
allow_slowly(void *arg, unsigned *ret_n, struct err *err)
{
    struct toy *toy = arg;

    (void)err;
    cr_assert(pthread_equal(pthread_self(), toy->main_thread));
    cr_assert_leq(toy->n_begun - toy->n_worked, toy->n_allowed);
    if (toy->n_allowed < 4)
        *ret_n = toy->n_allowed = toy->n_recorded / 5 + (toy->n_asked++ > 3);
    return 0;
}

Test(drive, no_more_are_at_work_than_are_allowed)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 60, toy_nap);
    toy.allow = allow_slowly;
    cr_assert_eq(toy_drive(&toy, 1, 8, &result, &err), 0);
    cr_assert_eq(result.n_done, 60);
    cr_assert_eq(toy.n_opened, 4);
}

static int
allow_until_the_tenth(void *arg, unsigned *ret_n, struct err *err)
{
    struct toy *toy = arg;

    (void)ret_n;
    return toy->n_recorded < 10 ? 0
                                : err_set(err, ERR_REFUSED, "that is enough");
}

Test(drive, limit_that_is_reached_ends_the_run_after_what_is_in_hand)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, toy_nap);
    toy.allow = allow_until_the_tenth;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_str_eq(err.message, "that is enough");
    cr_assert_geq(result.n_done, 10);
    cr_assert_leq(result.n_done, 15);
    cr_assert_eq(result.n_done, toy.n_fetched, "what was begun is done");
}

static int
allow_none(void *arg, unsigned *ret_n, struct err *err)
{
    struct toy *toy = arg;

    (void)err;
    *ret_n = 0;
    if (toy->n_asked++ == 5)
        stop_request(toy->stop);
    return 0;
}

Test(drive, interrupt_ends_what_may_not_work)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, toy_nap);
    toy.allow = allow_none;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_eq(toy.n_fetched, 0);
}

Test(drive, opening_that_fails_for_all_is_the_end)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, toy_succeed);
    toy.open = refuse_for_good;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_str_eq(err.message, "wrong server");
    cr_assert_eq(toy.n_worked, 0);
}

Test(drive, broken_catalogue_is_the_end_whatever_it_breaks_in)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, fail_some);
    toy.fetch_fails = 20;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "fetch is broken");
    cr_assert_eq(toy.n_recorded + toy.n_given_up, 20, "what is done is kept");

    toy_make(&toy, 100, fail_some);
    toy.record_fails = 20;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "record is broken");
    cr_assert_eq(result.n_done, toy.n_recorded);

    toy_make(&toy, 100, fail_some);
    toy.give_up_fails = 19;
    cr_assert_lt(toy_drive(&toy, 1, 3, &result, &err), 0);
    cr_assert_str_eq(err.message, "give_up is broken");
    cr_assert_lt(toy.n_fetched, 25);
}
