/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "formats/archive_index.h"
#include "formats/tar.h"

TestSuite(tar, .timeout = 60);

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

/* These bytes are in archives: whatever version of libarchive is at hand must
   write them. */
static const struct {
    unsigned at, len;
    const char *bytes;
} parts[] = {
    {0, 11, "data/a.lz4"},
    {100, 8, "000600 "}, /* each up to its NUL */
    {108, 8, "000000 "},
    {116, 8, "000000 "},
    {124, 12, "00000001750 "},
    {136, 12, "14524771000 "},
    {154, 3, "\0 0"},
    {257, 6, "ustar"},
    {263, 2, "00"},
    {329, 8, "000000 "},
    {337, 8, "000000 "},
};

static const struct tar_member member = {
    .path = "data/a.lz4", .len = 1000, .mtime = 1700000256};

Test(tar, header_is_these_bytes)
{
    unsigned char header[TAR_HEADER_MAX], expected[TAR_BLOCK] = {0};
    unsigned sum = 0, found;
    size_t len;

    ok(tar_write_header(header, &len, &member, &err));
    cr_assert_eq(len, TAR_BLOCK);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        memcpy(expected + parts[i].at, parts[i].bytes, parts[i].len);
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : expected[i];
    cr_assert_eq(sscanf((const char *)header + 148, "%o", &found), 1);
    cr_assert_eq(found, sum, "%o, not %o", found, sum);
    memcpy(expected + 148, header + 148, 6);
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        cr_assert_eq(header[i], expected[i], "byte %u: %02x, not %02x", i,
                     header[i], expected[i]);
}

static void
assert_comes_back(const struct tar_member *m, size_t expected_len)
{
    unsigned char header[TAR_HEADER_MAX];
    struct tar_member found;
    size_t len;

    ok(tar_write_header(header, &len, m, &err));
    cr_assert_eq(len, expected_len, "%zu", len);
    cr_assert_eq(tar_header_len(header), len);
    ok(tar_read_header(&found, header, len, "a.tar", &err));
    cr_assert_str_eq(found.path, m->path);
    cr_assert_eq(found.len, m->len);
    cr_assert_eq(found.mtime, m->mtime);
}

Test(tar, header_comes_back)
{
    struct tar_member m = member;

    assert_comes_back(&m, TAR_BLOCK);
    m.len = 0;
    assert_comes_back(&m, TAR_BLOCK);
    m.len = (UINT64_C(8) << 30) - 1;
    assert_comes_back(&m, TAR_BLOCK);
    m.len++;
    assert_comes_back(&m, TAR_HEADER_MAX);
    m.len = INT64_MAX / 2;
    assert_comes_back(&m, TAR_HEADER_MAX);
    m.len = 1;
    memset(m.path, 'x', 90);
    strcpy(m.path + 90, "/0123456789012345678901234567890123456789");
    assert_comes_back(&m, TAR_BLOCK);
    memset(m.path, 'x', TAR_PATH_MAX - 1);
    m.path[TAR_PATH_MAX - 1] = '\0';
    assert_comes_back(&m, TAR_HEADER_MAX);
}

Test(tar, header_with_any_bit_changed_is_refused)
{
    unsigned char header[TAR_HEADER_MAX];
    struct tar_member found, long_one = {.path = "a", .len = UINT64_C(1) << 40};
    size_t len;

    ok(tar_write_header(header, &len, &long_one, &err));
    for (size_t bit = 0; bit < len * 8; bit++) {
        header[bit / 8] ^= (unsigned char)(1 << bit % 8);
        cr_assert_lt(tar_read_header(&found, header, len, "a.tar", &err), 0,
                     "bit %zu", bit);
        cr_assert_eq(err.class, ERR_CORRUPT);
        header[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

Test(tar, plain_paths_stay_where_they_are)
{
    static const char *const good[] = {
        "a", "a/b", "..a", "a..", "a/.b", "-", "data/tables/1-x_Y/12.text.lz4"};
    static const char *const bad[] = {"",    "/",    "/a",   "a/",   "a//b",
                                      ".",   "..",   "a/..", "../a", "a/./b",
                                      "a b", "a\nb", "ü",    "a\\b", "~"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(tar_is_plain_path(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(tar_is_plain_path(bad[i]), "%s", bad[i]);
}

/* ---- what an archive says of itself ---- */

static const struct archive_volume volume = {.number = 2, .n = 3, .bag = {7}};

Test(tar, head_and_foot_come_back)
{
    struct archive_volume v = {0};
    struct archive_foot foot = {0};
    struct archive_index index = {0};
    struct archive_place place = {
        .offset = 512, .len = 9, .path = "README.txt"};
    char text[ARCHIVE_HEAD_MAX], *at;
    size_t len = archive_head_print(text, &volume);

    ok(archive_head_parse(&v, text, len, "a", &err));
    cr_assert_eq(memcmp(&v, &volume, sizeof v), 0);

    ok(archive_index_add(&index, &place, &err));
    ok(archive_index_end(&index, &volume, 4096, &err));
    cr_assert_eq(index.len % TAR_BLOCK, 0);
    ok(archive_foot_parse(&foot, index.text + index.len - ARCHIVE_FOOT, "a",
                          &err));
    cr_assert_eq(foot.offset, 4096);
    cr_assert_eq(foot.len, index.len - ARCHIVE_FOOT);
    at = index.text;
    index.text[foot.len] = '\0';
    cr_assert_eq(archive_index_next(&at, &place, "a", &err), 1);
    cr_assert_str_eq(place.path, "README.txt");
    cr_assert_eq(place.len, 9);
    cr_assert_eq(archive_index_next(&at, &place, "a", &err), 0);
    archive_index_clear(&index);
}

Test(tar, head_of_a_newer_version_is_told_from_a_damaged_one)
{
    struct archive_volume v;
    char text[ARCHIVE_HEAD_MAX];
    size_t len = archive_head_print(text, &volume);

    for (size_t bit = 0; bit < len * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        if (archive_head_parse(&v, text, len, "a", &err) == 0)
            cr_assert_neq(memcmp(&v, &volume, sizeof v), 0);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    text[strlen("pghaul archive ")] = '2';
    cr_assert_lt(archive_head_parse(&v, text, len, "a", &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    text[0] = 'P';
    cr_assert_lt(archive_head_parse(&v, text, len, "a", &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
}
