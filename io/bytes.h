/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where bytes come from and where they go: the seam that lets formats/ work
 * on memory alone.  A staged file is a bytes_out, a reader is a bytes_in; the
 * tests use blocks of memory for both.
 */

#include <stddef.h>
#include <stdint.h>

struct err;

/* Append-only.  Bytes are produced in place, so nothing is copied twice. */
struct bytes_out {
    void *to;
    /*
     * Answer at least min bytes of room, valid until the next call; min is at
     * most BYTES_OUT_MIN_MAX.  May wait for earlier bytes to be written.
     */
    int (*reserve)(void *to, size_t min, unsigned char **room, struct err *);
    /* The first n bytes of that room are now part of the output. */
    int (*advance)(void *to, size_t n, struct err *err);
};

enum { BYTES_OUT_MIN_MAX = 384 << 10 };

/* Random access to bytes that do not change. */
struct bytes_in {
    void *from;
    uint64_t len;
    const char *name; /* for messages */
    /* All of [offset, offset + len), or a failure: never less. */
    int (*read_at)(void *from, uint64_t offset, void *to, size_t len,
                   struct err *err);
};

/* Copy n bytes into out, in as many pieces as it takes. */
int bytes_out_append(const struct bytes_out *out, const void *data, size_t n,
                     struct err *err);

/* All of it, with a zero byte behind, to be freed; ret_len may be NULL.
   ERR_CORRUPT: it is longer than that. */
int bytes_in_text(const struct bytes_in *in, size_t max, char **ret,
                  size_t *ret_len, struct err *err);
