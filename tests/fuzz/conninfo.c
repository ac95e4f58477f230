/* SPDX-License-Identifier: PostgreSQL */

/* A connection string, as a user or a file gives it. */

#include "loader/pg/conninfo.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_string(data, len), *shown = NULL;
    struct conninfo_child child;
    struct err err;

    if (fuzz_outcome(conninfo_display(&shown, text, &err), &err) == 0)
        free(shown);
    if (fuzz_outcome(conninfo_child_new(&child, text, &err), &err) == 0)
        conninfo_child_free(&child);
    free(text);
    return 0;
}
