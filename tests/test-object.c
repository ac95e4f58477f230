/* SPDX-License-Identifier: PostgreSQL */

/* Objects in a store that is there, through a proxy that makes things go
   wrong and checks every signature. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/object/object.h"
#include "io/object/object_upload.h"
#include "io/stop.h"
#include "tests/object_store.h"

TestSuite(object, .init = object_store_begin, .timeout = 120);

#define MIB ((size_t)1 << 20)

static struct err err;
static struct object_config *config;
static struct object_client *client;
static const char *bucket;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static void
connect_to(const char *its_bucket)
{
    bucket = its_bucket;
    config = object_store_config(object_store_proxy());
    ok(object_client_new(&client, config, bucket, &err));
}

#define behind(...) connect_to(object_store_bucket(__VA_ARGS__))

static void
disconnect(void)
{
    client = object_client_free(client);
    config = object_config_free(config);
}

/* ---- small ones ---- */

Test(object, is_put_read_listed_and_removed)
{
    static const char *const keys[] = {"a b+c/\xc3\xa9&=?*~.tar", "plain"};
    struct object_info info;
    char data[16];

    behind(NULL);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(object_head(client, keys[i], &info, &err),
                     OBJECT_E_MISSING);
        ok(object_put(client, keys[i], "twelve bytes", 12, 0, &err));
        ok(object_head(client, keys[i], &info, &err));
        cr_assert_eq(info.len, 12);
        ok(object_read(client, keys[i], info.etag, 7, data, 5, &err));
        cr_assert_eq(memcmp(data, "bytes", 5), 0);
        ok(object_remove(client, keys[i], &err));
        cr_assert_eq(object_head(client, keys[i], &info, &err),
                     OBJECT_E_MISSING);
    }
    disconnect();
}

static int
count(void *arg, const char *key, uint64_t len, struct err *e)
{
    (void)e;
    cr_assert_eq(strncmp(key, "many/", 5), 0);
    cr_assert_eq(len, 1);
    ++*(unsigned *)arg;
    return 0;
}

Test(object, list_has_more_than_a_page)
{
    unsigned n = 0;
    char key[16];

    behind("GET list-type * few");
    for (int i = 0; i < 5; i++) {
        sprintf(key, "many/%d", i);
        ok(object_put(client, key, "x", 1, 1, &err));
    }
    ok(object_put(client, "other", "x", 1, 1, &err));
    ok(object_list(client, "many/", count, &n, &err));
    cr_assert_eq(n, 5);
    cr_assert_eq(object_store_count("GET", "list-type"), 3);
    disconnect();
}

Test(object, that_is_there_is_not_replaced_unless_asked)
{
    struct object_upload_params p = {.key = "k"};
    struct object_upload *u;

    behind(NULL);
    ok(object_put(client, "k", "old", 3, 0, &err));
    cr_assert_eq(object_upload_new(&u, client, &p, &err), OBJECT_E_EXISTS);
    p.replace = 1;
    ok(object_upload_new(&u, client, &p, &err));
    ok(object_upload_append(u, "new", 3, &err));
    ok(object_upload_commit(u, &err));
    object_upload_free(u);
    disconnect();
}

/* ---- uploads ---- */

enum { PARTS = 4, PART = 1 << 20, TAIL = 12345 };
#define LEN ((size_t)PARTS * PART + TAIL)

/* In pieces of odd lengths, up to len. */
static int
append(struct object_upload *u, const unsigned char *data, size_t len)
{
    for (size_t at = 0, n; at < len; at += n) {
        n = len - at < 999983 ? len - at : 999983;
        if (object_upload_append(u, data + at, n, &err) < 0)
            return -1;
    }
    return 0;
}

static int
upload(const char *key, const unsigned char *data, size_t len,
       const char *state, struct object_upload_counts *counts)
{
    const struct object_upload_params p = {
        .key = key, .part_len = PART, .state = state};
    cleanup_(object_upload_freep) struct object_upload *u = NULL;
    int r = object_upload_new(&u, client, &p, &err);

    if (!r)
        r = append(u, data, len);
    if (!r)
        r = object_upload_commit(u, &err);
    if (counts && u)
        *counts = object_upload_counts(u);
    return r;
}

