/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/fd.h"

enum { IN_MEMORY_MAX = 32 << 20 };

struct spool {
    struct bytes_in in;
    int fd;
    const char *name; /* the member's */
};

static int
read_at(void *from, uint64_t offset, void *to, size_t len, struct err *err)
{
    const struct spool *s = from;
    unsigned char *room = to;
    ssize_t n;

    if (offset > s->in.len || len > s->in.len - offset)
        return err_set(err, ERR_CORRUPT,
                       "\"%s\" ends at offset %" PRIu64 ", expected %" PRIu64,
                       s->name, s->in.len, offset + len);
    for (; len > 0; offset += (uint64_t)n, room += n, len -= (size_t)n) {
        n = pread(s->fd, room, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            return err_sys(err, n < 0 ? errno : EIO,
                           "could not read what was kept of \"%s\"", s->name);
    }
    return 0;
}

/* Whoever can read what has no name is us. */
static int
open_unnamed(int *ret_fd, uint64_t len, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    if (!tmp || !*tmp)
        tmp = "/tmp";
    *ret_fd = len <= IN_MEMORY_MAX
                  ? memfd_create("pghaul", MFD_CLOEXEC)
                  : open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return *ret_fd >= 0
               ? 0
               : err_sys(err, errno,
                         "could not create a temporary file in \"%s\"", tmp);
}

static int
append(void *arg, const void *data, size_t len, struct err *err)
{
    const struct spool *s = arg;
    const char *at = data;
    ssize_t n;

    for (; len > 0; at += n, len -= (size_t)n) {
        n = write(s->fd, at, len);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n < 0)
            return err_sys(err, errno, "could not keep \"%s\" for a while",
                           s->name);
    }
    return 0;
}

int
spool_take(struct spool **ret, struct archive_in *a,
           const struct archive_member *m, struct err *err)
{
    cleanup_(spool_freep) struct spool *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    s->fd = -1;
    s->name = m->path;
    s->in = (struct bytes_in){
        .from = s, .len = m->len, .name = m->path, .read_at = read_at};
    r = open_unnamed(&s->fd, m->len, err);
    if (!r)
        r = archive_in_take(a, append, s, err);
    if (!r)
        *ret = take(s);
    return r;
}

struct spool *
spool_free(struct spool *s)
{
    if (!s)
        return NULL;
    fd_closep(&s->fd);
    free(s);
    return NULL;
}

const struct bytes_in *
spool_in(const struct spool *s)
{
    return &s->in;
}
