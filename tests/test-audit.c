/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/hex.h"
#include "formats/merkle.h"
#include "loader/run/audit.h"
#include "tests/scratch.h"

TestSuite(audit, .init = scratch_begin, .fini = scratch_end, .timeout = 60);

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

enum { N_LINES = 5, TEXT_MAX = 8192 };

static char text[TEXT_MAX];
static size_t len;

static void
get_text(void)
{
    int fd = openat(scratch_fd, AUDIT_FILE, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    cr_assert_gt(n, 0);
    close(fd);
    text[len = (size_t)n] = '\0';
}

static void
write_lines(void)
{
    for (int i = 0; i < N_LINES; i++)
        ok(audit_add(scratch_fd, json_pack("{s:i,s:s}", "i", i, "what", "üx"),
                     i == 0, &err));
    get_text();
}

static int
verified(struct audit_head *head)
{
    return audit_verify(head, scratch_fd, NULL, NULL, &err);
}

static const char *
line(int i)
{
    const char *at = text;

    while (i-- > 0)
        at = strchr(at, '\n') + 1;
    return at;
}

Test(audit, lines_are_counted_and_the_head_is_the_last)
{
    struct audit_head head, last;

    ok(audit_read_head(&last, scratch_fd, &err));
    cr_assert_eq(last.n, 0);
    write_lines();
    ok(verified(&head));
    ok(audit_read_head(&last, scratch_fd, &err));
    cr_assert_eq(head.n, N_LINES);
    cr_assert_eq(last.n, N_LINES);
    cr_assert_str_eq(head.sha256, last.sha256);
}

Test(audit, any_bit_changed_is_noticed)
{
    struct audit_head head;

    write_lines();
    for (size_t at = 0; at < len; at++) {
        text[at] ^= (char)(1 << at % 8);
        scratch_put(AUDIT_FILE, text, len);
        cr_assert_lt(verified(&head), 0, "at %zu", at);
        cr_assert_eq(err.class, ERR_CORRUPT);
        text[at] ^= (char)(1 << at % 8);
    }
    scratch_put(AUDIT_FILE, text, len);
    ok(verified(&head));
}

/* The lines in this order, -1 ends it. */
static int
with_order(const int *order)
{
    static char changed[2 * TEXT_MAX];
    struct audit_head head;
    size_t n = 0;

    for (; *order >= 0; order++) {
        size_t part = strcspn(line(*order), "\n") + 1;

        memcpy(changed + n, line(*order), part);
        n += part;
    }
    scratch_put(AUDIT_FILE, changed, n);
    return verified(&head);
}

Test(audit, lines_removed_or_moved_or_twice_are_noticed)
{
    static const int orders[][8] = {
        {1, 2, 3, 4, -1},       {0, 2, 3, 4, -1},      {0, 1, 2, 4, -1},
        {1, 0, 2, 3, 4, -1},    {0, 1, 2, 4, 3, -1},   {4, 0, 1, 2, 3, -1},
        {0, 1, 1, 2, 3, 4, -1}, {0, 1, 2, 3, 4, 4, -1}};
    static const int right[] = {0, 1, 2, 3, 4, -1};

    write_lines();
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        cr_assert_lt(with_order(orders[i]), 0, "order %zu", i);
    ok(with_order(right));
}

Test(audit, line_that_a_crash_has_torn_is_replaced)
{
    struct audit_head head;

    write_lines();
    for (size_t cut = len - 1; cut > (size_t)(line(N_LINES - 1) - text);
         cut -= 7) {
        scratch_put(AUDIT_FILE, text, cut);
        ok(audit_add(scratch_fd, json_object(), 0, &err));
        ok(verified(&head));
        cr_assert_eq(head.n, N_LINES);
    }
}

/* RFC 6962's own vectors, of the eight leaves of its reference
   implementation. */
Test(audit, merkle_roots_are_those_of_the_rfc)
{
    static const struct {
        const char *bytes;
        size_t len;
    } leaves[] = {
        {"", 0},
        {"\x00", 1},
        {"\x10", 1},
        {"\x20\x21", 2},
        {"\x30\x31", 2},
        {"\x40\x41\x42\x43", 4},
        {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
        {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
         16}};
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct merkle m = {0};
    unsigned char root[32];
    char hex[65];

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        merkle_root(&m, root);
        hex_encode(hex, root, sizeof root);
        cr_assert_str_eq(hex, roots[i], "%zu leaves", i);
        if (i < sizeof leaves / sizeof *leaves)
            merkle_add(&m, leaves[i].bytes, leaves[i].len);
    }
}
