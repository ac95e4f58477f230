/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Upload: a stream of bytes becomes one object, in parts that are sent side by
 * side.  Nothing is seen of it until it is committed, and then all of it is.
 *
 *     OPEN --append--> OPEN --commit--> COMMITTED
 *       \--any call fails--> BROKEN, where only free is allowed
 *
 * Every part is sent with its SHA-256.  Memory: (parallel + 1) parts.  What is
 * no longer than a part is sent in one request.
 *
 * An upload that was broken off goes on when the same bytes come again: what
 * of them the store has, by its own word and by their SHA-256, is not sent
 * again.  Which upload that was, and what it had sent, a state file says.
 *
 * One thread owns an upload and its client; all but new and free may wait.
 */

#include "io/object/object_client.h"

struct object_upload;

struct object_upload_params {
    const char *key;
    uint64_t expected_len; /* 0: not known; up to 10,000 parts of 64 MiB then */
    int replace;           /* what is there, at commit */
    const char *state;     /* path of the state file, or NULL */
    uint64_t part_len;     /* 0: as the expected length needs it, from 16 MiB */
};

int object_upload_new(struct object_upload **ret, struct object_client *c,
                      const struct object_upload_params *p, struct err *err);
/* Of no bytes: what is being sent moves on. */
int object_upload_append(struct object_upload *u, const void *data, size_t len,
                         struct err *err);
/* OBJECT_E_EXISTS. */
int object_upload_commit(struct object_upload *u, struct err *err);
/* What was not committed is taken back; with a state file, it stays for another
   try. */
struct object_upload *object_upload_free(struct object_upload *u);
DEFINE_CLEANUP(struct object_upload *, object_upload_free)

struct object_upload_counts {
    unsigned n_parts; /* in all */
    unsigned n_there; /* of these, what the store has confirmed */
    unsigned n_kept;  /* of those, what an earlier upload had sent */
};
struct object_upload_counts object_upload_counts(const struct object_upload *u);
