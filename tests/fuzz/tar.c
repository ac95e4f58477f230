/* SPDX-License-Identifier: PostgreSQL */

/* Headers of a tar, and what an archive says of itself: what is taken is, byte
   for byte, what we would have written, and no path of it leaves its place. */

#include "formats/tar.h"
#include "formats/archive_index.h"

#include "tests/fuzz/fuzz.h"

static void
read_header(const uint8_t *data, size_t len)
{
    struct tar_member m;
    struct err err = {0};

    if (len != TAR_BLOCK && len != TAR_HEADER_MAX)
        return;
    if (tar_header_len(data) != len)
        return;
    if (fuzz_outcome(tar_read_header(&m, data, len, "fuzzed", &err), &err) == 0)
        fuzz_assert(tar_is_plain_path(m.path));
}

static void
read_index(const uint8_t *data, size_t len)
{
    char *text = fuzz_string(data, len), *at = text;
    struct archive_place p;
    struct err err = {0};

    while (fuzz_outcome(archive_index_next(&at, &p, "fuzzed", &err), &err) == 1)
        fuzz_assert(tar_is_plain_path(p.path));
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct archive_volume v;
    struct archive_foot foot;
    struct err err = {0};

    if (fuzz_outcome(
            archive_head_parse(&v, (const char *)data, len, "fuzzed", &err),
            &err) == 0)
        fuzz_assert(v.number >= 1 && v.number <= v.n);
    if (len >= ARCHIVE_FOOT)
        fuzz_outcome(
            archive_foot_parse(&foot, (const char *)data, "fuzzed", &err),
            &err);
    read_header(data, len);
    read_index(data, len);
    return 0;
}
