/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_ahead.h"

#include <stdlib.h>
#include <string.h>

#include "io/object/object.h"

enum { BLOCK = 4 << 20, BLOCKS_MAX = 16 };

struct block {
    unsigned char *data;
    struct object_call *call; /* NULL: nothing is asked for */
    uint64_t offset;
    size_t len;
};

struct object_ahead {
    struct object_client *client;
    const char *key, *etag;
    uint64_t len;
    uint64_t next; /* first byte that is not asked for */
    struct block blocks[BLOCKS_MAX];
    unsigned n_blocks;
    unsigned first; /* the block that holds the earliest bytes */
};

int
object_ahead_new(struct object_ahead **ret, struct object_client *c,
                 const char *key, const char *etag, uint64_t len,
                 struct err *err)
{
    unsigned n = object_client_config(c)->n_parallel;
    struct object_ahead *a = calloc(1, sizeof *a);

    if (!a)
        return err_nomem(err);
    *a = (struct object_ahead){
        .client = c, .key = key, .etag = etag, .len = len};
    a->n_blocks = n < 1 ? 1 : n > BLOCKS_MAX ? BLOCKS_MAX : n;
    *ret = a;
    return 0;
}

struct object_ahead *
object_ahead_free(struct object_ahead *a)
{
    if (!a)
        return NULL;
    for (unsigned i = 0; i < a->n_blocks; i++) {
        object_call_end(a->blocks[i].call);
        free(a->blocks[i].data);
    }
    free(a);
    return NULL;
}

static int
ask(struct object_ahead *a, struct block *b, struct err *err)
{
    struct object_ask what = {.method = "GET", .key = a->key, .etag = a->etag};

    if (!b->data && !(b->data = malloc(BLOCK)))
        return err_nomem(err);
    b->offset = a->next;
    b->len = a->len - a->next < BLOCK ? (size_t)(a->len - a->next) : BLOCK;
    what.into = b->data;
    what.offset = b->offset;
    what.len = b->len;
    if (object_call_begin(&b->call, a->client, &what, err) < 0)
        return -1;
    a->next += b->len;
    return 0;
}

/* In the order of their offsets, from first on, round the ring. */
static int
ask_for_more(struct object_ahead *a, struct err *err)
{
    for (unsigned i = 0; i < a->n_blocks && a->next < a->len; i++) {
        struct block *b = &a->blocks[(a->first + i) % a->n_blocks];

        if (!b->call && ask(a, b, err) < 0)
            return -1;
    }
    return 0;
}

static void
begin_at(struct object_ahead *a, uint64_t offset)
{
    for (unsigned i = 0; i < a->n_blocks; i++)
        a->blocks[i].call = object_call_end(a->blocks[i].call);
    a->first = 0;
    a->next = offset;
}

static int
has(const struct block *b, uint64_t offset)
{
    return b->call && offset >= b->offset && offset < b->offset + b->len;
}

static void
drop_first(struct object_ahead *a)
{
    struct block *b = &a->blocks[a->first];

    b->call = object_call_end(b->call);
    a->first = (a->first + 1) % a->n_blocks;
}

/* The first block is made the one that has the byte at offset. */
static int
find(struct object_ahead *a, uint64_t offset, struct err *err)
{
    for (unsigned i = 0; i < a->n_blocks; i++) {
        if (has(&a->blocks[a->first], offset))
            break;
        if (a->blocks[a->first].call)
            drop_first(a);
    }
    if (!has(&a->blocks[a->first], offset))
        begin_at(a, offset);
    return ask_for_more(a, err);
}

int
object_ahead_read(struct object_ahead *a, uint64_t offset, void *to, size_t len,
                  struct err *err)
{
    unsigned char *at = to;

    while (len) {
        struct block *b;
        size_t from, n;
        int r;

        if (find(a, offset, err) < 0)
            return -1;
        b = &a->blocks[a->first];
        r = object_call_wait(b->call, NULL, err);
        if (r)
            return object_no_outcome(b->call, r, err);
        from = (size_t)(offset - b->offset);
        n = b->len - from < len ? b->len - from : len;
        memcpy(at, b->data + from, n);
        at += n;
        offset += n;
        len -= n;
    }
    return 0;
}
