/* SPDX-License-Identifier: PostgreSQL */

/*
 * How fast an object store takes an archive and gives it back, beside curl on
 * the same bytes: MB a second, and the ratio, of five rounds.
 *
 *     AWS_ENDPOINT_URL_S3=... AWS_ACCESS_KEY_ID=... bench-object BUCKET [MB]
 *
 * curl sends one object in one request, without a checksum; we send parts with
 * theirs.  Who has a store for tests: tests/radosgw.sh.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/store/store.h"

enum { ROUNDS = 5, PIECE = 1 << 20 };

static struct err err;

static void
must(int r)
{
    if (!r)
        return;
    fprintf(stderr, "%s: %s\n", err.message, err.detail);
    exit(1);
}

static unsigned char *
noise(size_t len)
{
    unsigned char *bytes = malloc(len);
    uint64_t x = 88172645463325252;

    for (size_t i = 0; i + 8 <= len; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(bytes + i, &x, 8);
    }
    return bytes;
}

static void
put(const char *where, const unsigned char *data, size_t len)
{
    const struct store_out_params p = {
        .where = where, .expected_len = len, .replace = 1};
    struct store_out *out;

    must(store_out_open(&out, &p, &err));
    for (size_t at = 0; at < len; at += PIECE)
        must(store_out_append(out, data + at, PIECE, &err));
    must(store_out_commit(out, &err));
    store_out_free(out);
}

static void
get(const char *where, unsigned char *to, size_t len)
{
    struct store_in *in;

    must(store_in_open(&in, where, &err));
    for (size_t at = 0; at < len; at += PIECE)
        must(store_in_read_all(in, at, to + at, PIECE, &err));
    store_in_free(in);
}

static void
curl(const char *words, const char *bucket)
{
    char command[2048];

    snprintf(command, sizeof command,
             "curl -sf --aws-sigv4 aws:amz:us-east-1:s3 "
             "-u \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" "
             "-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' %s "
             "\"$AWS_ENDPOINT_URL_S3/%s/theirs\"",
             words, bucket);
    if (system(command)) {
        fprintf(stderr, "curl has failed: %s\n", words);
        exit(1);
    }
}

static void
report(const char *what, double mb, uint64_t ours_ms, uint64_t theirs_ms)
{
    printf("%s\t%.0f\t%.0f\t%.2f\n", what, mb * 1e3 / (double)ours_ms,
           mb * 1e3 / (double)theirs_ms, (double)theirs_ms / (double)ours_ms);
}

static void
run_round(const char *bucket, const char *file, unsigned char *data, size_t len)
{
    char where[300], words[600];
    uint64_t t[5];

    snprintf(where, sizeof where, "s3://%s/ours", bucket);
    t[0] = clock_ms();
    put(where, data, len);
    t[1] = clock_ms();
    snprintf(words, sizeof words, "-T %s", file);
    curl(words, bucket);
    t[2] = clock_ms();
    get(where, data, len);
    t[3] = clock_ms();
    curl("-o /dev/null", bucket);
    t[4] = clock_ms();
    report("put", (double)len / 1e6, t[1] - t[0], t[2] - t[1]);
    report("get", (double)len / 1e6, t[3] - t[2], t[4] - t[3]);
}

int
main(int argc, char **argv)
{
    size_t len = (size_t)(argc > 2 ? atoi(argv[2]) : 256) << 20;
    char file[] = "/tmp/bench-object-XXXXXX";
    unsigned char *data;
    int fd;

    if (argc < 2) {
        fputs("bench-object BUCKET [MB]\n", stderr);
        return 2;
    }
    data = noise(len);
    fd = mkstemp(file);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        return 1;
    puts("what\tours_MB_s\tcurl_MB_s\tratio");
    for (int i = 0; i < ROUNDS; i++)
        run_round(argv[1], file, data, len);
    unlink(file);
    free(data);
    return 0;
}
