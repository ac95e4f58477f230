/* SPDX-License-Identifier: PostgreSQL */

/* The store's seam, with an object behind it. */

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/stop.h"
#include "io/store/store.h"
#include "tests/object_store.h"
#include "tests/scratch.h"

static struct err err;
static char where[128];

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

enum { LEN = 40 << 20, BLOCK = 4 << 20 };

static void
begin(void)
{
    object_store_begin();
    scratch_begin();
    setenv("AWS_ENDPOINT_URL_S3", object_store_proxy(), 1);
}

TestSuite(store_object, .init = begin, .fini = scratch_end, .timeout = 120);

#define in_bucket(...)                                                         \
    snprintf(where, sizeof where, "s3://%s/an archive.tar",                    \
             object_store_bucket(__VA_ARGS__))

static int
write_out(const unsigned char *data, size_t len, const char *state_dir)
{
    const struct store_out_params p = {
        .where = where, .expected_len = len, .state_dir = state_dir};
    cleanup_(store_out_freep) struct store_out *out = NULL;
    int r = store_out_open(&out, &p, &err);

    for (size_t at = 0; !r && at < len; at += 1 << 20)
        r = store_out_append(out, data + at,
                             len - at < 1 << 20 ? len - at : 1 << 20, &err);
    return r ? r : store_out_commit(out, &err);
}

Test(store_object, is_written_and_read_from_one_end_to_the_other)
{
    unsigned char *data = object_store_bytes(LEN + 7), *got = malloc(LEN + 8);
    struct store_in *in;
    size_t n;

    in_bucket("GET tar * slow");
    ok(write_out(data, LEN + 7, NULL));
    ok(store_in_open(&in, where, &err));
    cr_assert_str_eq(in->name, where);
    cr_assert_eq(in->len, LEN + 7);
    for (size_t at = 0; at < LEN + 8; at += n + !n) {
        ok(store_in_read(in, at, got + at, 300001, &n, &err));
        cr_assert(n == 300001 || at + n == LEN + 7);
    }
    cr_assert_eq(memcmp(got, data, LEN + 7), 0);
    /* Two alone, then in blocks of their own. */
    cr_assert_eq(object_store_count("GET", "tar"), 2 + LEN / BLOCK);
    store_in_free(in);
    free(data);
    free(got);
}

Test(store_object, is_read_at_any_place_without_the_rest)
{
    static const size_t at[] = {LEN - 1, 12345, 0, LEN / 2, 12346};
    unsigned char *data = object_store_bytes(LEN), got[1000];
    struct store_in *in;
    size_t n;

    in_bucket(NULL);
    ok(write_out(data, LEN, NULL));
    ok(store_in_open(&in, where, &err));
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        ok(store_in_read(in, at[i], got, sizeof got, &n, &err));
        cr_assert_eq(n, LEN - at[i] < 1000 ? LEN - at[i] : 1000);
        cr_assert_eq(memcmp(got, data + at[i], n), 0);
    }
    ok(store_in_read(in, LEN, got, 1, &n, &err));
    cr_assert_eq(n, 0);
    cr_assert_eq(object_store_count("GET", "tar"), 5);
    store_in_free(in);
    free(data);
}

/* Forward, then elsewhere, then forward again. */
Test(store_object, what_was_read_ahead_is_dropped_when_one_goes_elsewhere)
{
    unsigned char *data = object_store_bytes(LEN), *got = malloc(LEN);
    struct store_in *in;
    size_t n;

    in_bucket(NULL);
    ok(write_out(data, LEN, NULL));
    ok(store_in_open(&in, where, &err));
    for (size_t begin_at = 0; begin_at < LEN; begin_at += LEN / 3)
        for (size_t at = begin_at; at < begin_at + 700000; at += 100000) {
            ok(store_in_read(in, at, got, 100000, &n, &err));
            cr_assert_eq(memcmp(got, data + at, n), 0);
        }
    store_in_free(in);
    free(data);
    free(got);
}

struct reader {
    struct store_in *in;
    const unsigned char *data;
    unsigned seed;
    int right;
};

static void *
read_about(void *arg)
{
    struct reader *r = arg;
    unsigned char got[50000];
    struct err e;
    size_t n;

    r->right = 1;
    for (int i = 0; i < 12; i++) {
        size_t at = (size_t)rand_r(&r->seed) % (LEN - sizeof got);

        for (int j = 0; j < 4 && at < LEN - sizeof got; j++, at += n)
            if (store_in_read(r->in, at, got, sizeof got, &n, &e) < 0 ||
                memcmp(got, r->data + at, n) != 0)
                return r->right = 0, NULL;
    }
    return NULL;
}

Test(store_object, is_read_by_several_threads)
{
    unsigned char *data = object_store_bytes(LEN);
    struct reader readers[4];
    pthread_t threads[4];
    struct store_in *in;

    in_bucket("GET tar =3 503", "GET tar =9 short");
    ok(write_out(data, LEN, NULL));
    ok(store_in_open(&in, where, &err));
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){in, data, i, 0};
        pthread_create(&threads[i], NULL, read_about, &readers[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_assert(readers[i].right);
    }
    store_in_free(in);
    free(data);
}

Test(store_object, that_is_missing_there_or_no_name)
{
    struct store_in *in;

    in_bucket(NULL);
    cr_assert_eq(store_in_open(&in, where, &err), STORE_E_MISSING);
    cr_assert_eq(store_remove(where, &err), STORE_E_MISSING);
    ok(write_out((const unsigned char *)"x", 1, NULL));
    cr_assert_eq(write_out((const unsigned char *)"y", 1, NULL),
                 STORE_E_EXISTS);
    ok(store_remove(where, &err));
    cr_assert_eq(store_in_open(&in, where, &err), STORE_E_MISSING);
    cr_assert_eq(store_in_open(&in, "s3://bucket/", &err), -1);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_eq(store_in_open(&in, "s3://bucket", &err), -1);
    cr_assert_eq(store_in_open(&in, "ftp://a/b", &err), -1);
}

Test(store_object, that_was_broken_off_leaves_its_state_where_it_may)
{
    unsigned char *data = object_store_bytes(LEN);

    in_bucket("POST uploadId 1 403");
    cr_assert_eq(write_out(data, LEN, scratch_path), -1);
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert_eq(object_store_count("DELETE", ""), 0);
    ok(write_out(data, LEN, scratch_path));
    /* All parts were there. */
    cr_assert_eq(object_store_count("PUT", "partNumber=1&"), 1);
    cr_assert_eq(object_store_count("PUT", "partNumber=3&"), 1);
    cr_assert_str_eq(object_store_run("ls %s", scratch_path), "");
    free(data);
}
