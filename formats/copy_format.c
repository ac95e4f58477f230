/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "formats/copy_rows.h"

const char *
copy_format_name(enum copy_format f)
{
    return f == COPY_BINARY ? "binary" : "text";
}

int
copy_format_parse(const char *name, enum copy_format *ret)
{
    if (strcmp(name, "text") == 0)
        *ret = COPY_TEXT;
    else if (strcmp(name, "binary") == 0)
        *ret = COPY_BINARY;
    else
        return -1;
    return 0;
}
