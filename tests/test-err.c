/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "io/err.h"

Test(err, system_error_ends_with_the_reason_even_when_the_name_is_too_long)
{
    char name[4096];
    struct err err;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';

    cr_assert_lt(err_sys(&err, ENOSPC, "could not write \"%s\"", name), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_eq(err.sys, ENOSPC);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
    cr_assert_str_eq(err.message + strlen(err.message) - 25,
                     ": No space left on device");
}

Test(err, full_disk_brings_its_hint_and_another_reason_does_not)
{
    struct err err;

    err_sys(&err, ENOSPC, "could not write \"x\"");
    cr_assert_str_eq(err.hint, "Make room on the file system that holds it, "
                               "then run the same command again.");
    err_sys(&err, EIO, "could not write \"x\"");
    cr_assert_str_empty(err.hint);
}

Test(err, a_new_error_forgets_the_detail_and_hint_of_the_last)
{
    struct err err;

    err_set(&err, ERR_USAGE, "first");
    err_detail(&err, "detail %d", 1);
    err_hint(&err, "Do something.");
    cr_assert_str_eq(err.detail, "detail 1");
    cr_assert_str_eq(err.hint, "Do something.");

    err_set(&err, ERR_CORRUPT, "second");
    cr_assert_str_empty(err.detail);
    cr_assert_str_empty(err.hint);
}
