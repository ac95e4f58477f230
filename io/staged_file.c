/* SPDX-License-Identifier: PostgreSQL */
#include "io/staged_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/buffer.h"

enum state {
    OPEN,      /* entered by open */
    BROKEN,    /* entered when anything fails: there may be a hole */
    COMMITTED, /* entered by commit, at its end */
};

struct staged_file {
    struct bytes_out out;
    enum state state;
    struct sink *sink;        /* borrowed */
    struct buffer_pool *pool; /* borrowed */
    int dir_fd;               /* borrowed */
    int fd;
    unsigned align; /* of writes: BUFFER_ALIGN with O_DIRECT, else 1 */
    char *name;
    char *part;
    struct buffer *buffer; /* being filled; NULL once the sink has the last */
    size_t used;           /* bytes in buffer */
    uint64_t len;          /* of the file; buffer begins at len - used */
    EVP_MD_CTX *sha256;
};

static int
broken(struct staged_file *f)
{
    f->state = BROKEN;
    return -1;
}

/*
 * Go around the page cache, which would be filled with bytes that nobody
 * reads again.  Asked of the open file: openat(2) with O_DIRECT would leave
 * the file behind where it is refused.
 */
static void
set_direct(struct staged_file *f)
{
    struct statx stx;
    unsigned align = BUFFER_ALIGN;

    /* Linux 6.1; a smaller block than ours is fine, and ours is faster. */
    if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
        stx.stx_mask & STATX_DIOALIGN)
        align = stx.stx_dio_offset_align > stx.stx_dio_mem_align
                    ? stx.stx_dio_offset_align
                    : stx.stx_dio_mem_align;
    if (align == 0 || align > BUFFER_ALIGN)
        return;
    if (fcntl(f->fd, F_SETFL, O_DIRECT) == 0)
        f->align = BUFFER_ALIGN;
}

/* Set room aside, so that a full disk is met now and not in the middle. */
static int
set_aside(struct staged_file *f, uint64_t len, struct err *err)
{
    int r;

    if (len == 0)
        return 0;
    do
        r = fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno != EOPNOTSUPP)
        return err_sys(err, errno,
                       "could not set aside %" PRIu64 " bytes for \"%s\"", len,
                       f->part);
    return 0;
}

static int
get_buffer(struct staged_file *f, struct buffer **ret, struct err *err)
{
    int r;

    while (!(*ret = buffer_get(f->pool))) {
        r = sink_reap(f->sink, err);
        assert(r != SINK_E_IDLE); /* the pool is ours and the sink's alone */
        if (r)
            return r;
    }
    return 0;
}

/* Hand the first len bytes of the buffer to the sink, with the buffer. */
static int
write_buffer(struct staged_file *f, size_t len, struct err *err)
{
    struct sink_op op = {
        .buffer = take(f->buffer),
        .name = f->part,
        .fd = f->fd,
        .align = f->align,
        .len = len,
        .offset = f->len - f->used,
    };
    int r;

    while ((r = sink_write(f->sink, &op, err)) == SINK_E_BUSY) {
        r = sink_reap(f->sink, err);
        if (r) {
            buffer_put(op.buffer);
            return r;
        }
    }
    return r;
}

/* Write the whole blocks; what is left over goes into the next buffer. */
static int
next_buffer(struct staged_file *f, struct err *err)
{
    cleanup_(buffer_putp) struct buffer *next = NULL;
    size_t left = f->used % f->align;
    int r;

    r = get_buffer(f, &next, err);
    if (r)
        return r;
    memcpy(next->data, f->buffer->data + f->used - left, left);

    r = write_buffer(f, f->used - left, err);
    if (r)
        return r;
    f->buffer = take(next);
    f->used = left;
    return 0;
}

static int
out_reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct staged_file *f = to;

    assert(f->state == OPEN);
    assert(min <= BYTES_OUT_MIN_MAX);

    if (f->buffer->size - f->used < min && next_buffer(f, err) != 0)
        return broken(f);
    *room = f->buffer->data + f->used;
    return 0;
}

static int
no_digest(const struct staged_file *f, struct err *err)
{
    return err_set(err, ERR_SYSTEM, "could not compute the SHA-256 of \"%s\"",
                   f->name);
}

static int
out_advance(void *to, size_t n, struct err *err)
{
    struct staged_file *f = to;

    assert(f->state == OPEN);
    assert(n <= f->buffer->size - f->used);

    if (!EVP_DigestUpdate(f->sha256, f->buffer->data + f->used, n)) {
        no_digest(f, err);
        return broken(f);
    }
    f->used += n;
    f->len += n;
    return 0;
}

const struct bytes_out *
staged_file_out(struct staged_file *f)
{
    return &f->out;
}

