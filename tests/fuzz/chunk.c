/* SPDX-License-Identifier: PostgreSQL */

/* A chunk file; the first byte says whether its checksums are made right. */

#include "formats/chunk.h"
#include "tests/fuzz/mend.h"

static void
read_all(struct chunk_reader *c, const struct bytes_in *in)
{
    const unsigned char *data;
    uint64_t sum = 0;
    struct err err;
    size_t len;
    int r;

    if (fuzz_outcome(chunk_reader_begin(c, in, &err), &err))
        return;
    while ((r = chunk_reader_next(c, &data, &len, &err)) == 0) {
        fuzz_assert(len > 0 && len <= FRAME_RAW_MAX);
        sum += len;
    }
    fuzz_outcome(r, &err);
    fuzz_assert(r < 0 || sum == chunk_reader_totals(c)->raw_len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_(chunk_reader_freep) struct chunk_reader *c = NULL;
    struct fuzz_memory m;
    struct bytes_in in;
    struct err err;
    char *copy;

    if (len < 1)
        return 0;
    copy = mend_copy(data, len, mend_chunk, &m);
    in = fuzz_bytes_in(&m);
    fuzz_assert(chunk_reader_new(&c, &err) == 0);
    read_all(c, &in);
    free(copy);
    return 0;
}
