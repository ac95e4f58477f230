/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "loader/source/plan/pattern.h"

struct good {
    char text[40], schema[40], name[40];
};

/* "any": any; "= x": exactly x; else the regular expression. */
ParameterizedTestParameters(pattern, means_what_psql_says)
{
    static struct good good[] = {
        {"orders", "", "= orders"},
        {"Orders", "", "= orders"},
        {"\"Orders\"", "", "= Orders"},
        {"shop.orders", "= shop", "= orders"},
        {"SHOP.\"Or\"DERS", "= shop", "= Orders"},
        {"*", "", "any"},
        {"**", "", "any"},
        {"*.*", "any", "any"},
        {"shop.*", "= shop", "any"},
        {".orders", "any", "= orders"},
        {"shop.", "= shop", "any"},
        {"o*", "", "^(o.*)$"},
        {"o?d", "", "^(o.d)$"},
        {"log_(a|b)", "", "^(log_(a|b))$"},
        {"log_[0-9]", "", "^(log_[0-9])$"},
        {"a$b", "", "= a$b"},
        {"a$*", "", "^(a\\$.*)$"},
        {"a[]*", "", "^(a\\[].*)$"},
        {"\"a.b\"\"c\".\"*\"", "= a.b\"c", "= *"},
        {"\"a.b\"*", "", "^(a\\.b.*)$"},
        {"\"a\\b\"*", "", "^(a\\\\b.*)$"},
        {"a\\d", "", "^(a\\d)$"},
        {"\"a\nb'c\"", "", "= a\nb'c"},
        {"\"(.^|+{\"?", "", "^(\\(\\.\\^\\|\\+\\{.)$"},
        {"\"ä\"*", "", "^(ä.*)$"},
    };

    return cr_make_param_array(struct good, good, sizeof good / sizeof *good);
}

static void
assert_part(const struct pattern_part *part, const char *expected,
            const char *text)
{
    if (strcmp(expected, "any") == 0) {
        cr_assert_null(part->text, "%s: %s", text, part->text);
        return;
    }
    cr_assert_eq(part->is_exact, strncmp(expected, "= ", 2) == 0, "%s", text);
    cr_assert_str_eq(part->text, expected + (part->is_exact ? 2 : 0), "%s",
                     text);
}

ParameterizedTest(struct good *good, pattern, means_what_psql_says)
{
    struct pattern p;
    struct err err;

    cr_assert_eq(pattern_parse(&p, good->text, 0, &err), 0, "%s", err.message);
    cr_assert_eq(p.has_schema, good->schema[0] != '\0');
    if (p.has_schema)
        assert_part(&p.schema, good->schema, good->text);
    assert_part(&p.name, good->name, good->text);
    pattern_clear(&p);
}

struct bad {
    char text[20], detail[80];
    int of_schema;
};

ParameterizedTestParameters(pattern, bad_ones_are_errors_of_usage)
{
    static struct bad bad[] = {
        {"", "It is empty."},
        {"a.b.c", "It has more than one dot outside of quotes."},
        {"a..b", "It has more than one dot outside of quotes."},
        {"\"a", "A quote is left open."},
        {"a.\"b\"\"", "A quote is left open."},
        {"a.b", "The name of a schema has no dot; in quotes it may have one.",
         1},
    };

    return cr_make_param_array(struct bad, bad, sizeof bad / sizeof *bad);
}

ParameterizedTest(struct bad *bad, pattern, bad_ones_are_errors_of_usage)
{
    struct pattern p;
    struct err err;

    cr_assert_lt(pattern_parse(&p, bad->text, bad->of_schema, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_str_eq(err.detail, bad->detail);
}

Test(pattern, schema_is_a_name)
{
    struct pattern p;
    struct err err;

    cr_assert_eq(pattern_parse(&p, "\"a.b\"", 1, &err), 0);
    cr_assert_str_eq(p.name.text, "a.b");
    pattern_clear(&p);
}
