/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "formats/tabs.h"

Test(tabs, are_counted_at_every_length_and_nothing_beyond_is_read)
{
    unsigned char *data;
    size_t len, i, n;

    for (len = 0; len < 300; len++) {
        data = malloc(len); /* of that length exactly: ASan watches its end */
        for (n = 0, i = 0; i < len; i++) {
            data[i] = i * i % 3 ? '\t' : (unsigned char)i;
            n += data[i] == '\t';
        }
        cr_assert_eq(tabs_count(data, len), n, "%zu bytes", len);
        free(data);
    }
}

Test(tabs, are_counted_where_there_is_nothing_else)
{
    static unsigned char data[3 * 255 * 16 + 15];

    memset(data, '\t', sizeof data);
    cr_assert_eq(tabs_count(data, sizeof data), sizeof data);
    cr_assert_eq(tabs_count(data, 255 * 16), 255 * 16);
    cr_assert_eq(tabs_count(data, 256 * 16), 256 * 16);
}

Test(tabs, no_other_byte_counts)
{
    unsigned char data[256];
    unsigned i;

    for (i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    cr_assert_eq(tabs_count(data, sizeof data), 1);
}
