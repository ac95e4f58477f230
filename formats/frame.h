/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * LZ4 frames: self-contained, of at most FRAME_RAW_MAX bytes of content.
 *
 * Every frame states its content's size, has independent blocks of 256 KiB
 * and a checksum over each of them: any frame can be read alone, and "lz4"
 * reads any number of them in a row.  Stored frames hold their content as it
 * is (LZ4's uncompressed blocks), so that lz4 reads them as well.
 *
 * Content is compressed from where it lies to where it goes.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

enum {
    FRAME_RAW_MAX = 1 << 20,
    FRAME_BLOCK = 256 << 10,
};

enum frame_codec { FRAME_STORED, FRAME_LZ4 };

/* "none", "lz4". */
const char *frame_codec_name(enum frame_codec c);
int frame_codec_parse(const char *name, enum frame_codec *ret);

struct frame_encoder;

int frame_encoder_new(struct frame_encoder **ret, enum frame_codec codec,
                      struct err *err);
struct frame_encoder *frame_encoder_free(struct frame_encoder *e);
DEFINE_CLEANUP(struct frame_encoder *, frame_encoder_free)

/* Append one frame with this content (1 to FRAME_RAW_MAX bytes) to out. */
int frame_encode(struct frame_encoder *e, const void *raw, size_t len,
                 const struct bytes_out *out, struct err *err);

/*
 * Decoding is as strict as the writer: no dictionary, content size present
 * and within FRAME_RAW_MAX, every checksum right, nothing missing.  Hostile
 * frames cannot make it use more memory than one frame's content.
 */
struct frame_decoder;

int frame_decoder_new(struct frame_decoder **ret, struct err *err);
struct frame_decoder *frame_decoder_free(struct frame_decoder *d);
DEFINE_CLEANUP(struct frame_decoder *, frame_decoder_free)

struct frame_content {
    const unsigned char *data; /* the decoder's; valid until its next call */
    size_t len;
    uint64_t next; /* offset of what follows the frame */
};

/*
 * Decode the frame at offset, reading no byte beyond limit.  Failures are
 * ERR_CORRUPT and name in->name and the offset.
 */
int frame_decode(struct frame_decoder *d, const struct bytes_in *in,
                 uint64_t offset, uint64_t limit, struct frame_content *ret,
                 struct err *err);

/*
 * Skippable frames carry what is ours (magic 0x184D2A50 + kind): lz4 passes
 * over them.
 */
enum { FRAME_SKIP_HEADER = 8 };
void frame_skip_header(unsigned char to[FRAME_SKIP_HEADER], unsigned kind,
                       uint32_t payload_len);
/* 0, or -1 when the bytes are not the header of a skippable frame of kind. */
int frame_skip_parse(const unsigned char from[FRAME_SKIP_HEADER], unsigned kind,
                     uint32_t *ret_payload_len);
