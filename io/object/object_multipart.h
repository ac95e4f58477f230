/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The requests of an upload in parts: create, list what is there, complete,
 * abort.  Who sends which part when is object_upload.h's.
 */

#include "io/object/object_client.h"

enum { OBJECT_PARTS_MAX = 10000 };

struct object_part {
    uint64_t len;
    char *etag;        /* NULL: it is not there */
    char checksum[64]; /* SHA-256 in base64 */
};

/* Numbers begin with 1: part n is parts[n - 1]. */
struct object_parts {
    struct object_part *parts;
    unsigned n, size;
};

/* Part n, made with those before it; NULL: out of memory, or more than
   OBJECT_PARTS_MAX. */
struct object_part *object_parts_at(struct object_parts *p, unsigned n);
void object_parts_clear(struct object_parts *p);

/* *ret_id is to be freed. */
int object_multipart_create(char **ret_id, struct object_client *c,
                            const char *key, const char *tag, struct err *err);

/* What the store has of it.  OBJECT_E_MISSING: no such upload (any more);
   OBJECT_E_UNSUPPORTED: it does not say. */
int object_multipart_list(struct object_parts *ret, struct object_client *c,
                          const char *key, const char *id, struct err *err);

/* "partNumber=3&uploadId=..."; n 0: without the number.  To be freed. */
char *object_multipart_query(const char *id, unsigned n);

/* OBJECT_E_MISSING, OBJECT_E_EXISTS, OBJECT_E_REJECTED; then *err is filled,
   too. */
int object_multipart_complete(struct object_client *c, const char *key,
                              const char *id, const struct object_parts *parts,
                              int replace, struct err *err);

int object_multipart_abort(struct object_client *c, const char *key,
                           const char *id, struct err *err);
