/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "formats/bag.h"
#include "formats/hex.h"

TestSuite(bag, .timeout = 60);

static char text[4096];
static size_t used;
static struct err err;

static int
reserve(void *to, size_t min, unsigned char **room, struct err *e)
{
    (void)to;
    (void)e;
    cr_assert_lt(used + min, sizeof text);
    *room = (unsigned char *)text + used;
    return 0;
}

static int
advance(void *to, size_t n, struct err *e)
{
    (void)to;
    (void)e;
    used += n;
    text[used] = '\0';
    return 0;
}

static const struct bytes_out out = {NULL, reserve, advance};

static const unsigned char sha256[32] = {0xe3, 0xb0, [31] = 0x55};
#define HEX "e3b0000000000000000000000000000000000000000000000000000000000055"

Test(bag, info_is_a_label_and_a_value)
{
    cr_assert_eq(bag_write_info(&out, "Payload-Oxum", "12.3", &err), 0);
    cr_assert_str_eq(text, "Payload-Oxum: 12.3\n");
}

Test(bag, info_with_line_breaks_cannot_forge_another_label)
{
    cr_assert_eq(
        bag_write_info(&out, "A", "x\nB: y\r\nC: z\rD: \n\nE: 1", &err), 0);
    cr_assert_str_eq(text, "A: x\n  B: y\n  C: z\n  D: \n  \n  E: 1\n");
}

Test(bag, entry_is_what_sha256sum_takes)
{
    cr_assert_eq(bag_write_entry(&out, sha256, "data/a b", &err), 0);
    cr_assert_str_eq(text, HEX "  data/a b\n");
}

Test(bag, path_has_line_ends_and_percent_encoded_and_nothing_else)
{
    cr_assert_eq(
        bag_write_entry(&out, sha256, "data/%\r\n%0A\\ \"ü\x01%", &err), 0);
    cr_assert_str_eq(text, HEX "  data/%25%0D%0A%250A\\ \"ü\x01%25\n");
}

Test(bag, entry_is_read_as_it_was_written)
{
    static const char *const paths[] = {
        "data/a", "a",       "data/100%", "%0A",         "data/\r\n%25%",
        " lead",  "..data/", "a..",       "data/..b/c.", "é",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        unsigned char found[32];
        char *path;

        used = 0;
        cr_assert_eq(bag_write_entry(&out, sha256, paths[i], &err), 0);
        cr_assert_eq(text[used - 1], '\n');
        cr_assert_eq(strcspn(text, "\r\n"), used - 1);
        text[used - 1] = '\0';
        cr_assert_eq(bag_read_entry(text, found, &path), 0, "%s", paths[i]);
        cr_assert_arr_eq(found, sha256, 32);
        cr_assert_str_eq(path, paths[i] + strspn(paths[i], " "));
    }
}

Test(bag, entry_of_others_is_read_too)
{
    static const char *const lines[] = {
        HEX " data/a",
        HEX "\tdata/a",
        HEX "   data/a",
        HEX " *data/a",
        "E3B0000000000000000000000000000000000000000000000000000000000055"
        "  data/a",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        unsigned char found[32];
        char *path;

        strcpy(text, lines[i]);
        cr_assert_eq(bag_read_entry(text, found, &path), 0, "%s", lines[i]);
        cr_assert_arr_eq(found, sha256, 32);
        cr_assert_str_eq(path, "data/a");
    }
}

Test(bag, entry_that_is_malformed_or_leads_out_is_refused)
{
    static const char *const lines[] = {
        "",
        "x",
        HEX,
        HEX " ",
        HEX "  ",
        HEX "x data/a",
        HEX "0 data/a",
        "g3b0000000000000000000000000000000000000000000000000000000000055 a",
        "e3b0 data/a",
        HEX "  /etc/passwd",
        HEX "  ~/x",
        HEX "  ../x",
        HEX "  data/../../x",
        HEX "  data/..",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        unsigned char found[32];
        char *path;

        strcpy(text, lines[i]);
        cr_assert_eq(bag_read_entry(text, found, &path), -1, "%s", lines[i]);
    }
}

Test(bag, declaration_of_another_version_is_told_from_none)
{
    static const struct {
        const char *text;
        int answer;
    } cases[] = {
        {"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", 0},
        {"BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n",
         BAG_E_VERSION},
        {"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-16\n",
         BAG_E_VERSION},
        {"BagIt-Version: 1.0\n", BAG_E_VERSION},
        {"BagIt", BAG_E_MALFORMED},
        {"", BAG_E_MALFORMED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(
            bag_check_declaration(cases[i].text, strlen(cases[i].text)),
            cases[i].answer, "%s", cases[i].text);
}
