/* SPDX-License-Identifier: PostgreSQL */
#include "io/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/fd.h"

struct reader {
    struct bytes_in in;
    int fd;
    char *name;
};

enum { DIGEST_PIECE = 256 << 10 }; /* stays in a core's cache */

static bool
is_plain(const char *component)
{
    return *component && strcmp(component, ".") && strcmp(component, "..");
}

/* Why component could not be opened in at_fd; errno says it but for links. */
static int
explain(int at_fd, const char *component, const char *name, struct err *err)
{
    int sys = errno;
    struct stat st;

    if (fstatat(at_fd, component, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        err_set(err, ERR_REFUSED, "\"%s\" goes through a symbolic link", name);
        err_detail(err, "The link is \"%s\".", component);
        return err_hint(err, "Put what it points to in its place.");
    }
    return err_sys(err, sys, "could not open \"%s\"", name);
}

/*
 * One component at a time, as O_NOFOLLOW speaks of the last one only; what
 * openat2(2) does in one call, where a kernel or a sandbox lacks it.
 * O_NONBLOCK, because whatever stands there must not make us wait.
 */
static int
walk(int *ret_fd, int dir_fd, const char *name, struct err *err)
{
    cleanup_(freep) char *copy = strdup(name);
    cleanup_(fd_closep) int fd = -1;
    char *rest = copy, *component;
    int next, at_fd = dir_fd;

    if (!copy)
        return err_nomem(err);
    while ((component = strsep(&rest, "/"))) {
        if (!is_plain(component))
            return err_set(err, ERR_REFUSED,
                           "\"%s\" is not the name of a file below its "
                           "directory",
                           name);
        next = openat(at_fd, component,
                      O_NOFOLLOW | O_CLOEXEC |
                          (rest ? O_PATH | O_DIRECTORY
                                : O_RDONLY | O_NONBLOCK | O_NOCTTY));
        if (next < 0)
            return explain(at_fd, component, name, err);
        fd_closep(&fd);
        at_fd = fd = next;
    }

    *ret_fd = fd_take(&fd);
    return 0;
}

static int
judge(const struct stat *st, const char *name, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_REFUSED, "\"%s\" is not a regular file", name);
    if (st->st_nlink != 1) {
        err_set(err, ERR_REFUSED, "\"%s\" has %ju names, expected one", name,
                (uintmax_t)st->st_nlink);
        return err_hint(err, "Put a copy in its place: a file can be changed "
                             "through any of its names.");
    }
    return 0;
}

static int
ends_early(const struct reader *f, uint64_t end, uint64_t expected,
           struct err *err)
{
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" ends at offset %" PRIu64 ", expected %" PRIu64,
                   f->name, end, expected);
}

/* It has become shorter since it was opened. */
static int
was_cut(const struct reader *f, struct err *err)
{
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", f->name);
    return ends_early(f, (uint64_t)st.st_size, f->in.len, err);
}

static int
read_at(void *from, uint64_t offset, void *to, size_t len, struct err *err)
{
    const struct reader *f = from;
    unsigned char *room = to;
    uint64_t end;
    ssize_t n;

    if (__builtin_add_overflow(offset, len, &end))
        end = UINT64_MAX;
    if (end > f->in.len)
        return ends_early(f, f->in.len, end, err);

    /* A signal, or the kernel's limit of 2 GiB, may end a read early. */
    for (; offset < end; offset += (uint64_t)n, room += n) {
        n = pread(f->fd, room, end - offset, (off_t)offset);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n < 0)
            return err_sys(err, errno,
                           "could not read \"%s\" at offset %" PRIu64, f->name,
                           offset);
        else if (n == 0)
            return was_cut(f, err);
    }
    return 0;
}

int
reader_open(struct reader **ret, int dir_fd, const char *name, struct err *err)
{
    cleanup_(reader_freep) struct reader *f = calloc(1, sizeof *f);
    struct stat st;
    int r;

    if (!f)
        return err_nomem(err);
    f->fd = -1;
    f->name = strdup(name);
    if (!f->name)
        return err_nomem(err);

    r = walk(&f->fd, dir_fd, name, err);
    if (r)
        return r;
    if (fstat(f->fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", name);
    r = judge(&st, name, err);
    if (r)
        return r;
    posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    f->in = (struct bytes_in){
        .from = f,
        .len = (uint64_t)st.st_size,
        .name = f->name,
        .read_at = read_at,
    };
    *ret = take(f);
    return 0;
}

struct reader *
reader_free(struct reader *f)
{
    if (!f)
        return NULL;
    fd_closep(&f->fd);
    free(f->name);
    free(f);
    return NULL;
}

const struct bytes_in *
reader_in(const struct reader *f)
{
    return &f->in;
}

static int
no_digest(const struct reader *f, struct err *err)
{
    return err_set(err, ERR_SYSTEM, "could not compute the SHA-256 of \"%s\"",
                   f->name);
}

static int
digest_all(struct reader *f, EVP_MD_CTX *digest, unsigned char *piece,
           struct err *err)
{
    uint64_t offset, left;
    size_t n;
    int r;

    for (offset = 0; offset < f->in.len; offset += n) {
        left = f->in.len - offset;
        n = left < DIGEST_PIECE ? left : DIGEST_PIECE;
        r = read_at(f, offset, piece, n, err);
        if (r)
            return r;
        if (!EVP_DigestUpdate(digest, piece, n))
            return no_digest(f, err);
    }
    return 0;
}

static EVP_MD_CTX *
digest_free(EVP_MD_CTX *digest)
{
    EVP_MD_CTX_free(digest);
    return NULL;
}
DEFINE_CLEANUP(EVP_MD_CTX *, digest_free)

int
reader_sha256(struct reader *f, unsigned char ret[32], struct err *err)
{
    cleanup_(digest_freep) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    cleanup_(freep) unsigned char *piece = malloc(DIGEST_PIECE);
    int r;

    if (!digest || !piece)
        return err_nomem(err);
    if (!EVP_DigestInit_ex(digest, EVP_sha256(), NULL))
        return no_digest(f, err);

    /* After a failed write-back the cache may be right and the disk wrong. */
    posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
    r = digest_all(f, digest, piece, err);
    if (r)
        return r;
    return EVP_DigestFinal_ex(digest, ret, NULL) ? 0 : no_digest(f, err);
}

int
reader_text(struct reader *f, size_t max, char **ret, size_t *ret_len,
            struct err *err)
{
    return bytes_in_text(&f->in, max, ret, ret_len, err);
}
