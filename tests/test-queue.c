/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "io/clock.h"
#include "io/queue.h"

enum { FOR_EVER = -1, NAP_US = 20000 };

static struct queue *queue;

static void
make_queue(size_t capacity)
{
    struct err err;

    cr_assert_eq(queue_new(&queue, capacity, &err), 0, "%s", err.message);
}

static void
free_queue(void)
{
    queue = queue_free(queue);
}

/* A wake-up that is lost shows as a test that never ends. */
TestSuite(queue, .fini = free_queue, .timeout = 60);

static pthread_t
start(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

Test(queue, first_in_is_first_out_also_around_the_end_of_the_ring)
{
    int items[3];
    void *item;

    make_queue(3);
    for (int round = 0; round < 4; round++) {
        cr_assert_eq(queue_push(queue, &items[0]), 0);
        cr_assert_eq(queue_push(queue, &items[1]), 0);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(queue_pop(queue, &item, FOR_EVER), 0);
            cr_assert_eq(item, &items[i]);
        }
    }
}

Test(queue, null_is_an_item_like_any_other)
{
    void *item = &item;

    make_queue(1);
    cr_assert_eq(queue_push(queue, NULL), 0);
    cr_assert_eq(queue_pop(queue, &item, 0), 0);
    cr_assert_null(item);
}

Test(queue, pop_gives_up_when_its_time_is_over_and_not_before)
{
    uint64_t begin = clock_ms();
    void *item = &begin;

    make_queue(1);
    cr_assert_eq(queue_pop(queue, &item, 30), QUEUE_E_TIMEOUT);
    cr_assert_geq(clock_ms() - begin, 30);
    cr_assert_eq(item, &begin, "untouched");
}

Test(queue, time_may_be_longer_than_a_second)
{
    uint64_t begin = clock_ms();
    void *item;

    make_queue(1);
    cr_assert_eq(queue_pop(queue, &item, 1030), QUEUE_E_TIMEOUT);
    cr_assert_geq(clock_ms() - begin, 1030);
}

Test(queue, pop_without_time_takes_what_is_there)
{
    void *item;

    make_queue(1);
    cr_assert_eq(queue_pop(queue, &item, 0), QUEUE_E_TIMEOUT);
    queue_push(queue, &queue);
    cr_assert_eq(queue_pop(queue, &item, 0), 0);
    cr_assert_eq(item, &queue);
}

static atomic_int pushed; /* what push answered, or NOT_YET */
enum { NOT_YET = -1 };

static void *
push_one(void *item)
{
    atomic_store(&pushed, queue_push(queue, item));
    return NULL;
}

/* A thread that waits to push &pushed into a queue of one. */
static pthread_t
start_pusher_at_full_queue(void)
{
    pthread_t pusher;

    make_queue(1);
    queue_push(queue, &queue);
    atomic_store(&pushed, NOT_YET);
    pusher = start(push_one, &pushed);
    clock_nap_us(NAP_US);
    cr_assert_eq(atomic_load(&pushed), NOT_YET);
    return pusher;
}

Test(queue, push_waits_while_it_is_full)
{
    pthread_t pusher = start_pusher_at_full_queue();
    void *item;

    cr_assert_eq(queue_pop(queue, &item, FOR_EVER), 0);
    cr_assert_eq(item, &queue);
    pthread_join(pusher, NULL);
    cr_assert_eq(atomic_load(&pushed), 0);
    cr_assert_eq(queue_pop(queue, &item, 0), 0);
    cr_assert_eq(item, &pushed);
}

Test(queue, closing_refuses_the_push_that_waits)
{
    pthread_t pusher = start_pusher_at_full_queue();
    void *item;

    queue_close(queue);
    pthread_join(pusher, NULL);
    cr_assert_eq(atomic_load(&pushed), QUEUE_E_CLOSED);

    cr_assert_eq(queue_pop(queue, &item, 0), 0);
    cr_assert_eq(item, &queue);
    cr_assert_eq(queue_pop(queue, &item, 0), QUEUE_E_CLOSED,
                 "the refused item is not in it");
}

static void *
pop_one(void *answer)
{
    void *item;

    *(int *)answer = queue_pop(queue, &item, FOR_EVER);
    return NULL;
}