uint64_t
staged_file_len(const struct staged_file *f)
{
    return f->len;
}

static int
create_part(struct staged_file *f, struct err *err)
{
    f->fd = openat(f->dir_fd, f->part,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", f->part);
    return 0;
}

int
staged_file_open(struct staged_file **ret, const struct staged_file_params *p,
                 struct err *err)
{
    cleanup_(staged_file_freep) struct staged_file *f = NULL;

    assert(!strchr(p->name, '/'));
    assert(buffer_pool_count(p->pool) >= 2); /* one to fill, one to carry */

    f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(err);
    *f = (struct staged_file){
        .out = {.to = f, .reserve = out_reserve, .advance = out_advance},
        .sink = p->sink,
        .pool = p->pool,
        .dir_fd = p->dir_fd,
        .fd = -1,
        .align = 1,
        .name = strdup(p->name),
        .sha256 = EVP_MD_CTX_new(),
    };
    if (asprintf(&f->part, "%s.part", p->name) < 0)
        f->part = NULL;
    if (!f->name || !f->part || !f->sha256)
        return err_nomem(err);
    if (!EVP_DigestInit_ex(f->sha256, EVP_sha256(), NULL))
        return no_digest(f, err);

    if (get_buffer(f, &f->buffer, err) || create_part(f, err) ||
        set_aside(f, p->expected_len, err))
        return broken(f);
    set_direct(f);

    *ret = take(f);
    return 0;
}

/* The last bytes, padded with zeros to a whole block. */
static int
write_tail(struct staged_file *f, struct err *err)
{
    size_t pad = (f->align - f->used % f->align) % f->align;

    if (f->used == 0)
        return 0;
    memset(f->buffer->data + f->used, 0, pad);
    return write_buffer(f, f->used + pad, err);
}

/* 0 or -errno; never replaces a NAME. */
static int
rename_part(const struct staged_file *f)
{
    int sys;

    if (renameat2(f->dir_fd, f->part, f->dir_fd, f->name, RENAME_NOREPLACE) ==
        0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;

    /* A file system, or a kernel, that does not know the flag. */
    if (linkat(f->dir_fd, f->part, f->dir_fd, f->name, 0) < 0)
        return -errno;
    if (unlinkat(f->dir_fd, f->part, 0) == 0)
        return 0;
    sys = errno;
    unlinkat(f->dir_fd, f->name, 0);
    return -sys;
}

static int
publish(struct staged_file *f, struct err *err)
{
    int r;

    r = rename_part(f);
    if (r < 0)
        return err_sys(err, -r, "could not rename \"%s\" to \"%s\"", f->part,
                       f->name);
    if (fsync(f->dir_fd) < 0) {
        err_sys(err, errno, "could not sync the directory of \"%s\"", f->name);
        /* Taken back: it may not last, and whoever sees it would trust it. */
        unlinkat(f->dir_fd, f->name, 0);
        return -1;
    }
    return 0;
}

static int
commit(struct staged_file *f, struct staged_file_seal *seal, struct err *err)
{
    int r;

    r = write_tail(f, err);
    while (r == 0)
        r = sink_reap(f->sink, err);
    if (r != SINK_E_IDLE)
        return r;

    /* Cuts off the padding, and gives back what was set aside and not used. */
    if (ftruncate(f->fd, (off_t)f->len) < 0)
        return err_sys(err, errno, "could not cut \"%s\" to %" PRIu64 " bytes",
                       f->part, f->len);
    seal->len = f->len;
    if (!EVP_DigestFinal_ex(f->sha256, seal->sha256, NULL))
        return no_digest(f, err);

    /*
     * Data first, then the name, then the directory that holds the name: in
     * any other order a power cut could leave a NAME with bytes missing.
     */
    r = sink_sync(f->sink, f->fd, f->part, err);
    return r ? r : publish(f, err);
}

int
staged_file_commit(struct staged_file *f, struct staged_file_seal *ret,
                   struct err *err)
{
    struct staged_file_seal seal;

    assert(f->state == OPEN);

    if (commit(f, &seal, err))
        return broken(f);
    f->state = COMMITTED;
    *ret = seal;
    return 0;
}

struct staged_file *
staged_file_free(struct staged_file *f)
{
    if (!f)
        return NULL;

    /* The kernel still reads from buffers in flight, and names the file. */
    sink_drain(f->sink);
    buffer_put(f->buffer);

    if (f->fd >= 0) {
        close(f->fd);
        if (f->state != COMMITTED)
            unlinkat(f->dir_fd, f->part, 0);
    }
    EVP_MD_CTX_free(f->sha256);
    free(f->name);
    free(f->part);
    free(f);
    return NULL;
}
