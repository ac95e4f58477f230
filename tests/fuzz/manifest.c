/* SPDX-License-Identifier: PostgreSQL */

/* JSON: what is written back is read as the same, byte by byte. */

#include "formats/manifest.h"
#include "tests/fuzz/fuzz.h"

struct text {
    unsigned char *bytes, *room;
    size_t len;
};

static int
reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct text *t = to;

    (void)err;
    free(t->room);
    *room = t->room = malloc(min);
    fuzz_assert(t->room != NULL);
    return 0;
}

static int
advance(void *to, size_t n, struct err *err)
{
    struct text *t = to;

    (void)err;
    t->bytes = realloc(t->bytes, t->len + n + 1);
    fuzz_assert(t->bytes != NULL);
    memcpy(t->bytes + t->len, t->room, n);
    t->len += n;
    return 0;
}

/* 0, or -1 when it is no document. */
static int
rewrite(struct text *ret, const void *data, size_t len)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    const struct bytes_out out = {ret, reserve, advance};
    struct err err;

    if (fuzz_outcome(manifest_parse(&m, "fuzzed", data, len, &err), &err))
        return -1;
    fuzz_assert(manifest_write(m, &out, &err) == 0);
    return 0;
}

static void
text_free(struct text *t)
{
    free(t->bytes);
    free(t->room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct text once = {0}, twice = {0};

    if (rewrite(&once, data, len) == 0) {
        fuzz_assert(rewrite(&twice, once.bytes, once.len) == 0);
        fuzz_assert(once.len == twice.len &&
                    memcmp(once.bytes, twice.bytes, once.len) == 0);
    }
    text_free(&once);
    text_free(&twice);
    return 0;
}