/* By another tool, past the proxy. */
static void
assert_there(const char *key, const unsigned char *data, size_t len)
{
    char *path = strdup(object_store_run("mktemp | tr -d '\\n'"));
    unsigned char *got = malloc(len + 1);
    FILE *f;

    object_store_run("curl -s -o %s '%s/%s/%s'", path, object_store_url(),
                     bucket, key);
    f = fopen(path, "r");
    cr_assert_eq(fread(got, 1, len + 1, f), len);
    cr_assert_eq(memcmp(got, data, len), 0);
    fclose(f);
    remove(path);
    free(path);
    free(got);
}

static void
assert_uploads(void)
{
    unsigned char *data = object_store_bytes(LEN);

    ok(upload("k", data, LEN, NULL, NULL));
    assert_there("k", data, LEN);
    free(data);
    disconnect();
}

/* Whatever goes wrong and passes, the bytes are the right ones. */

Test(object, upload_of_many_parts)
{
    behind(NULL);
    assert_uploads();
    cr_assert_eq(object_store_count("PUT", "partNumber="), PARTS + 1);
}

Test(object, upload_lengths_around_a_part)
{
    static const size_t lens[] = {0, 1, PART - 1, PART, PART + 1, 2 * PART};
    unsigned char *data = object_store_bytes(2 * PART);

    behind(NULL);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char key[16];

        sprintf(key, "k%zu", i);
        ok(upload(key, data, lens[i], NULL, NULL));
        assert_there(key, data, lens[i]);
    }
    free(data);
    disconnect();
}

Test(object, upload_goes_through_refusals)
{
    behind("PUT partNumber=2 2 503", "PUT partNumber=3 1 500",
           "POST uploads 1 503", "POST uploadId 2 500",
           "PUT partNumber=1 1 page", "HEAD / 1 503");
    assert_uploads();
}

Test(object, upload_waits_as_long_as_it_is_told)
{
    uint64_t before = clock_ms();

    behind("PUT partNumber=2 1 late");
    assert_uploads();
    cr_assert_geq(clock_ms() - before, 500);
}

Test(object, upload_goes_through_cut_connections)
{
    behind("PUT partNumber=1 2 cut", "PUT partNumber=4 1 drop",
           "POST uploads 1 drop");
    assert_uploads();
}

Test(object, upload_goes_through_a_stall)
{
    behind("PUT partNumber=2 1 stall");
    assert_uploads();
}

Test(object, upload_mends_a_part_that_arrives_damaged)
{
    behind("PUT partNumber=2 1 flip");
    assert_uploads();
    cr_assert_eq(object_store_count("PUT", "partNumber=2&"), 2);
}

Test(object, upload_of_which_the_end_is_not_acknowledged)
{
    behind("POST uploadId 1 drop");
    assert_uploads();
}

Test(object, upload_whose_end_fails_with_status_200)
{
    behind("POST uploadId 2 error200");
    assert_uploads();
    cr_assert_eq(object_store_count("POST", "uploadId"), 3);
}

Test(object, upload_with_a_clock_that_is_wrong)
{
    behind("POST uploads 1 401");
    assert_uploads();
}

/* What does not pass: a clear error, and nothing to be seen. */

static void
assert_fails(enum err_class class, const char *message, const char *detail)
{
    unsigned char *data = object_store_bytes(LEN);
    const char *seen;

    cr_assert_eq(upload("k", data, LEN, NULL, NULL), -1);
    cr_assert_eq(err.class, class, "%d: %s", err.class, err.message);
    cr_assert(strstr(err.message, message), "%s", err.message);
    cr_assert(strstr(err.detail, detail), "%s", err.detail);
    cr_assert_null(strstr(err.message, "S3RVER"));
    seen = object_store_run("curl -s -o /dev/null -w '%%{http_code}' %s/%s/k",
                            object_store_url(), bucket);
    cr_assert_str_eq(seen, "404");
    cr_assert_geq(object_store_count("DELETE", "uploadId"), 1);
    free(data);
    disconnect();
}

