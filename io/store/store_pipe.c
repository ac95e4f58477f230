/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/store/store_kinds.h"

enum { DROP_PIECE = 256 << 10 };

struct pipe_in {
    struct store_in store;
    int fd;
    char *name;
    uint64_t at; /* bytes read so far */
    unsigned char *dropped;
};

struct pipe_out {
    struct store_out store;
    int fd;
    char *name;
};

static void
close_own(int fd)
{
    if (fd > STDERR_FILENO)
        close(fd);
}

/* ---- reading ---- */

static int
read_on(struct pipe_in *s, unsigned char *to, size_t len, size_t *ret_n,
        struct err *err)
{
    ssize_t n;

    for (*ret_n = 0; *ret_n < len; *ret_n += (size_t)n) {
        n = read(s->fd, to + *ret_n, len - *ret_n);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "could not read %s", s->name);
        n = n < 0 ? 0 : n;
        s->at += (uint64_t)n;
    }
    return 0;
}

static int
pipe_read(struct store_in *store, uint64_t offset, void *to, size_t len,
          size_t *ret_n, struct err *err)
{
    struct pipe_in *s = (struct pipe_in *)store;
    uint64_t left;
    size_t n;
    int r;

    assert(offset >= s->at);
    while (s->at < offset) {
        left = offset - s->at;
        r = read_on(s, s->dropped, left < DROP_PIECE ? left : DROP_PIECE, &n,
                    err);
        if (r)
            return r;
        if (n == 0)
            len = 0; /* it ends before the offset */
        if (n == 0)
            break;
    }
    return read_on(s, to, len, ret_n, err);
}

static struct store_in *
pipe_in_free(struct store_in *store)
{
    struct pipe_in *s = (struct pipe_in *)store;

    close_own(s->fd);
    free(s->dropped);
    free(s->name);
    free(s);
    return NULL;
}

static const struct store_in_ops in_ops = {pipe_read, pipe_in_free};

int
store_pipe_in(struct store_in **ret, int fd, const char *name, struct err *err)
{
    struct pipe_in *s = calloc(1, sizeof *s);
    char *copy = strdup(name);
    unsigned char *dropped = malloc(DROP_PIECE);

    if (!s || !copy || !dropped) {
        free(s);
        free(copy);
        free(dropped);
        close_own(fd);
        return err_nomem(err);
    }
    *s = (struct pipe_in){
        {&in_ops, copy, STORE_LEN_UNKNOWN, 1}, fd, copy, 0, dropped};
    *ret = &s->store;
    return 0;
}

/* ---- writing ---- */

int
store_write(int fd, const char *name, const void *data, size_t len,
            struct err *err)
{
    const unsigned char *from = data;
    ssize_t n;

    for (size_t done = 0; done < len; done += n < 0 ? 0 : (size_t)n) {
        n = write(fd, from + done, len - done);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "could not write \"%s\"", name);
    }
    return 0;
}

static int
pipe_append(struct store_out *store, const void *data, size_t len,
            struct err *err)
{
    struct pipe_out *s = (struct pipe_out *)store;

    return store_write(s->fd, s->name, data, len, err);
}

/* A device may have to be asked; a pipe cannot be. */
static int
pipe_commit(struct store_out *store, struct err *err)
{
    struct pipe_out *s = (struct pipe_out *)store;

    if (fsync(s->fd) == 0 || errno == EINVAL || errno == EROFS ||
        errno == ENOTSUP)
        return 0;
    return err_sys(err, errno, "could not sync \"%s\"", s->name);
}

static struct store_out *
pipe_out_free(struct store_out *store)
{
    struct pipe_out *s = (struct pipe_out *)store;

    close_own(s->fd);
    free(s->name);
    free(s);
    return NULL;
}

static const struct store_out_ops out_ops = {pipe_append, pipe_commit,
                                             pipe_out_free};

int
store_pipe_out(struct store_out **ret, int fd, const char *name,
               struct err *err)
{
    struct pipe_out *s = calloc(1, sizeof *s);
    char *copy = strdup(name);

    if (!s || !copy) {
        free(s);
        free(copy);
        close_own(fd);
        return err_nomem(err);
    }
    *s = (struct pipe_out){{&out_ops, copy}, fd, copy};
    *ret = &s->store;
    return 0;
}
