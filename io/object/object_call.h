/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What a client and its calls know of each other. */

#include <curl/curl.h>

#include "io/object/object_client.h"
#include "io/object/object_credentials.h"

struct object_client {
    const struct object_config *config;
    struct object_place place;
    char *bucket;
    struct object_credentials *credentials;
    CURLM *multi;
    struct object_call *calls;
    long skew_s; /* what the store's clock is ahead of ours */
    unsigned seed;
    int ignores_stop;
};

enum object_call_state {
    OBJECT_WAITING, /* entered by begin, and for another try at due_ms */
    OBJECT_RUNNING, /* entered when its easy handle is the multi handle's */
    OBJECT_DONE,    /* entered with r and err */
};

struct object_call {
    struct object_client *client;
    struct object_call *next; /* in the client's list */
    enum object_call_state state;
    uint64_t due_ms;
    unsigned n_tries;  /* so far, since something moved */
    unsigned n_resets; /* times that keys or clock were mended */

    /* What is asked. */
    const char *method; /* a literal */
    char *key, *path, *query, *etag;
    char *headers[OBJECT_HEADERS_MAX];
    const void *body;
    size_t body_len;
    char body_sha256[65];
    int is_slow;
    unsigned char *into;
    uint64_t offset;
    size_t len;

    /* What has come. */
    size_t got;        /* of len */
    size_t got_before; /* when this try began */
    struct object_answer answer;
    size_t text_size;
    char date[64], region[64], content_range[96];
    char retry_after[32];
    const char *bad; /* why the answer was cut off */

    CURL *easy;
    struct curl_slist *lines;
    char error[CURL_ERROR_SIZE];

    int r; /* once DONE */
    struct err err;
};

/* Begin a try: sign, and hand it to the multi handle. */
int object_call_try(struct object_call *call, struct err *err);

/* A try has ended so.  1: another one may help; else r and err are set. */
int object_call_judge(struct object_call *call, CURLcode code);
