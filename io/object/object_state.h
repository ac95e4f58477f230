/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What is remembered of an upload while it lasts: a small file of lines, so
 * that it can be gone on with.  It is a hint, never a proof: a torn or foreign
 * one is as good as none.
 *
 *     pghaul upload 1
 *     of     what is uploaded, where to and how; in hex
 *     id     the store's id of it; in hex
 *     tag    by which the finished object is known again
 *     part   NUMBER LENGTH SHA256 ETAG (in hex), as each is there
 *
 * Each line but the first ends in " end".
 */

#include "io/object/object.h"
#include "io/object/object_multipart.h"

struct object_state {
    char *of;
    char *id;
    char tag[OBJECT_TAG_SIZE];
    struct object_parts parts;
};

/* 1: there is one; 0: none, or none that can be used. */
int object_state_read(struct object_state *ret, const char *path,
                      struct err *err);
void object_state_clear(struct object_state *s);

/* In the place of an older one; *ret_fd is for further parts. */
int object_state_begin(int *ret_fd, const char *path,
                       const struct object_state *s, struct err *err);
int object_state_add(int fd, unsigned n, const struct object_part *part,
                     struct err *err);
void object_state_remove(const char *path);
