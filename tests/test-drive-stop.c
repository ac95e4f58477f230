/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <poll.h>

#include "tests/toy_lane.h"

/* The tenth stops, as a signal would. */
static int
stop_at_ten(struct toy_task *t, struct err *err)
{
    if (t->number == 10)
        stop_request(t->toy->stop);
    return toy_nap(t, err);
}

Test(drive_stop, interrupt_finishes_what_is_in_hand_and_begins_nothing_new)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 1000, stop_at_ten);
    cr_assert_lt(toy_drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_eq(toy.n_recorded, toy.n_worked);
    cr_assert_lt(toy.n_fetched, 30);
}

/* Works until it is interrupted. */
static int
hang(struct toy_task *t, struct err *err)
{
    struct pollfd stopped = {stop_fd(t->toy->stop), POLLIN, 0};

    poll(&stopped, 1, 20000);
    return stop_check(t->toy->stop, err);
}

static int
stop_twice(struct toy_task *t, struct err *err)
{
    if (t->number > 0)
        return hang(t, err);
    stop_request(t->toy->stop);
    stop_request(t->toy->stop);
    return 0;
}

Test(drive_stop, second_interrupt_gives_up_what_is_in_hand, .timeout = 60)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 100, stop_twice);
    cr_assert_lt(toy_drive(&toy, 1, 4, &result, &err), 0);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_leq(result.n_done, 1);
    cr_assert_eq(result.n_failed, 0);
}

static int
fail_first_or_hang(struct toy_task *t, struct err *err)
{
    return t->number > 0 ? hang(t, err)
                         : err_set(err, ERR_SYSTEM, "disk is full");
}

Test(drive_stop, worker_that_does_not_finish_is_interrupted, .timeout = 60)
{
    struct drive_result result;
    struct toy toy;
    struct err err;

    toy_make(&toy, 4, fail_first_or_hang);
    cr_assert_lt(toy_drive(&toy, 1, 2, &result, &err), 0);
    cr_assert_str_eq(err.message, "disk is full");
}

static int
fail_for_now(struct toy_task *t, struct err *err)
{
    (void)t;
    return err_set(err, ERR_SERVER, "not yet");
}

Test(drive_stop, task_that_waits_for_another_try_is_dropped_by_an_interrupt)
{
    struct drive_result result;
    struct toy toys[2];
    struct err err;

    toy_make(&toys[0], 1, fail_for_now);
    toy_make(&toys[1], 20, stop_at_ten);
    cr_assert_lt(toy_drive(toys, 2, 1, &result, &err), 0);
    cr_assert_str_eq(err.message, "interrupted");
    cr_assert_eq(toys[0].n_recorded, 0);
    cr_assert_eq(toys[0].n_given_up, 0);
}

Test(drive_stop, interrupt_before_the_beginning_begins_nothing)
{
    cleanup_(progress_freep) struct progress *progress = NULL;
    cleanup_(stop_freep) struct stop *stop = NULL;
    struct drive_result result;
    struct lane lane;
    struct toy toy;
    struct err err;

    toy_make(&toy, 3, toy_succeed);
    lane = (struct lane){.ops = &toy_ops, .arg = &toy, .n_workers = 1};
    progress_new(&progress, PROGRESS_QUIET, &err);
    stop_new(&stop, &err);
    stop_request(stop);
    cr_assert_lt(drive_run(&(struct drive_params){.lanes = &lane,
                                                  .n_lanes = 1,
                                                  .stop = stop,
                                                  .progress = progress},
                           &result, &err),
                 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_eq(toy.n_fetched, 0);
}
