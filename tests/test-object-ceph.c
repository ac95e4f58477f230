/* SPDX-License-Identifier: PostgreSQL */

/*
 * Objects in Ceph's radosgw, where it is installed: it checks signatures and
 * bodies, knows locks and keys, and lists the parts of an upload.
 */

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/object/object.h"
#include "io/object/object_upload.h"
#include "tests/object_store.h"
#include "tests/scratch.h"

#define URL_ENV "PGHAUL_TEST_CEPH"

static pid_t script = -1;
static int its_stdin = -1;

static struct err err;
static struct object_config *config;
static struct object_client *client;
static char bucket[64];

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

/* ---- the store ---- */

static int
is_ready(FILE *f)
{
    char line[256];

    while (f && fgets(line, sizeof line, f))
        if (strcmp(line, "ready\n") == 0)
            return 1;
    return 0;
}

static FILE *
start(const char *dir, const char *port)
{
    char path[4096];
    int in[2], out[2];

    snprintf(path, sizeof path, "%s/tests/radosgw.sh", getenv("PGHAUL_SOURCE"));
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return NULL;
    script = fork();
    if (script == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(path, path, dir, port, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    its_stdin = in[1];
    return fdopen(out[0], "r");
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    static char dir[] = "/tmp/pghaul-ceph-XXXXXX";
    char port[16], url[64];

    (void)tests;
    if (system("command -v radosgw ceph-mon ceph-osd >/dev/null") ||
        !mkdtemp(dir))
        return;
    snprintf(port, sizeof port, "%d", 20000 + getpid() % 4000 * 3);
    if (!is_ready(start(dir, port)))
        return;
    snprintf(url, sizeof url, "http://127.0.0.1:%s", port);
    setenv(URL_ENV, url, 1);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    (void)stats;
    close(its_stdin);
    if (script > 0)
        waitpid(script, NULL, 0);
}

/* As another client does it. */
static const char *
curl(const char *words, const char *path)
{
    return object_store_run(
        "curl -s --aws-sigv4 aws:amz:us-east-1:s3 -u S3RVER:S3RVER "
        "-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' %s '%s/%s%s'",
        words, getenv(URL_ENV), bucket, path);
}

static void
begin(void)
{
    if (!getenv(URL_ENV))
        cr_skip("radosgw is not installed (packages radosgw, ceph-mon, "
                "ceph-osd), or does not start");
    scratch_begin();
    cr_assert_eq(chdir(scratch_path), 0);
    setenv("AWS_ACCESS_KEY_ID", "S3RVER", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S3RVER", 1);
    snprintf(bucket, sizeof bucket, "bucket-%d", getpid());
    curl("-X PUT -H 'x-amz-bucket-object-lock-enabled: true'", "");
    config = object_store_config(getenv(URL_ENV));
    config->stall_s = 30;
    ok(object_client_new(&client, config, bucket, &err));
}

static void
end(void)
{
    object_client_free(client);
    object_config_free(config);
    scratch_end();
}

TestSuite(object_ceph, .init = begin, .fini = end, .timeout = 120);

/* ---- */

enum { PART = 5 << 20, LEN = 3 * PART + 4711 };

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
upload(const unsigned char *data, const char *state,
       struct object_upload_counts *counts)
{
    const struct object_upload_params p = {
        .key = "a b/k~.tar", .part_len = PART, .state = state};
    cleanup_(object_upload_freep) struct object_upload *u = NULL;
    int r = object_upload_new(&u, client, &p, &err);

    if (!r)
        r = append(u, data, LEN);
    if (!r)
        r = object_upload_commit(u, &err);
    if (counts && u)
        *counts = object_upload_counts(u);
    return r;
}

static void
assert_there(const unsigned char *data)
{
    unsigned char *got = malloc(LEN + 1);
    struct object_info info;
    FILE *f;

    ok(object_head(client, "a b/k~.tar", &info, &err));
    cr_assert_eq(info.len, LEN);
    ok(object_read(client, "a b/k~.tar", info.etag, PART - 5, got, PART, &err));
    cr_assert_eq(memcmp(got, data + PART - 5, PART), 0);

    curl("-o got", "/a%20b/k~.tar");
    f = fopen("got", "r");
    cr_assert_eq(fread(got, 1, LEN + 1, f), LEN);
    cr_assert_eq(memcmp(got, data, LEN), 0);
    fclose(f);
    remove("got");
    free(got);
}

Test(object_ceph, has_what_was_uploaded_in_parts)
{
    unsigned char *data = object_store_bytes(LEN);

    ok(upload(data, NULL, NULL));
    assert_there(data);
    cr_assert_eq(upload(data, NULL, NULL), OBJECT_E_EXISTS);
    free(data);
}

static int
see(void *arg, const char *key, uint64_t len, struct err *e)
{
    (void)e;
    cr_assert_eq(len, 1);
    cr_assert_eq(strncmp(key, "a b/", 4), 0);
    ++*(int *)arg;
    return 0;
}

Test(object_ceph, small_ones_are_listed_and_removed)
{
    struct object_info info;
    int n = 0;

    ok(object_put(client, "a b/1", "x", 1, 0, &err));
    ok(object_put(client, "a b/2&<>'*\xc3\xa9", "x", 1, 0, &err));
    ok(object_put(client, "other", "x", 1, 0, &err));
    ok(object_list(client, "a b/", see, &n, &err));
    cr_assert_eq(n, 2);
    ok(object_remove(client, "a b/2&<>'*\xc3\xa9", &err));
    cr_assert_eq(object_head(client, "a b/2&<>'*\xc3\xa9", &info, &err),
                 OBJECT_E_MISSING);
}

static void
break_off(const unsigned char *data, const char *state)
{
    struct object_upload_params p = {
        .key = "a b/k~.tar", .part_len = PART, .state = state};
    struct object_upload *u;

    ok(object_upload_new(&u, client, &p, &err));
    ok(append(u, data, 2 * PART + 1));
    while (object_upload_counts(u).n_there < 2)
        ok(object_upload_append(u, data, 0, &err));
    object_upload_free(u);
}

/* The id that the state file has, in hex there. */
static const char *
upload_id(const char *state)
{
    return object_store_run("sed -n 's/^id \\(.*\\) end/\\1/p' %s | tr -d '\\n'"
                            " | xxd -r -p",
                            state);
}

Test(object_ceph, upload_goes_on_with_what_the_store_lists)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    const char *state = "state";

    break_off(data, state);
    ok(upload(data, state, &counts));
    cr_assert_eq(counts.n_kept, 2);
    assert_there(data);
    free(data);
}

/* Somebody has sent another part 2: it is not taken for ours. */
Test(object_ceph, upload_does_not_trust_what_it_has_noted)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    char path[512];

    break_off(data, "state");
    snprintf(path, sizeof path, "/a%%20b/k~.tar?partNumber=2&uploadId=%s",
             upload_id("state"));
    scratch_put("theirs", data, PART);
    curl("-T theirs", path);
    ok(upload(data, "state", &counts));
    cr_assert_eq(counts.n_kept, 1);
    assert_there(data);
    free(data);
}

/* The store has thrown it away: it begins anew. */
Test(object_ceph, upload_that_was_aborted_begins_anew)
{
    unsigned char *data = object_store_bytes(LEN);
    struct object_upload_counts counts;
    char path[512];

    break_off(data, "state");
    snprintf(path, sizeof path, "/a%%20b/k~.tar?uploadId=%s",
             upload_id("state"));
    curl("-X DELETE", path);
    ok(upload(data, "state", &counts));
    cr_assert_eq(counts.n_kept, 0);
    assert_there(data);
    free(data);
}

Test(object_ceph, lock_and_hold_are_kept_by_the_store)
{
    unsigned char *data = object_store_bytes(LEN);
    const char *said;

    config->lock = strdup("GOVERNANCE");
    config->retain_until = strdup("2036-01-01T00:00:00Z");
    config->legal_hold = 1;
    ok(object_put(client, "small", "x", 1, 0, &err));
    said = curl("", "/small?retention=");
    cr_assert(strstr(said, "<Mode>GOVERNANCE</Mode>"), "%s", said);
    cr_assert(strstr(said, "2036-01-01T00:00:00"), "%s", said);
    said = curl("", "/small?legal-hold=");
    cr_assert(strstr(said, "<Status>ON</Status>"), "%s", said);
    ok(upload(data, NULL, NULL));
    said = curl("", "/a%20b/k~.tar?retention=");
    cr_assert(strstr(said, "<Mode>GOVERNANCE</Mode>"), "%s", said);
    free(data);
}

/* Both headers of SSE-KMS are signed in the right order. */
Test(object_ceph, encryption_with_a_key_is_asked_for)
{
    unsigned char *data = object_store_bytes(LEN);
    const char *said;

    config->encryption = strdup("aws:kms");
    config->kms_key = strdup("testkey");
    ok(upload(data, NULL, NULL));
    assert_there(data);
    said = curl("-I", "/a%20b/k~.tar");
    cr_assert(strstr(said, "aws:kms"), "%s", said);
    free(data);
}

Test(object_ceph, wrong_secret_is_refused_with_a_hint)
{
    struct object_client *other;

    setenv("AWS_SECRET_ACCESS_KEY", "canary", 1);
    ok(object_client_new(&other, config, bucket, &err));
    cr_assert_eq(object_put(other, "k", "x", 1, 1, &err), -1);
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert(strstr(err.detail, "SignatureDoesNotMatch"), "%s", err.detail);
    cr_assert(strstr(err.hint, "access key or its secret"), "%s", err.hint);
    object_client_free(other);
}

Test(object_ceph, bucket_that_is_not_there)
{
    struct object_client *other;

    ok(object_client_new(&other, config, "no-such-bucket", &err));
    cr_assert_eq(object_put(other, "k", "x", 1, 1, &err), -1);
    cr_assert(strstr(err.detail, "NoSuchBucket"), "%s", err.detail);
    cr_assert_str_eq(err.hint, "Make the bucket first.");
    object_client_free(other);
}
