/* SPDX-License-Identifier: PostgreSQL */
#include "formats/frame.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* For LZ4F_getErrorCode(): the shared library exports it, although its header
   calls it static. */
#define LZ4F_STATIC_LINKING_ONLY
#include <lz4frame.h>

#include "formats/frame_blocks.h"
#include "formats/le.h"

enum {
    HEADER = 15, /* magic, FLG, BD, content size, header checksum */
    BLOCK_HEADER = LZ4F_BLOCK_HEADER_SIZE,
    BLOCK_CHECKSUM = LZ4F_BLOCK_CHECKSUM_SIZE,
};

#define BLOCK_STORED 0x80000000u /* in a block's header, above its length */

struct frame_decoder {
    LZ4F_dctx *dctx;
    /* One block, its checksum, and the header of the next. */
    unsigned char in[FRAME_BLOCK + BLOCK_CHECKSUM + BLOCK_HEADER];
    /* LZ4F decodes in place only where a whole block would fit. */
    unsigned char raw[FRAME_RAW_MAX + FRAME_BLOCK];
};

/* How far the decoding of one frame is. */
struct place {
    const struct bytes_in *in;
    uint64_t frame; /* offset of the frame */
    uint64_t at;    /* offset of what is read next */
    uint64_t limit;
    uint32_t block; /* header of the block at this offset; 0: end of frame */
    size_t got;     /* bytes decoded */
};

int
frame_decoder_new(struct frame_decoder **ret, struct err *err)
{
    cleanup_(frame_decoder_freep) struct frame_decoder *d = NULL;

    d = malloc(sizeof *d);
    if (!d)
        return err_nomem(err);
    if (LZ4F_isError(LZ4F_createDecompressionContext(&d->dctx, LZ4F_VERSION))) {
        d->dctx = NULL;
        return err_nomem(err);
    }
    *ret = take(d);
    return 0;
}

struct frame_decoder *
frame_decoder_free(struct frame_decoder *d)
{
    if (!d)
        return NULL;
    LZ4F_freeDecompressionContext(d->dctx);
    free(d);
    return NULL;
}

static int
damaged(const struct place *p, const char *why, struct err *err)
{
    err_set(err, ERR_CORRUPT, "\"%s\" is damaged at offset %" PRIu64,
            p->in->name, p->at);
    return err_detail(err, "In the frame at offset %" PRIu64 ": %s.", p->frame,
                      why);
}

static int
read_next(struct frame_decoder *d, const struct place *p, size_t n,
          struct err *err)
{
    if (n > p->limit - p->at)
        return damaged(p, "it is cut short", err);
    return p->in->read_at(p->in->from, p->at, d->in, n, err);
}

/* LZ4F's answer to what was read at p. */
static int
check_lz4f(const struct place *p, size_t answer, struct err *err)
{
    if (!LZ4F_isError(answer))
        return 0;
    if (LZ4F_getErrorCode(answer) == LZ4F_ERROR_allocation_failed)
        return err_nomem(err);
    return damaged(p, LZ4F_getErrorName(answer), err);
}

/* Give LZ4F n bytes, which end with the header of the next block. */
static int
feed(struct frame_decoder *d, struct place *p, const unsigned char *from,
     size_t n, struct err *err)
{
    size_t made = sizeof d->raw - p->got, used = n;
    int r;

    r = check_lz4f(
        p, LZ4F_decompress(d->dctx, d->raw + p->got, &made, from, &used, NULL),
        err);
    if (r)
        return r;
    assert(used == n); /* it was given what it asked for, and room */
    p->got += made;
    p->block = le32_get(from + n - BLOCK_HEADER);
    return 0;
}

/*
 * The header must be ours in all but the content's size: any other asks for
 * more memory than we give, or lacks a checksum.
 */
static const char *
header_flaw(const LZ4F_frameInfo_t *info, size_t len)
{
    if (info->frameType != LZ4F_frame)
        return "it is a skippable frame";
    if (info->contentSize == 0)
        return "it does not state the size of its content";
    if (info->contentSize > FRAME_RAW_MAX)
        return "its content is too large";
    if (len != HEADER)
        return "it asks for a dictionary";
    if (info->blockSizeID != LZ4F_max256KB ||
        info->blockMode != LZ4F_blockIndependent ||
        info->blockChecksumFlag != LZ4F_blockChecksumEnabled ||
        info->contentChecksumFlag != LZ4F_noContentChecksum)
        return "its blocks are not of the kind that we write";
    return NULL;
}

/* The frame's header, and with it that of the first block. */
static int
get_header(struct frame_decoder *d, struct place *p, size_t *ret_len,
           struct err *err)
{
    LZ4F_frameInfo_t info;
    size_t n = HEADER + BLOCK_HEADER;
    const char *flaw;
    int r;

    r = read_next(d, p, n, err);
    if (r)
        return r;
    LZ4F_resetDecompressionContext(d->dctx);
    r = check_lz4f(p, LZ4F_getFrameInfo(d->dctx, &info, d->in, &n), err);
    if (r)
        return r;
    flaw = header_flaw(&info, n);
    if (flaw)
        return damaged(p, flaw, err);

    r = feed(d, p, d->in + HEADER, BLOCK_HEADER, err);
    if (r)
        return r;
    p->at += HEADER + BLOCK_HEADER;
    *ret_len = (size_t)info.contentSize;
    return 0;
}

/* The next block, which holds want bytes, and the header of the one after. */
static int
get_block(struct frame_decoder *d, struct place *p, size_t want,
          struct err *err)
{
    size_t len = p->block & ~BLOCK_STORED, end = p->got + want, n;
    int r;

    /*
     * The checksum does not cover the header.  The writer fills blocks, and
     * stores those that would not shrink: so neither a wrong length nor a
     * wrong flag fits, and no block is empty.
     */
    if (p->block & BLOCK_STORED ? len != want : len == 0 || len >= want)
        return damaged(p, "a block has the wrong length", err);

    n = len + BLOCK_CHECKSUM + BLOCK_HEADER;
    r = read_next(d, p, n, err);
    if (r)
        return r;
    r = feed(d, p, d->in, n, err);
    if (r)
        return r;
    if (p->got != end)
        return damaged(p, "a block has the wrong length", err);
    p->at += n;
    return 0;
}

int
frame_decode(struct frame_decoder *d, const struct bytes_in *in,
             uint64_t offset, uint64_t limit, struct frame_content *ret,
             struct err *err)
{
    struct place p = {.in = in, .frame = offset, .at = offset, .limit = limit};
    size_t len = 0;
    int r;

    assert(offset <= limit && limit <= in->len);

    r = get_header(d, &p, &len, err);
    if (r)
        return r;
    while (p.got < len) {
        r = get_block(d, &p, frame_blocks_next(len, p.got), err);
        if (r)
            return r;
    }
    if (p.block != 0)
        return damaged(&p, "it goes on behind its content", err);

    *ret = (struct frame_content){.data = d->raw, .len = len, .next = p.at};
    return 0;
}
