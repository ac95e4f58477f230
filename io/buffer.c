/* SPDX-License-Identifier: PostgreSQL */
#include "io/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct buffer_pool {
    unsigned char *memory; /* all the buffers' bytes, one mapping */
    size_t len;
    unsigned n_buffers;
    unsigned n_free;
    struct buffer *free; /* last back first out: its bytes are in cache */
    struct buffer *buffers;
    struct iovec *iov;
};

static int
map_memory(struct buffer_pool *p, size_t piece, struct err *err)
{
    size_t len;
    void *memory;

    if (__builtin_mul_overflow(piece, p->n_buffers, &len))
        return err_nomem(err);

    memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return err_sys(err, errno, "could not allocate %zu bytes of buffers",
                       len);
    p->memory = memory;
    p->len = len;
    return 0;
}

/* Highest first, so that the free list begins with buffer 0. */
static void
cut_memory(struct buffer_pool *p, size_t piece)
{
    for (unsigned i = p->n_buffers; i-- > 0;) {
        struct buffer *b = &p->buffers[i];

        *b = (struct buffer){
            .data = p->memory + i * piece,
            .size = piece,
            .index = i,
            .pool = p,
        };
        p->iov[i] = (struct iovec){.iov_base = b->data, .iov_len = piece};
        buffer_put(b);
    }
}

int
buffer_pool_new(struct buffer_pool **ret, size_t piece, unsigned n_buffers,
                struct err *err)
{
    cleanup_(buffer_pool_freep) struct buffer_pool *p = NULL;
    int r;

    assert(piece > 0 && piece % BUFFER_ALIGN == 0);
    assert(n_buffers > 0);

    p = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(err);
    p->n_buffers = n_buffers;
    p->buffers = calloc(n_buffers, sizeof *p->buffers);
    p->iov = calloc(n_buffers, sizeof *p->iov);
    if (!p->buffers || !p->iov)
        return err_nomem(err);
    r = map_memory(p, piece, err);
    if (r)
        return r;
    cut_memory(p, piece);

    *ret = take(p);
    return 0;
}

struct buffer_pool *
buffer_pool_free(struct buffer_pool *p)
{
    if (!p)
        return NULL;
    if (p->memory) {
        assert(p->n_free == p->n_buffers);
        munmap(p->memory, p->len);
    }
    free(p->iov);
    free(p->buffers);
    free(p);
    return NULL;
}

struct buffer *
buffer_get(struct buffer_pool *p)
{
    struct buffer *b = p->free;

    if (!b)
        return NULL;
    p->free = b->next;
    b->next = NULL;
    p->n_free--;
    return b;
}

struct buffer *
buffer_put(struct buffer *b)
{
    struct buffer_pool *p;

    if (!b)
        return NULL;
    p = b->pool;
    assert(p->n_free < p->n_buffers);
    b->next = p->free;
    p->free = b;
    p->n_free++;
    return NULL;
}

unsigned
buffer_pool_count(const struct buffer_pool *p)
{
    return p->n_buffers;
}

const struct iovec *
buffer_pool_iov(const struct buffer_pool *p)
{
    return p->iov;
}
