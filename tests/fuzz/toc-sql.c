/* SPDX-License-Identifier: PostgreSQL */

/* pg_restore's SQL, cut into entries: each lies within the text, one after
   the other. */

#include "loader/target/toc.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *sql = malloc(len ? len : 1); /* no byte more than there are */
    struct toc_entry e;
    struct toc_scan scan;
    const char *at;

    fuzz_assert(sql != NULL);
    memcpy(sql, data, len);
    at = (char *)sql;
    toc_scan_begin(&scan, at, len);
    while (toc_scan_next(&scan, &e)) {
        fuzz_assert(e.sql.at >= at && e.sql.len <= len);
        at = e.sql.at + e.sql.len;
        fuzz_assert(at <= (char *)sql + len);
    }
    free(sql);
    return 0;
}
