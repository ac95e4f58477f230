/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Store: where one large thing lies, an archive or a volume of it.  What it
 * means is not known here.
 *
 *     "-"            standard input or output      forward only
 *     /dev/..., FIFO what is no regular file       forward only
 *     s3://BUCKET/KEY                 an object (object_config.h says where)
 *     NAME           a file
 *
 * Reading: at any offset, by several threads at once; or, where it is
 * is_forward, by one thread, at offsets that only grow.
 *
 * Writing is appending, by one thread:
 *
 *     OPEN --append--> OPEN --commit--> COMMITTED
 *       \--any call fails--> BROKEN, where only free is allowed
 *
 * Nothing is seen under the name before it is committed, and then all of it
 * is, durably; what is freed before is thrown away.  (A pipe's reader has what
 * it has: the end of what is in it must say that it is the end.)
 *
 * Another kind of place brings its two tables of functions and its line in
 * store.c.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

#define STORE_LEN_UNKNOWN UINT64_MAX

/* Outcomes. */
enum {
    STORE_E_MISSING = 1, /* there is nothing of that name */
    STORE_E_EXISTS,      /* there is, and it was not to be replaced */
};

/* ---- reading ---- */

struct store_in;
struct stop;

struct store_in_ops {
    /*
     * [offset, offset + len), or what there is of it: *ret_n is less than len
     * only where the store ends, never because of a signal or a lost
     * connection.  What a forward one passes over is read and dropped.
     */
    int (*read)(struct store_in *s, uint64_t offset, void *to, size_t len,
                size_t *ret_n, struct err *err);
    struct store_in *(*free)(struct store_in *s);
};

/* The head of each kind's own struct. */
struct store_in {
    const struct store_in_ops *ops;
    const char *name; /* for messages; lives as long as the store */
    uint64_t len;     /* or STORE_LEN_UNKNOWN */
    int is_forward;
    /* The owner's, before it reads: ends what waits for others; or NULL. */
    const struct stop *stop;
};

/* STORE_E_MISSING. */
int store_in_open(struct store_in **ret, const char *where, struct err *err);
struct store_in *store_in_free(struct store_in *s);
DEFINE_CLEANUP(struct store_in *, store_in_free)

int store_in_read(struct store_in *s, uint64_t offset, void *to, size_t len,
                  size_t *ret_n, struct err *err);

/* All of it: ERR_CORRUPT when the store ends before. */
int store_in_read_all(struct store_in *s, uint64_t offset, void *to, size_t len,
                      struct err *err);

/* ---- writing ---- */

struct store_out;

struct store_out_ops {
    int (*append)(struct store_out *s, const void *data, size_t len,
                  struct err *err);
    /* Also STORE_E_EXISTS: it has come into being meanwhile. */
    int (*commit)(struct store_out *s, struct err *err);
    struct store_out *(*free)(struct store_out *s);
};

struct store_out {
    const struct store_out_ops *ops;
    const char *name;
};

struct store_out_params {
    const char *where;
    uint64_t expected_len; /* what will be appended in all; 0: not known */
    int replace;           /* what is there, at commit */
    /* Where it may be remembered how far a broken one came, so that the same
       bytes need not be sent again; NULL: nowhere.  Files have no use for it. */
    const char *state_dir;
    const struct stop *stop; /* ends what waits for others; NULL: nobody asks */
};

/* STORE_E_EXISTS: then there is no message yet. */
int store_out_open(struct store_out **ret, const struct store_out_params *p,
                   struct err *err);
struct store_out *store_out_free(struct store_out *s);
DEFINE_CLEANUP(struct store_out *, store_out_free)

int store_out_append(struct store_out *s, const void *data, size_t len,
                     struct err *err);
int store_out_commit(struct store_out *s, struct err *err);

/* ---- the rest ---- */

/* STORE_E_MISSING. */
int store_remove(const char *where, struct err *err);

/* Whether it is a stream that has no name, so that nothing can lie beside it. */
int store_is_stream(const char *where);
