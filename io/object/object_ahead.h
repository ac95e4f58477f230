/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reading an object from one end to the other: blocks of it are asked for side
 * by side, before they are needed, since one connection seldom gives what the
 * network could.  Memory: as many blocks of 4 MiB as the configuration has
 * requests at a time.
 *
 * One thread owns it, and its client.
 */

#include "io/object/object_client.h"

struct object_ahead;

/* All are borrowed for as long as it lives. */
int object_ahead_new(struct object_ahead **ret, struct object_client *c,
                     const char *key, const char *etag, uint64_t len,
                     struct err *err);
struct object_ahead *object_ahead_free(struct object_ahead *a);
DEFINE_CLEANUP(struct object_ahead *, object_ahead_free)

/* [offset, offset + len), which is in the object.  Where it is not what comes
   next, what was asked for is dropped. */
int object_ahead_read(struct object_ahead *a, uint64_t offset, void *to,
                      size_t len, struct err *err);