Test(queue, closing_wakes_every_pop_that_waits)
{
    pthread_t poppers[3];
    int answers[3];

    make_queue(1);
    for (int i = 0; i < 3; i++)
        poppers[i] = start(pop_one, &answers[i]);
    clock_nap_us(NAP_US);
    queue_close(queue);
    for (int i = 0; i < 3; i++) {
        pthread_join(poppers[i], NULL);
        cr_assert_eq(answers[i], QUEUE_E_CLOSED);
    }
}

Test(queue, closed_is_emptied_before_it_is_over)
{
    void *item;

    make_queue(2);
    queue_push(queue, &queue);
    queue_push(queue, &pushed);
    queue_close(queue);
    cr_assert_eq(queue_push(queue, &queue), QUEUE_E_CLOSED);

    cr_assert_eq(queue_pop(queue, &item, FOR_EVER), 0);
    cr_assert_eq(item, &queue);
    cr_assert_eq(queue_pop(queue, &item, FOR_EVER), 0);
    cr_assert_eq(item, &pushed);
    cr_assert_eq(queue_pop(queue, &item, FOR_EVER), QUEUE_E_CLOSED);
}

Test(queue, closing_twice_is_closing)
{
    void *item;

    make_queue(1);
    queue_close(queue);
    queue_close(queue);
    cr_assert_eq(queue_pop(queue, &item, FOR_EVER), QUEUE_E_CLOSED);
}

Test(queue, capacity_that_overflows_is_out_of_memory)
{
    struct err err;

    cr_assert_lt(queue_new(&queue, SIZE_MAX / sizeof(void *), &err), 0);
    cr_assert_null(queue);
    cr_assert_eq(err.sys, ENOMEM);
    cr_assert_lt(queue_new(&queue, SIZE_MAX / 2, &err), 0);
    cr_assert_null(queue);
}

/*
 * The race: several push numbers, several pop them in their own ways.  Item
 * i of a pusher is the address of seen[pusher * N_EACH + i].
 */
enum { N_PUSHERS = 4, N_POPPERS = 4, N_EACH = 20000 };

static atomic_uchar seen[N_PUSHERS * N_EACH];
static atomic_int n_wrong; /* only the main thread may assert */
static int timeouts[N_POPPERS] = {FOR_EVER, FOR_EVER, 0, 1};

static void *
push_many(void *first)
{
    atomic_uchar *item = first;

    for (int i = 0; i < N_EACH; i++)
        atomic_fetch_add(&n_wrong, queue_push(queue, item + i) != 0);
    return NULL;
}

static void *
pop_many(void *arg)
{
    ptrdiff_t last[N_PUSHERS] = {-1, -1, -1, -1}, at;
    int timeout_ms = *(int *)arg, r;
    void *item;

    while ((r = queue_pop(queue, &item, timeout_ms)) != QUEUE_E_CLOSED) {
        if (r == QUEUE_E_TIMEOUT) {
            atomic_fetch_add(&n_wrong, timeout_ms == FOR_EVER);
            continue;
        }
        at = (atomic_uchar *)item - seen;
        atomic_fetch_add(&n_wrong, at % N_EACH <= last[at / N_EACH]);
        last[at / N_EACH] = at % N_EACH;
        atomic_fetch_add(&seen[at], 1);
    }
    return NULL;
}

Test(queue, threads_that_race_lose_nothing_and_get_nothing_twice)
{
    pthread_t pushers[N_PUSHERS], poppers[N_POPPERS];

    make_queue(3);
    for (int i = 0; i < N_POPPERS; i++)
        poppers[i] = start(pop_many, &timeouts[i]);
    for (int i = 0; i < N_PUSHERS; i++)
        pushers[i] = start(push_many, seen + i * N_EACH);
    for (int i = 0; i < N_PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    queue_close(queue);
    for (int i = 0; i < N_POPPERS; i++)
        pthread_join(poppers[i], NULL);

    cr_assert_eq(atomic_load(&n_wrong), 0,
                 "refused, too early, or out of order");
    for (int i = 0; i < N_PUSHERS * N_EACH; i++)
        cr_assert_eq(atomic_load(&seen[i]), 1, "item %d: %d times", i,
                     atomic_load(&seen[i]));
}
