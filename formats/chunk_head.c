/* SPDX-License-Identifier: PostgreSQL */
#include "formats/chunk_head.h"

#include <string.h>
#include <xxhash.h>

#include "formats/le.h"

/* Offsets in the file. */
enum {
    MAGIC = FRAME_SKIP_HEADER,
    VERSION = MAGIC + 8,
    FORMAT = VERSION + 4,
    CODEC = FORMAT + 4,
    N_COLUMNS = CODEC + 4,
    RUN = N_COLUMNS + 4,
    CHUNK = RUN + 16,
    TABLE = CHUNK + 8,
    LSN = TABLE + 8,
    CHECKSUM = LSN + 8,
    END = CHECKSUM + 8,

    OUR_VERSION = 1,
};

_Static_assert((int)END == (int)CHUNK_HEAD_LEN,
               "the layout is promised in the manual");
_Static_assert(COPY_TEXT == 0 && COPY_BINARY == 1, "numbers are on disk");
_Static_assert(FRAME_STORED == 0 && FRAME_LZ4 == 1, "numbers are on disk");

static const char magic[8] = "PGHAULCH";

static uint64_t
checksum(const unsigned char *head)
{
    return XXH3_64bits(head + MAGIC, CHECKSUM - MAGIC);
}

void
chunk_head_put(unsigned char to[CHUNK_HEAD_LEN], const struct chunk_head *head)
{
    frame_skip_header(to, 0, END - MAGIC);
    memcpy(to + MAGIC, magic, sizeof magic);
    le32_put(to + VERSION, OUR_VERSION);
    le32_put(to + FORMAT, head->format);
    le32_put(to + CODEC, head->codec);
    le32_put(to + N_COLUMNS, head->n_columns);
    memcpy(to + RUN, head->run, sizeof head->run);
    le64_put(to + CHUNK, head->chunk);
    le64_put(to + TABLE, head->table);
    le64_put(to + LSN, head->lsn);
    le64_put(to + CHECKSUM, checksum(to));
}

const char *
chunk_head_get(const unsigned char from[CHUNK_HEAD_LEN], struct chunk_head *ret)
{
    uint32_t len;

    if (frame_skip_parse(from, 0, &len) < 0 || len != END - MAGIC ||
        memcmp(from + MAGIC, magic, sizeof magic) != 0)
        return "It does not begin as a chunk file does.";
    if (le64_get(from + CHECKSUM) != checksum(from))
        return "The checksum of its head does not match.";
    if (le32_get(from + VERSION) != OUR_VERSION)
        return "It is of another version of chunk files.";
    if (le32_get(from + FORMAT) > COPY_BINARY ||
        le32_get(from + CODEC) > FRAME_LZ4)
        return "Its format or codec is unknown.";

    *ret = (struct chunk_head){
        .chunk = le64_get(from + CHUNK),
        .table = le64_get(from + TABLE),
        .lsn = le64_get(from + LSN),
        .format = (enum copy_format)le32_get(from + FORMAT),
        .codec = (enum frame_codec)le32_get(from + CODEC),
        .n_columns = le32_get(from + N_COLUMNS),
    };
    memcpy(ret->run, from + RUN, sizeof ret->run);
    return NULL;
}

uint64_t
chunk_head_sum(const unsigned char from[CHUNK_HEAD_LEN])
{
    return le64_get(from + CHECKSUM);
}
