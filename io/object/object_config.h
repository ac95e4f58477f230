/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * How an object store is reached, and what becomes of what is put there.  It
 * comes from the environment, as with other tools (the variables are in the
 * manual), and may be changed before a client is made of it.
 */

#include "io/cleanup.h"
#include "io/err.h"

struct stop;

enum object_style {
    OBJECT_STYLE_AUTO, /* PATH where an endpoint is named, else HOST */
    OBJECT_STYLE_PATH, /* https://endpoint/bucket/key */
    OBJECT_STYLE_HOST, /* https://bucket.endpoint/key */
};

struct object_config {
    char *endpoint; /* "https://host:port"; NULL: AWS's, of the region */
    char *region;
    char *ca; /* file of certificates; NULL: the system's */
    enum object_style style;

    /* Of what is put; NULL: not said, the bucket's own settings hold. */
    char *encryption; /* "AES256" or "aws:kms" */
    char *kms_key;
    char *storage_class;
    char *lock;         /* "GOVERNANCE" or "COMPLIANCE" */
    char *retain_until; /* "2036-01-01T00:00:00Z", with lock */
    int legal_hold;

    /* A request is tried so often, with pauses that are doubled from pause_ms
       on to 20 s; it is lost when nothing moves for stall_s. */
    unsigned n_tries;
    unsigned pause_ms;
    unsigned stall_s;
    /* Requests at a time: parts of an upload, pieces of a read. */
    unsigned n_parallel;

    const struct stop *stop; /* borrowed; NULL: nobody asks */
};

int object_config_new(struct object_config **ret, struct err *err);
struct object_config *object_config_free(struct object_config *c);
DEFINE_CLEANUP(struct object_config *, object_config_free)

/* Where a bucket is: what the URL of a key in it begins with, and its host
   header ("host:port"). */
struct object_place {
    char *base;   /* "https://host:port", without "/" at the end */
    char *prefix; /* of all paths: "" or "/bucket" */
    char *host;
};

int object_place_find(struct object_place *ret, const struct object_config *c,
                      const char *bucket, struct err *err);
void object_place_clear(struct object_place *p);
