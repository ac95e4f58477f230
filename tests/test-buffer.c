/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include "io/buffer.h"

enum { PIECE = 2 * BUFFER_ALIGN, N_BUFFERS = 3 };

static struct buffer_pool *pool;

static void
make_pool(void)
{
    struct err err;

    cr_assert_eq(buffer_pool_new(&pool, PIECE, N_BUFFERS, &err), 0, "%s",
                 err.message);
}

static void
free_pool(void)
{
    pool = buffer_pool_free(pool);
}

TestSuite(buffer, .init = make_pool, .fini = free_pool);

Test(buffer, each_is_aligned_whole_and_apart_from_the_others)
{
    struct buffer *b[N_BUFFERS];

    for (int i = 0; i < N_BUFFERS; i++) {
        b[i] = buffer_get(pool);
        cr_assert_not_null(b[i]);
        cr_assert_eq((uintptr_t)b[i]->data % BUFFER_ALIGN, 0);
        cr_assert_eq(b[i]->size, PIECE);
        cr_assert_eq(b[i]->pool, pool);
        memset(b[i]->data, 'a' + i, PIECE);
    }
    for (int i = 0; i < N_BUFFERS; i++) {
        cr_assert_eq(b[i]->data[0], 'a' + i);
        cr_assert_eq(b[i]->data[PIECE - 1], 'a' + i);
        buffer_put(b[i]);
    }
}

Test(buffer, none_is_made_beyond_the_bound)
{
    struct buffer *b[N_BUFFERS];

    for (int i = 0; i < N_BUFFERS; i++)
        b[i] = buffer_get(pool);
    cr_assert_null(buffer_get(pool));

    b[1] = buffer_put(b[1]);
    cr_assert_null(b[1]);
    b[1] = buffer_get(pool);
    cr_assert_not_null(b[1]);
    cr_assert_null(buffer_get(pool));

    for (int i = 0; i < N_BUFFERS; i++)
        buffer_put(b[i]);
}

Test(buffer, one_that_came_back_goes_out_next)
{
    struct buffer *first = buffer_get(pool), *second = buffer_get(pool);

    buffer_put(first);
    cr_assert_eq(buffer_get(pool), first);
    buffer_put(first);
    buffer_put(second);
}

Test(buffer, iovecs_name_every_buffer_by_its_index)
{
    const struct iovec *iov = buffer_pool_iov(pool);
    struct buffer *b[N_BUFFERS];

    cr_assert_eq(buffer_pool_count(pool), N_BUFFERS);
    for (unsigned i = 0; i < N_BUFFERS; i++) {
        b[i] = buffer_get(pool);
        cr_assert_eq(b[i]->index, i);
        cr_assert_eq(iov[i].iov_base, b[i]->data);
        cr_assert_eq(iov[i].iov_len, PIECE);
    }
    for (unsigned i = 0; i < N_BUFFERS; i++)
        buffer_put(b[i]);
}

Test(buffer, scope_puts_it_back)
{
    for (int i = 0; i < 2 * N_BUFFERS; i++) {
        cleanup_(buffer_putp) struct buffer *b = buffer_get(pool);

        cr_assert_not_null(b);
    }
}

Test(buffer, nothing_can_be_put_back)
{
    cr_assert_null(buffer_put(NULL));
    cr_assert_null(buffer_pool_free(NULL));
}

Test(buffer, pool_is_not_freed_while_one_is_out, .signal = SIGABRT)
{
    buffer_get(pool);
    buffer_pool_free(pool);
}

Test(buffer, one_cannot_be_put_back_twice, .signal = SIGABRT)
{
    struct buffer *b = buffer_get(pool);

    buffer_put(b);
    buffer_put(b);
}

Test(buffer, size_that_overflows_is_out_of_memory)
{
    struct buffer_pool *p = NULL;
    struct err err;

    cr_assert_lt(
        buffer_pool_new(&p, SIZE_MAX - SIZE_MAX % BUFFER_ALIGN, 2, &err), 0);
    cr_assert_null(p);
    cr_assert_eq(err.sys, ENOMEM);
}

Test(buffer, size_that_the_system_refuses_is_told_in_bytes)
{
    struct buffer_pool *p = NULL;
    struct err err;

    cr_assert_lt(buffer_pool_new(&p, (size_t)1 << 60, 4, &err), 0);
    cr_assert_null(p);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_str_eq(err.message,
                     "could not allocate 4611686018427387904 bytes of buffers"
                     ": Cannot allocate memory");
}