Test(object, upload_that_is_refused_again_and_again)
{
    behind("PUT partNumber=3 * 503");
    assert_fails(ERR_SERVER, "has refused PUT of \"s3://bucket-",
                 "Status 503, SlowDown: as the test has it");
    cr_assert_eq(object_store_count("PUT", "partNumber=3&"), 6);
}

Test(object, upload_that_is_cut_again_and_again)
{
    behind("PUT partNumber=3 * cut");
    assert_fails(ERR_SERVER, "could not get an answer to PUT",
                 ", again and again");
}

Test(object, upload_that_is_damaged_again_and_again)
{
    behind("PUT partNumber=3 * flip");
    assert_fails(ERR_CORRUPT, "part 3 arrives at the object store as other",
                 "");
}

Test(object, upload_whose_end_is_refused)
{
    behind("POST uploadId * error200");
    assert_fails(ERR_SERVER, "has refused POST", "Status 200, InternalError");
}

Test(object, upload_with_the_wrong_secret)
{
    unsigned char *data = object_store_bytes(100);

    setenv("AWS_SECRET_ACCESS_KEY", "canary-secret", 1);
    behind(NULL);
    cr_assert_eq(upload("k", data, 100, NULL, NULL), -1);
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert_null(strstr(err.message, "canary"));
    cr_assert_null(strstr(err.detail, "canary"));
    free(data);
    disconnect();
}

Test(object, upload_that_is_stopped_leaves_nothing)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_params p = {.key = "k", .part_len = PART};
    struct object_upload *u;
    struct stop *stop;

    behind("PUT partNumber=2 * stall");
    ok(stop_new(&stop, &err));
    config->stop = stop;
    config->stall_s = 300;
    ok(object_upload_new(&u, client, &p, &err));
    ok(append(u, data, 2 * PART + 1));
    stop_now(stop);
    cr_assert_eq(append(u, data, 2 * PART), -1);
    cr_assert_eq(err.class, ERR_CANCELLED);
    object_upload_free(u);
    cr_assert_eq(object_store_count("DELETE", "uploadId"), 1);
    disconnect();
    stop_free(stop);
    free(data);
}

/* ---- broken off, and gone on with ---- */

static char *
state_path(void)
{
    return strdup(object_store_run("mktemp -u | tr -d '\\n'"));
}

/* All but the last part and a half are sent. */
static void
break_off(const unsigned char *data, const char *state)
{
    struct object_upload_params p = {
        .key = "k", .part_len = PART, .state = state};
    struct object_upload *u;

    ok(object_upload_new(&u, client, &p, &err));
    ok(append(u, data, 3 * PART + 1));
    while (object_upload_counts(u).n_there < 3)
        ok(object_upload_append(u, data, 0, &err));
    object_upload_free(u);
}

Test(object, upload_goes_on_where_it_was_broken_off)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    char *state = state_path();

    behind(NULL);
    break_off(data, state);
    cr_assert_eq(object_store_count("DELETE", ""), 0);
    ok(upload("k", data, LEN, state, &counts));
    cr_assert_eq(counts.n_parts, PARTS + 1);
    cr_assert_eq(counts.n_kept, 3);
    assert_there("k", data, LEN);
    cr_assert_eq(access(state, F_OK), -1, "the state file stays");
    free(data);
    free(state);
    disconnect();
}

Test(object, upload_of_other_bytes_takes_none_of_an_earlier_one)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    char *state = state_path();

    behind(NULL);
    break_off(data, state);
    data[PART + 77] ^= 1;
    ok(upload("k", data, LEN, state, &counts));
    cr_assert_eq(counts.n_kept, 2);
    assert_there("k", data, LEN);
    free(data);
    free(state);
    disconnect();
}

