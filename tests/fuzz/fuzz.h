/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the fuzzed readers share.  A reader may take its input or refuse it;
 * what it may not do ends the program: read outside of it, or fail without a
 * word.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/bytes.h"
#include "io/err.h"

/* libFuzzer calls this. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void
fuzz_assert(int is_true)
{
    if (!is_true)
        abort();
}

/* An outcome; what hostile bytes lead to is never anybody else's fault. */
static inline int
fuzz_outcome(int r, const struct err *err)
{
    if (r < 0) {
        fuzz_assert(err->message[0] != '\0');
        fuzz_assert(err->class == ERR_CORRUPT || err->class == ERR_REFUSED ||
                    err->class == ERR_USAGE);
    }
    return r;
}

struct fuzz_memory {
    const uint8_t *data;
    size_t len;
};

static inline int
fuzz_read_at(void *from, uint64_t offset, void *to, size_t len, struct err *err)
{
    const struct fuzz_memory *m = from;

    (void)err;
    fuzz_assert(offset <= m->len && len <= m->len - offset);
    if (len > 0)
        memcpy(to, m->data + offset, len);
    return 0;
}

static inline struct bytes_in
fuzz_bytes_in(struct fuzz_memory *m)
{
    return (struct bytes_in){
        .from = m, .len = m->len, .name = "fuzzed", .read_at = fuzz_read_at};
}

/* The input as a string; the caller frees. */
static inline char *
fuzz_string(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    fuzz_assert(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    return text;
}
