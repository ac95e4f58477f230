/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "formats/digest.h"

/* A stream as a string literal, which may hold zeros. */
#define STREAM(s) (s), sizeof(s) - 1

#define HEAD "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"

static const char text[] = "1\ttab\\there\t\\\\x00ff\n"
                           "2\ttwo\\nlines\t\\N\n"
                           "3\t\\\\.\t\\\\x\n"
                           "4\t\\N\t\\\\x5c2e0a\n";

/* Digest a stream of this many columns, fed cut bytes at a time. */
static struct digest
digest_of(enum copy_format format, unsigned n_columns, const void *data,
          size_t len, size_t cut)
{
    cleanup_(copy_rows_freep) struct copy_rows *rows = NULL;
    cleanup_(digester_freep) struct digester *d = NULL;
    const char *at = data, *end = at + len;
    struct err err;
    size_t n;

    cr_assert_eq(copy_rows_new(&rows, format, n_columns, &err), 0);
    cr_assert_eq(digester_new(&d, &err), 0);
    for (; at < end; at += n) {
        n = cut < (size_t)(end - at) ? cut : (size_t)(end - at);
        cr_assert_eq(digester_feed(d, rows, at, n, &err), 0, "%s", err.message);
    }
    cr_assert_eq(copy_rows_end(rows, &err), 0);
    return digester_get(d);
}

static struct digest
digest_of_text(const char *data)
{
    return digest_of(COPY_TEXT, 3, data, strlen(data), SIZE_MAX);
}

static void
expect(struct digest d, uint64_t n_rows, const char *hex)
{
    char found[DIGEST_HEX];

    digest_hex(&d, found);
    cr_assert_str_eq(found, hex);
    cr_assert_eq(d.n_rows, n_rows);
}

/* The values in this file are those of xxh128sum 0.8.1, added up. */

Test(digest, of_one_row_is_what_xxh128sum_says)
{
    expect(digest_of_text("1\ttab\\there\t\\\\x00ff\n"), 1,
           "c39e2448cac5d0f41a3018e6e567e9e3");
    expect(digest_of(COPY_TEXT, 0, STREAM("\n"), 1), 1,
           "7858ef011ea0bad1384868fba0c21fdc");
}

Test(digest, of_a_row_is_right_at_every_length_the_hash_knows)
{
    static const struct {
        size_t len;
        const char *hex;
    } rows[] = {
        {16, "320b4d01bd354cc6bc24d2e2d7a0db7c"},
        {128, "82e6a3512647cffe6e25731b8fea6119"},
        {240, "ff21ea40c2046d67045e0b750ee56802"},
        {300, "70e91c77b582327a5853f06bd2b7d6de"},
        {1 << 20, "11df24cc62822774d5dc0d57d417e06b"},
    };
    static char row[(1 << 20) + 1];
    size_t i, len;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        len = rows[i].len;
        memset(row, 'x', len);
        row[len] = '\n';
        expect(digest_of(COPY_TEXT, 1, row, len + 1, SIZE_MAX), 1, rows[i].hex);
        expect(digest_of(COPY_TEXT, 1, row, len + 1, 4093), 1, rows[i].hex);
    }
}

Test(digest, is_the_sum_over_the_rows)
{
    expect(digest_of_text(text), 4, "e3aa6844d7ad388b55c639092410f127");
    expect(digest_of(COPY_TEXT, 0, STREAM("\n\n\n"), 1), 3,
           "690acd035be23073a8d93af2e2465f94");
    expect(digest_of_text(""), 0, "00000000000000000000000000000000");
}

Test(digest, of_binary_leaves_out_head_and_trailer)
{
    expect(digest_of(COPY_BINARY, 3,
                     STREAM(HEAD "\0\3\0\0\0\4\0\0\0\1\0\0\0\10tab\there"
                                 "\0\0\0\2\0\377\377\377"),
                     SIZE_MAX),
           1, "779a7d100d20652e3e68ce9b96bcae34");
    expect(digest_of(COPY_BINARY, 0, STREAM(HEAD "\0\0\0\0\0\0\377\377"), 1), 3,
           "d60a99051edcbba8996f692a5d78ff0f");
    expect(digest_of(COPY_BINARY, 3, STREAM(HEAD "\377\377"), SIZE_MAX), 0,
           "00000000000000000000000000000000");
}

Test(digest, does_not_depend_on_the_cut)
{
    size_t cut;

    for (cut = 1; cut <= sizeof text; cut++)
        expect(digest_of(COPY_TEXT, 3, text, sizeof text - 1, cut), 4,
               "e3aa6844d7ad388b55c639092410f127");
}

