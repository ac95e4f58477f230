/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Object client: requests to one bucket of an S3-compatible object store, over
 * libcurl.  As many at a time as one likes, all driven by the one thread that
 * owns the client.
 *
 * A call is one request with its answer.  What may pass is tried again, with
 * growing pauses: a connection that is lost or stalls, 5xx, 429, and what the
 * store says of itself ("SlowDown").  A read goes on at the byte that it had.
 *
 *     WAITING --its time comes--> RUNNING --it is answered--> DONE
 *        ^--it may pass-------------/
 *
 * Answers are hostile: their length is bounded, a read gets no byte that it
 * has not asked for.
 */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/object/object_config.h"

struct object_client;
struct object_call;

/* Outcomes. */
enum {
    OBJECT_E_MISSING = 1, /* there is no such object, or no such upload */
    OBJECT_E_EXISTS,      /* If-None-Match, and there is one */
    OBJECT_E_UNSUPPORTED, /* this store cannot do that */
    OBJECT_E_REJECTED,    /* Complete: the parts are not what was sent */
};

/* The configuration is borrowed. */
int object_client_new(struct object_client **ret,
                      const struct object_config *config, const char *bucket,
                      struct err *err);
/* All calls must have ended. */
struct object_client *object_client_free(struct object_client *c);
DEFINE_CLEANUP(struct object_client *, object_client_free)

const struct object_config *object_client_config(const struct object_client *c);

const char *object_client_bucket(const struct object_client *c);

/* From now on a stop does not end what waits: for tidying up. */
void object_client_ignore_stop(struct object_client *c);

enum { OBJECT_HEADERS_MAX = 12, OBJECT_TEXT_MAX = 8 << 20 };

/* All is copied but the bytes of body and into. */
struct object_ask {
    const char *method;
    const char *key;   /* NULL: it is of the bucket */
    const char *query; /* as object_signing wants it; NULL: none */
    const char *headers[OBJECT_HEADERS_MAX]; /* "Name: value", up to NULL */

    const void *body;
    size_t body_len;
    const char *body_sha256; /* in hex; NULL: to be computed */
    int is_slow;             /* it may be long until something moves */

    /* A read of [offset, offset + len) of an object that has this tag. */
    void *into;
    uint64_t offset;
    size_t len;
    const char *etag;
};

#define OBJECT_LEN_UNKNOWN UINT64_MAX

struct object_answer {
    long status;
    uint64_t len; /* of the object, where it is said */
    char etag[256];
    char encryption[64];      /* how it lies there */
    char checksum_sha256[64]; /* in base64, as the store has computed it */
    char lock_mode[32];
    char legal_hold[8];
    char upload_tag[64]; /* what was given as x-amz-meta-upload-tag */
    char last_modified[64];
    char *text; /* what is no part of an object; never NULL */
    size_t text_len;
};

/* It is begun; nothing waits. */
int object_call_begin(struct object_call **ret, struct object_client *c,
                      const struct object_ask *ask, struct err *err);
int object_call_is_done(const struct object_call *call);
/* Of one that is done: 0, an outcome, or <0.  The answer is the call's. */
int object_call_result(struct object_call *call,
                       const struct object_answer **ret, struct err *err);
/* The message that an outcome would be as a failure. */
void object_call_complaint(const struct object_call *call, struct err *ret);
/* Whatever its state. */
struct object_call *object_call_end(struct object_call *call);
DEFINE_CLEANUP(struct object_call *, object_call_end)

/* Move all calls on, and wait for something to happen, so long at most.  <0:
   only for what concerns all of them, such as a stop. */
int object_client_drive(struct object_client *c, unsigned wait_ms,
                        struct err *err);
/* Drive until it is done; then as object_call_result(). */
int object_call_wait(struct object_call *call, const struct object_answer **ret,
                     struct err *err);
