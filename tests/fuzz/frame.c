/* SPDX-License-Identifier: PostgreSQL */

/* Frames, one after the other; the first byte says whether their checksums
   are made right. */

#include "formats/frame.h"
#include "tests/fuzz/mend.h"

static void
read_all(struct frame_decoder *d, const struct bytes_in *in)
{
    struct frame_content content = {.next = 0};
    uint64_t at = 0;
    struct err err;

    while (at < in->len) {
        if (fuzz_outcome(frame_decode(d, in, at, in->len, &content, &err),
                         &err))
            return;
        fuzz_assert(content.len > 0 && content.len <= FRAME_RAW_MAX);
        fuzz_assert(content.next > at && content.next <= in->len);
        at = content.next;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_(frame_decoder_freep) struct frame_decoder *d = NULL;
    struct fuzz_memory m;
    struct bytes_in in;
    struct err err;
    char *copy;

    if (len < 1)
        return 0;
    copy = mend_copy(data, len, mend_frames, &m);
    in = fuzz_bytes_in(&m);
    fuzz_assert(frame_decoder_new(&d, &err) == 0);
    read_all(d, &in);
    free(copy);
    return 0;
}
