/* SPDX-License-Identifier: PostgreSQL */
#include "formats/frame.h"

#include <assert.h>
#include <lz4frame.h>
#include <string.h>

#include "formats/le.h"

const char *
frame_codec_name(enum frame_codec c)
{
    return c == FRAME_LZ4 ? "lz4" : "none";
}

int
frame_codec_parse(const char *name, enum frame_codec *ret)
{
    if (strcmp(name, "none") == 0)
        *ret = FRAME_STORED;
    else if (strcmp(name, "lz4") == 0)
        *ret = FRAME_LZ4;
    else
        return -1;
    return 0;
}

void
frame_skip_header(unsigned char to[FRAME_SKIP_HEADER], unsigned kind,
                  uint32_t payload_len)
{
    assert(kind < 16);
    le32_put(to, LZ4F_MAGIC_SKIPPABLE_START + kind);
    le32_put(to + 4, payload_len);
}

int
frame_skip_parse(const unsigned char from[FRAME_SKIP_HEADER], unsigned kind,
                 uint32_t *ret_payload_len)
{
    if (le32_get(from) != LZ4F_MAGIC_SKIPPABLE_START + kind)
        return -1;
    *ret_payload_len = le32_get(from + 4);
    return 0;
}
