/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "io/printable.h"

struct text {
    char from[32], to[64];
};

ParameterizedTestParameters(printable, shows_what_it_should)
{
    static struct text texts[] = {
        {"plain \"name\" 1", "plain \"name\" 1"},
        {"Stra\xc3\x9f"
         "e \xf0\x9f\x90\x98",
         "Stra\xc3\x9f"
         "e \xf0\x9f\x90\x98"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f\b\r", "\\x7f\\x08\\x0d"},
        {"a\tb", "a\tb"},
        {"a\npghaul: error: no", "a\n    pghaul: error: no"},
        /* C1: CSI as one character, and as a stray byte */
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"},
        {"\x9b"
         "2J",
         "\\x9b2J"},
        /* right-to-left override; line separator */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
        /* not the shortest form; a surrogate; beyond the last character */
        {"\xc1\x81", "\\xc1\\x81"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        /* the text ends within a character */
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xf8x", "\\xf8x"},
    };

    return cr_make_param_array(struct text, texts,
                               sizeof texts / sizeof *texts);
}

ParameterizedTest(struct text *t, printable, shows_what_it_should)
{
    char to[PRINTABLE_SIZE(sizeof t->from)];

    cr_assert_str_eq(printable(to, sizeof to, t->from), t->to);
}

Test(printable, longest_answer_fits_what_the_header_says)
{
    char from[100], to[PRINTABLE_SIZE(99)];

    memset(from, '\n', sizeof from);
    from[99] = '\0';
    cr_assert_eq(strlen(printable(to, sizeof to, from)), sizeof to - 1);
    memset(from, '\xff', 99);
    cr_assert_eq(strlen(printable(to, sizeof to, from)), 4 * 99);
}

Test(printable, what_does_not_fit_is_cut_between_characters)
{
    char to[6];

    cr_assert_str_eq(printable(to, sizeof to, "abc\xf0\x9f\x90\x98"), "abc");
    cr_assert_str_eq(printable(to, sizeof to, "ab\x1b"), "ab");
    cr_assert_str_eq(printable(to, 1, "ab"), "");
}