/* Whatever a crash makes of the state file: no harm. */
Test(object, upload_with_a_torn_state_file)
{
    unsigned char *data = object_store_bytes(LEN);
    char *state = state_path();

    behind(NULL);
    for (int cut = 3; cut < 400; cut += 130) {
        break_off(data, state);
        object_store_run("truncate -s -%d %s", cut, state);
        ok(upload("k", data, LEN, state, NULL));
        assert_there("k", data, LEN);
        ok(object_remove(client, "k", &err));
    }
    free(data);
    free(state);
    disconnect();
}

Test(object, upload_under_another_lock_is_another_upload)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    char *state = state_path();

    behind(NULL);
    break_off(data, state);
    config->lock = strdup("GOVERNANCE");
    config->retain_until = strdup("2030-01-01T00:00:00Z");
    /* This store knows no locks: that is no success. */
    cr_assert_eq(upload("k", data, LEN, state, &counts), -1);
    cr_assert_str_eq(err.message, "\"k\" is there, but is not locked");
    cr_assert_eq(counts.n_kept, 0);
    cr_assert_eq(object_store_count("DELETE", "uploadId"), 1);
    free(data);
    free(state);
    disconnect();
}

/* ---- reading ---- */

static void
assert_reads(int r_expected, const char *message)
{
    unsigned char *data = object_store_bytes(2 * MIB);
    unsigned char *got = malloc(2 * MIB);
    struct object_info info;
    int r;

    ok(object_put(client, "k", data, 2 * MIB, 0, &err));
    ok(object_head(client, "k", &info, &err));
    r = object_read(client, "k", info.etag, 4711, got, MIB, &err);
    cr_assert_eq(r, r_expected, "%s: %s", err.message, err.detail);
    if (!r)
        cr_assert_eq(memcmp(got, data + 4711, MIB), 0);
    else
        cr_assert(strstr(err.message, message), "%s", err.message);
    free(data);
    free(got);
    disconnect();
}

Test(object, read_goes_on_at_the_byte_it_had)
{
    behind("GET /k 4 short");
    assert_reads(0, NULL);
    cr_assert_eq(object_store_count("GET", "/k"), 5);
}

Test(object, read_goes_through_refusals)
{
    behind("GET /k =1 503", "GET /k =1 500", "GET /k =2 stall");
    assert_reads(0, NULL);
}

Test(object, read_in_small_pieces)
{
    behind("GET /k * slow");
    assert_reads(0, NULL);
}

Test(object, read_of_one_that_was_replaced)
{
    behind("GET /k * replaced");
    assert_reads(-1, "has been replaced meanwhile");
    cr_assert_eq(err.class, ERR_CORRUPT);
}

Test(object, read_that_never_comes_to_its_end)
{
    behind("GET /k * cut");
    assert_reads(-1, "could not get an answer to GET");
    cr_assert_eq(err.class, ERR_SERVER);
}

Test(object, read_of_one_that_is_not_there)
{
    char data[4];

    behind(NULL);
    cr_assert_eq(object_read(client, "none", "", 0, data, 4, &err), -1);
    cr_assert(strstr(err.detail, "NoSuchKey"), "%s", err.detail);
    disconnect();
}

/* ---- hostile answers ---- */

Test(object, answers_that_are_hostile)
{
    static const struct {
        const char *rule, *message;
    } cases[] = {
        {"GET /k 1 endless", "the object store's answer is wrong"},
        {"GET list-type 1 endless", "the object store's answer is wrong"},
        {"GET list-type 1 bomb", "it has a document type"}};
    unsigned char data[64];
    unsigned n = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        behind(cases[i].rule);
        ok(object_put(client, "k", "0123456789", 10, 1, &err));
        if (strstr(cases[i].rule, "list"))
            cr_assert_eq(object_list(client, "", count, &n, &err), -1);
        else
            cr_assert_eq(object_read(client, "k", "", 2, data, 4, &err), -1);
        cr_assert(strstr(err.message, cases[i].message), "%s", err.message);
        cr_assert_eq(err.class, ERR_CORRUPT);
        disconnect();
    }
}

