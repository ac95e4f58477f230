/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A throw-away object store for tests: s3rver (npm), started before the first
 * test of a program and ended after the last, with a proxy in front of it that
 * makes things go wrong and checks signatures (s3-proxy.py).  Where s3rver is
 * not installed, tests are skipped.
 */

#include "io/object/object.h"

/* Skips the test where there is no store; for TestSuite(.init). */
void object_store_begin(void);

/*
 * A new bucket with these rules of the proxy's; NULL ends them.  Its name lives
 * until the next one.
 */
#define object_store_bucket(...)                                               \
    object_store_bucket_of((const char *const[]){__VA_ARGS__, NULL})
const char *object_store_bucket_of(const char *const rules[]);

/* "http://127.0.0.1:port" of the proxy. */
const char *object_store_proxy(void);

/* A further proxy with these options, which ends with the test: its URL. */
const char *object_store_proxy_with(const char *option, const char *value);

/* What has come for the last bucket: how many requests have both texts in
   their line. */
unsigned object_store_count(const char *text, const char *and_text);
/* And their headers, lines "METHOD Name: value". */
const char *object_store_headers(void);

/* The store itself, without a proxy: it lets everybody do everything. */
const char *object_store_url(void);

/* As the environment would have it, with short pauses. */
struct object_config *object_store_config(const char *endpoint);

/* len bytes that look like chance, the same each time. */
unsigned char *object_store_bytes(size_t len);

/* A shell command's output: for foreign tools. */
const char *object_store_run(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
