/* SPDX-License-Identifier: PostgreSQL */
#include "formats/frame.h"

#include <assert.h>
#include <stdlib.h>

/* For LZ4F_uncompressedUpdate() and LZ4F_getErrorCode(): the shared library
   exports them, although its header calls them static. */
#define LZ4F_STATIC_LINKING_ONLY
#include <lz4frame.h>

#include "formats/frame_blocks.h"

struct frame_encoder {
    enum frame_codec codec;
    LZ4F_cctx *cctx; /* NULL after a failure: its state is undefined then */
    LZ4F_preferences_t prefs;
};

static int
create_cctx(struct frame_encoder *e, struct err *err)
{
    if (LZ4F_isError(LZ4F_createCompressionContext(&e->cctx, LZ4F_VERSION))) {
        e->cctx = NULL;
        return err_nomem(err);
    }
    return 0;
}

static void
destroy_cctx(struct frame_encoder *e)
{
    LZ4F_freeCompressionContext(take(e->cctx));
}

int
frame_encoder_new(struct frame_encoder **ret, enum frame_codec codec,
                  struct err *err)
{
    cleanup_(frame_encoder_freep) struct frame_encoder *e = NULL;
    int r;

    e = malloc(sizeof *e);
    if (!e)
        return err_nomem(err);
    /* With autoFlush LZ4F compresses from the source, not from a copy. */
    *e = (struct frame_encoder){
        .codec = codec,
        .prefs.frameInfo.blockSizeID = LZ4F_max256KB,
        .prefs.frameInfo.blockMode = LZ4F_blockIndependent,
        .prefs.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled,
        .prefs.autoFlush = 1,
    };
    assert(LZ4F_compressBound(FRAME_BLOCK, &e->prefs) <= BYTES_OUT_MIN_MAX);

    r = create_cctx(e, err);
    if (r)
        return r;
    *ret = take(e);
    return 0;
}

struct frame_encoder *
frame_encoder_free(struct frame_encoder *e)
{
    if (!e)
        return NULL;
    destroy_cctx(e);
    free(e);
    return NULL;
}

/* LZ4F has put n bytes into the reserved room, or n is its error. */
static int
keep(const struct bytes_out *out, size_t n, struct err *err)
{
    if (LZ4F_isError(n)) {
        if (LZ4F_getErrorCode(n) == LZ4F_ERROR_allocation_failed)
            return err_nomem(err);
        err_set(err, ERR_SYSTEM, "could not compress");
        return err_detail(err, "LZ4: %s", LZ4F_getErrorName(n));
    }
    return out->advance(out->to, n, err);
}

static int
put_header(struct frame_encoder *e, size_t len, const struct bytes_out *out,
           struct err *err)
{
    unsigned char *room;
    int r;

    r = out->reserve(out->to, LZ4F_HEADER_SIZE_MAX, &room, err);
    if (r)
        return r;
    e->prefs.frameInfo.contentSize = len;
    return keep(
        out, LZ4F_compressBegin(e->cctx, room, LZ4F_HEADER_SIZE_MAX, &e->prefs),
        err);
}

static int
put_block(struct frame_encoder *e, const unsigned char *raw, size_t len,
          enum frame_codec codec, const struct bytes_out *out, struct err *err)
{
    size_t bound = LZ4F_compressBound(len, &e->prefs);
    unsigned char *room;
    int r;

    r = out->reserve(out->to, bound, &room, err);
    if (r)
        return r;
    return keep(
        out,
        codec == FRAME_LZ4
            ? LZ4F_compressUpdate(e->cctx, room, bound, raw, len, NULL)
            : LZ4F_uncompressedUpdate(e->cctx, room, bound, raw, len, NULL),
        err);
}

static int
put_end(struct frame_encoder *e, const struct bytes_out *out, struct err *err)
{
    size_t bound = LZ4F_compressBound(0, &e->prefs);
    unsigned char *room;
    int r;

    r = out->reserve(out->to, bound, &room, err);
    if (r)
        return r;
    return keep(out, LZ4F_compressEnd(e->cctx, room, bound, NULL), err);
}

static int
put_frame(struct frame_encoder *e, const unsigned char *raw, size_t len,
          const struct bytes_out *out, struct err *err)
{
    enum frame_codec codec;
    size_t done, n;
    int r;

    r = put_header(e, len, out, err);
    for (done = 0; r == 0 && done < len; done += n) {
        n = frame_blocks_next(len, done);
        codec = done + n == len ? FRAME_STORED : e->codec; /* the stub */
        r = put_block(e, raw + done, n, codec, out, err);
    }
    return r ? r : put_end(e, out, err);
}

int
frame_encode(struct frame_encoder *e, const void *raw, size_t len,
             const struct bytes_out *out, struct err *err)
{
    int r;

    assert(len >= 1 && len <= FRAME_RAW_MAX);

    if (!e->cctx) {
        r = create_cctx(e, err);
        if (r)
            return r;
    }
    r = put_frame(e, raw, len, out, err);
    if (r)
        destroy_cctx(e);
    return r;
}
