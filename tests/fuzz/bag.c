/* SPDX-License-Identifier: PostgreSQL */

/* A bag's declaration, and the lines of its manifest: no path that is taken
   leaves the bag. */

#include "formats/bag.h"

#include "tests/fuzz/fuzz.h"

static int
leaves(const char *path)
{
    size_t len;

    if (*path == '/' || *path == '\0')
        return 1;
    for (; *path; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        if (len == 2 && memcmp(path, "..", 2) == 0)
            return 1;
    }
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_string(data, len), *rest = text, *line, *path;
    unsigned char sha256[32];

    bag_check_declaration(text, len);
    while ((line = strsep(&rest, "\n")))
        if (bag_read_entry(line, sha256, &path) == 0)
            fuzz_assert(!leaves(path));
    free(text);
    return 0;
}
