/* SPDX-License-Identifier: PostgreSQL */
#include "tests/staging.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct staging staging = {
    .dir = "/tmp/staging.XXXXXX",
    .sink = {.depth = 2, .register_buffers = 1},
    .file = {.name = "t.1", .dir_fd = -1},
};

void
staging_reopen(void)
{
    close(staging.file.dir_fd);
    staging.file.dir_fd = open(staging.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(staging.file.dir_fd >= 0);
}

void
staging_begin(void)
{
    struct err err;

    cr_assert(mkdtemp(staging.dir));
    staging_reopen();
    cr_assert_eq(buffer_pool_new(&staging.sink.pool, BUFFER_PIECE, 3, &err), 0);
    staging.file.pool = staging.sink.pool;
}

void
staging_remove(void)
{
    unlinkat(staging.file.dir_fd, "t.1", 0);
    unlinkat(staging.file.dir_fd, "t.1.part", 0);
    close(staging.file.dir_fd);
    rmdir(staging.dir);
}

void
staging_end(void)
{
    staging_remove();
    buffer_pool_free(staging.sink.pool);
}

static unsigned char
byte_at(uint64_t i)
{
    return (unsigned char)(i ^ i >> 8 ^ i >> 16);
}

int
staging_fill(struct staged_file *f, uint64_t len, struct err *err)
{
    const struct bytes_out *out = staged_file_out(f);
    size_t piece = 1;

    while (staged_file_len(f) < len) {
        const uint64_t at = staged_file_len(f);
        unsigned char *room;

        piece = piece * 7 % BYTES_OUT_MIN_MAX + 1;
        if (piece > len - at)
            piece = len - at;
        if (out->reserve(out->to, piece, &room, err))
            return -1;
        for (size_t i = 0; i < piece; i++)
            room[i] = byte_at(at + i);
        if (out->advance(out->to, piece, err))
            return -1;
    }
    return 0;
}

int
staging_stage(struct sink *s, uint64_t len, struct staged_file_seal *seal,
              struct err *err)
{
    cleanup_(staged_file_freep) struct staged_file *f = NULL;

    staging.file.sink = s;
    if (staged_file_open(&f, &staging.file, err) || staging_fill(f, len, err))
        return -1;
    return staged_file_commit(f, seal, err);
}

int
staging_exists(const char *name)
{
    return faccessat(staging.file.dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
staging_is_whole(uint64_t len)
{
    unsigned char *got = malloc(len + 1);
    int fd = openat(staging.file.dir_fd, "t.1", O_RDONLY | O_CLOEXEC);
    int same = read(fd, got, len + 1) == (ssize_t)len;

    for (uint64_t i = 0; same && i < len; i++)
        same = got[i] == byte_at(i);
    close(fd);
    free(got);
    return same;
}
