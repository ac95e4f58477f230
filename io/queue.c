/* SPDX-License-Identifier: PostgreSQL */
#include "io/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "io/clock.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty; /* or closed */
    pthread_cond_t not_full;  /* or closed */
    size_t capacity;

    /* Under lock. */
    bool closed;
    size_t head; /* of the ring: the oldest item */
    size_t n_items;
    void *items[];
};

/* Waits are timed by the clock that does not jump. */
static void
init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int
queue_new(struct queue **ret, size_t capacity, struct err *err)
{
    struct queue *q;
    size_t size;

    assert(capacity > 0);

    if (__builtin_mul_overflow(capacity, sizeof *q->items, &size) ||
        __builtin_add_overflow(size, sizeof *q, &size))
        return err_nomem(err);
    q = calloc(1, size);
    if (!q)
        return err_nomem(err);
    q->capacity = capacity;
    pthread_mutex_init(&q->lock, NULL);
    init_cond(&q->not_empty);
    init_cond(&q->not_full);

    *ret = q;
    return 0;
}

struct queue *
queue_free(struct queue *q)
{
    if (!q)
        return NULL;
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

int
queue_push(struct queue *q, void *item)
{
    int r = QUEUE_E_CLOSED;

    pthread_mutex_lock(&q->lock);
    while (!q->closed && q->n_items == q->capacity)
        pthread_cond_wait(&q->not_full, &q->lock);
    if (!q->closed) {
        q->items[(q->head + q->n_items++) % q->capacity] = item;
        pthread_cond_signal(&q->not_empty);
        r = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return r;
}

static struct timespec
deadline_in(int timeout_ms)
{
    uint64_t ns = clock_ns() + (uint64_t)timeout_ms * 1000000;

    return (struct timespec){
        .tv_sec = (time_t)(ns / 1000000000),
        .tv_nsec = (long)(ns % 1000000000),
    };
}

/* Under lock: wait for an item, the closing, or the end of the time. */
static void
wait_not_empty(struct queue *q, int timeout_ms)
{
    struct timespec deadline;
    int r = 0;

    if (timeout_ms >= 0)
        deadline = deadline_in(timeout_ms);
    while (q->n_items == 0 && !q->closed && r != ETIMEDOUT) {
        if (timeout_ms < 0)
            pthread_cond_wait(&q->not_empty, &q->lock);
        else
            r = pthread_cond_timedwait(&q->not_empty, &q->lock, &deadline);
    }
}

int
queue_pop(struct queue *q, void **item, int timeout_ms)
{
    int r = 0;

    pthread_mutex_lock(&q->lock);
    wait_not_empty(q, timeout_ms);
    if (q->n_items > 0) {
        *item = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->n_items--;
        pthread_cond_signal(&q->not_full);
    } else {
        r = q->closed ? QUEUE_E_CLOSED : QUEUE_E_TIMEOUT;
    }
    pthread_mutex_unlock(&q->lock);
    return r;
}

void
queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}
