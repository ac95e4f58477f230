/* SPDX-License-Identifier: PostgreSQL */

/* What pg_restore lists. */

#include "loader/target/toc.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *list = fuzz_string(data, len);
    struct toc toc = {0};
    struct err err;

    toc_dumped_by(list);
    if (fuzz_outcome(toc_parse(&toc, list, len, &err), &err) == 0)
        for (size_t i = 0; i < toc.n_items; i++)
            fuzz_assert(toc_find(&toc, toc.items[i].id) != NULL);
    toc_free(&toc);
    free(list);
    return 0;
}