Test(digest, does_not_depend_on_the_order)
{
    expect(digest_of_text("3\t\\\\.\t\\\\x\n"
                          "1\ttab\\there\t\\\\x00ff\n"
                          "4\t\\N\t\\\\x5c2e0a\n"
                          "2\ttwo\\nlines\t\\N\n"),
           4, "e3aa6844d7ad388b55c639092410f127");
}

Test(digest, of_two_sets_add_up)
{
    struct digest a = digest_of_text("1\ttab\\there\t\\\\x00ff\n"
                                     "2\ttwo\\nlines\t\\N\n");
    struct digest b = digest_of_text("3\t\\\\.\t\\\\x\n"
                                     "4\t\\N\t\\\\x5c2e0a\n");

    digest_add(&a, &b);
    expect(a, 4, "e3aa6844d7ad388b55c639092410f127");
}

Test(digest, carries_between_its_halves_and_wraps_at_its_end)
{
    struct digest d = {.n_rows = 1, .sum_lo = UINT64_MAX, .sum_hi = 1};

    digest_add(&d, &(struct digest){.n_rows = 1, .sum_lo = 1});
    expect(d, 2, "00000000000000020000000000000000");

    d = (struct digest){.sum_lo = UINT64_MAX, .sum_hi = UINT64_MAX};
    digest_add(&d, &d);
    expect(d, 0, "fffffffffffffffffffffffffffffffe");
}

Test(digest, a_repeated_row_and_a_missing_one_are_seen)
{
    struct digest one = digest_of_text("a\tb\tc\n");
    struct digest twice = digest_of_text("a\tb\tc\na\tb\tc\n");
    struct digest none = digest_of_text("");

    cr_assert(digest_equal(&one, &one));
    cr_assert_not(digest_equal(&one, &twice));
    cr_assert_not(digest_equal(&one, &none));
}

Test(digest, differs_when_any_part_does)
{
    const struct digest d = {.n_rows = 1, .sum_lo = 2, .sum_hi = 3};

    cr_assert_not(digest_equal(&d, &(struct digest){2, 2, 3}));
    cr_assert_not(digest_equal(&d, &(struct digest){1, 3, 3}));
    cr_assert_not(digest_equal(&d, &(struct digest){1, 2, 2}));
}

Test(digest, is_parsed_back)
{
    struct digest d = {.n_rows = 7};

    cr_assert_eq(digest_parse("0123456789abcdefFEDCBA9876543210", &d), 0);
    expect(d, 7, "0123456789abcdeffedcba9876543210");
}

Test(digest, that_is_not_32_hexadecimal_digits_is_refused)
{
    static const char *const wrong[] = {
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef 123456789abcdef",
        "0x23456789abcdef0123456789abcdef",
        "-123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdeg",
    };
    struct digest d = {1, 2, 3};
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_lt(digest_parse(wrong[i], &d), 0, "%s", wrong[i]);
    cr_assert(digest_equal(&d, &(struct digest){1, 2, 3}));
}

Test(digester, forgets_all_at_reset_even_half_a_row)
{
    cleanup_(copy_rows_freep) struct copy_rows *rows = NULL;
    cleanup_(digester_freep) struct digester *d = NULL;
    struct err err;

    cr_assert_eq(copy_rows_new(&rows, COPY_TEXT, 1, &err), 0);
    cr_assert_eq(digester_new(&d, &err), 0);
    cr_assert_eq(digester_feed(d, rows, "a\nhalf", 6, &err), 0);
    expect(digester_get(d), 1, "5c73e7e3dcbb0395e841f27363849a18");

    digester_reset(d);
    copy_rows_reset(rows, COPY_TEXT, 0);
    cr_assert_eq(digester_feed(d, rows, "\n", 1, &err), 0);
    expect(digester_get(d), 1, "7858ef011ea0bad1384868fba0c21fdc");
}

Test(digester, hands_on_what_is_wrong_with_a_stream)
{
    cleanup_(copy_rows_freep) struct copy_rows *rows = NULL;
    cleanup_(digester_freep) struct digester *d = NULL;
    struct err err;

    cr_assert_eq(copy_rows_new(&rows, COPY_TEXT, 1, &err), 0);
    cr_assert_eq(digester_new(&d, &err), 0);
    cr_assert_lt(digester_feed(d, rows, "a\nb\tc\n", 6, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
    cr_assert_str_eq(err.message, "row 2 has 2 fields, expected 1");
}