Test(object, answer_with_other_bytes_than_were_asked_for)
{
    unsigned char data[64];

    behind("GET /k * range");
    ok(object_put(client, "k", "0123456789", 10, 0, &err));
    cr_assert_eq(object_read(client, "k", "", 0, data, 4, &err), -1);
    cr_assert(strstr(err.detail, "other bytes than it was asked for"), "%s",
              err.detail);
    cr_assert_eq(err.class, ERR_CORRUPT);
    disconnect();
}

Test(object, store_that_is_not_there)
{
    bucket = object_store_bucket(NULL);
    config = object_store_config("http://127.0.0.1:1");
    config->n_tries = 2;
    ok(object_client_new(&client, config, bucket, &err));
    cr_assert_eq(object_put(client, "k", "x", 1, 1, &err), -1);
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert(strstr(err.detail, "127.0.0.1:1: "), "%s", err.detail);
    disconnect();
}

/* ---- what is said of new objects ---- */

Test(object, lock_hold_class_and_encryption_are_headers_that_are_signed)
{
    unsigned char *data = object_store_bytes(LEN);

    setenv("PGHAUL_S3_LOCK", "compliance", 1);
    setenv("PGHAUL_S3_RETAIN_UNTIL", "2036-01-01T00:00:00Z", 1);
    setenv("PGHAUL_S3_LEGAL_HOLD", "on", 1);
    setenv("PGHAUL_S3_STORAGE_CLASS", "DEEP_ARCHIVE", 1);
    setenv("PGHAUL_S3_ENCRYPTION", "aws:kms:arn:aws:kms:eu:1:key/2", 1);
    behind(NULL);
    cr_assert_eq(upload("k", data, LEN, NULL, NULL), -1);
    cr_assert(strstr(err.message, "is not locked"), "%s", err.message);
    ok(object_put(client, "small", "x", 1, 1, &err));
    disconnect();
    cr_assert(strstr(object_store_headers(),
                     "PUT x-amz-object-lock-mode: COMPLIANCE"));
    cr_assert(strstr(object_store_headers(),
                     "x-amz-object-lock-retain-until-date: 2036-01-01"));
    cr_assert(strstr(object_store_headers(), "object-lock-legal-hold: ON"));
    cr_assert(strstr(object_store_headers(), "storage-class: DEEP_ARCHIVE"));
    cr_assert(strstr(object_store_headers(), "encryption: aws:kms\n"));
    cr_assert(
        strstr(object_store_headers(), "key-id: arn:aws:kms:eu:1:key/2\n"));
    cr_assert(strstr(object_store_headers(), "Content-MD5: "));
    free(data);
}

/* ---- other tools ---- */

/* s3cmd has written its own client, in another language. */
static const char *
s3cmd(const char *fmt, const char *a, const char *b)
{
    char words[512];
    const char *host = object_store_proxy() + strlen("http://");

    snprintf(words, sizeof words, fmt, a, b);
    return object_store_run(
        "s3cmd -c /dev/null --access_key=S3RVER --secret_key=S3RVER --no-ssl "
        "--host=%s --host-bucket=%s -q %s && echo done",
        host, host, words);
}

Test(object, of_ours_is_read_by_s3cmd_and_the_other_way_round)
{
    unsigned char *data = object_store_bytes(3 * PART), *got = malloc(3 * PART);
    const char *said;
    char *path = state_path();

    if (system("command -v s3cmd >/dev/null"))
        cr_skip("s3cmd is not installed");
    behind(NULL);
    ok(upload("k", data, 3 * PART, NULL, NULL));
    said = s3cmd("get s3://%s/k %s", bucket, path);
    cr_assert_str_eq(said, "done\n", "%s", said);
    said = s3cmd("put --multipart-chunk-size-mb=5 %2$s s3://%1$s/theirs",
                 bucket, path);
    cr_assert_str_eq(said, "done\n", "%s", said);
    ok(object_read(client, "theirs", "", 0, got, 3 * PART, &err));
    cr_assert_eq(memcmp(got, data, 3 * PART), 0);
    remove(path);
    free(path);
    free(data);
    free(got);
    disconnect();
}
