/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Objects of one bucket: looked at, read, put, listed, removed.  Large ones
 * are put by object_upload.h.  All of these wait.
 */

#include "io/object/object_client.h"

struct object_info {
    uint64_t len;
    char etag[256];
    char upload_tag[64];
};

/* OBJECT_E_MISSING. */
int object_head(struct object_client *c, const char *key,
                struct object_info *ret, struct err *err);

/*
 * [offset, offset + len), all of it.  etag: of the object that is meant, so
 * that another one in its place is noticed (ERR_CORRUPT); may be "".
 */
int object_read(struct object_client *c, const char *key, const char *etag,
                uint64_t offset, void *to, size_t len, struct err *err);

/* One request, so up to 5 GiB; with what the configuration says of locks,
   encryption, class.  OBJECT_E_EXISTS: unless it is to be replaced. */
int object_put(struct object_client *c, const char *key, const void *data,
               size_t len, int replace, struct err *err);

enum { OBJECT_TAG_SIZE = 33 };

/* A random one, by which we know our own object again. */
int object_tag(char ret[OBJECT_TAG_SIZE], struct err *err);

/* The object is there already: is it the one with that tag, put by a request
   whose answer was lost?  0, or OBJECT_E_EXISTS. */
int object_is_ours(struct object_client *c, const char *key, const char *tag,
                   struct err *err);

/* OBJECT_E_MISSING, where the store says so; most do not. */
int object_remove(struct object_client *c, const char *key, struct err *err);

/* Each key that begins so, in order; not 0: the end, and what is returned. */
typedef int object_visit(void *arg, const char *key, uint64_t len,
                         struct err *err);
int object_list(struct object_client *c, const char *prefix,
                object_visit *visit, void *arg, struct err *err);

/* ---- for those who put objects otherwise ---- */

/* What object_call_wait() has answered, for a caller that has no use for an
   outcome: it is the failure that came with it. */
int object_no_outcome(struct object_call *call, int r, struct err *err);

/* Add a line, unless value is NULL; *n becomes -1 when memory runs out. */
int object_put_header(char **headers, int *n, const char *name,
                      const char *value);
void object_headers_free(char *(*headers)[OBJECT_HEADERS_MAX]);

/*
 * Header lines of a new object, as the configuration has them, into headers
 * from n on; each is to be freed.  Returns how many there are then; <0: out of
 * memory.
 */
int object_put_headers(const struct object_config *config, char **headers,
                       int n, struct err *err);
