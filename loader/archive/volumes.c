/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/volumes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char first_number[] = ".001";

/* Where the number stands: before ".tar" or ".tar.age", else at the end. */
static size_t
stem_len(const char *where)
{
    static const char *const ends[] = {".tar.age", ".tar"};
    size_t len = strlen(where);

    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);

        if (len > n && strcmp(where + len - n, ends[i]) == 0)
            return len - n;
    }
    return len;
}

char *
volumes_name(const char *where, unsigned number)
{
    size_t stem = stem_len(where);
    char *name = NULL;

    return asprintf(&name, "%.*s.%03u%s", (int)stem, where, number,
                    where + stem) < 0
               ? NULL
               : name;
}

char *
volumes_whole(const char *where)
{
    size_t stem = stem_len(where), n = strlen(first_number);
    char *name = NULL;

    if (stem <= n || strncmp(where + stem - n, first_number, n) != 0)
        return NULL;
    return asprintf(&name, "%.*s%s", (int)(stem - n), where, where + stem) < 0
               ? NULL
               : name;
}
