/* SPDX-License-Identifier: PostgreSQL */
#include "io/durable_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fd.h"

struct durable_file {
    struct bytes_out out;
    int dir_fd; /* borrowed */
    int fd;
    int committed;
    char *name;
    char *part;
    EVP_MD_CTX *sha256;
    size_t used; /* bytes in buffer, neither written nor digested */
    unsigned char buffer[BYTES_OUT_MIN_MAX];
};

static int
no_digest(const struct durable_file *f, struct err *err)
{
    return err_set(err, ERR_SYSTEM, "could not compute the SHA-256 of \"%s\"",
                   f->name);
}

/* ---- bytes ---- */

static int
flush(struct durable_file *f, struct err *err)
{
    size_t done = 0;
    ssize_t n;

    if (!EVP_DigestUpdate(f->sha256, f->buffer, f->used))
        return no_digest(f, err);
    while (done < f->used) {
        n = write(f->fd, f->buffer + done, f->used - done);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "could not write \"%s\"", f->part);
        done += n < 0 ? 0 : (size_t)n;
    }
    f->used = 0;
    return 0;
}

static int
out_reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    struct durable_file *f = to;

    assert(min <= sizeof f->buffer);
    if (sizeof f->buffer - f->used < min && flush(f, err))
        return -1;
    *room = f->buffer + f->used;
    return 0;
}

static int
out_advance(void *to, size_t n, struct err *err)
{
    struct durable_file *f = to;

    (void)err;
    assert(n <= sizeof f->buffer - f->used);
    f->used += n;
    return 0;
}

const struct bytes_out *
durable_file_out(struct durable_file *f)
{
    return &f->out;
}

int
durable_file_fd(const struct durable_file *f)
{
    return f->fd;
}

/* ---- from the part to the file ---- */

/* One that a crash has left is removed, not opened: it may be a link. */
static int
create_part(struct durable_file *f, struct err *err)
{
    if (unlinkat(f->dir_fd, f->part, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "could not remove \"%s\"", f->part);
    f->fd = openat(f->dir_fd, f->part,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", f->part);
    return 0;
}

int
durable_file_open(struct durable_file **ret, int dir_fd, const char *name,
                  struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *f = NULL;
    int r;

    assert(!strchr(name, '/'));
    f = malloc(sizeof *f); /* not touched before it is used */
    if (!f)
        return err_nomem(err);
    f->out = (struct bytes_out){f, out_reserve, out_advance};
    f->dir_fd = dir_fd;
    f->fd = -1;
    f->committed = 0;
    f->used = 0;
    f->name = strdup(name);
    if (asprintf(&f->part, "%s.part", name) < 0)
        f->part = NULL;
    f->sha256 = EVP_MD_CTX_new();
    if (!f->name || !f->part || !f->sha256)
        return err_nomem(err);
    if (!EVP_DigestInit_ex(f->sha256, EVP_sha256(), NULL))
        return no_digest(f, err);
    r = create_part(f, err);
    if (!r)
        *ret = take(f);
    return r;
}

static int
publish(struct durable_file *f, struct err *err)
{
    if (fdatasync(f->fd) < 0)
        return err_sys(err, errno, "could not sync \"%s\"", f->part);
    if (renameat(f->dir_fd, f->part, f->dir_fd, f->name) < 0)
        return err_sys(err, errno, "could not rename \"%s\" to \"%s\"", f->part,
                       f->name);
    f->committed = 1;
    if (fsync(f->dir_fd) == 0)
        return 0;
    err_sys(err, errno, "could not sync the directory of \"%s\"", f->name);
    /* Taken back: it may not last, and whoever sees it would trust it. */
    unlinkat(f->dir_fd, f->name, 0);
    return -1;
}

int
durable_file_commit(struct durable_file *f, unsigned char ret_sha256[32],
                    struct err *err)
{
    unsigned char sha256[32];
    int r;

    assert(!f->committed);
    r = flush(f, err);
    if (!r && !EVP_DigestFinal_ex(f->sha256, sha256, NULL))
        r = no_digest(f, err);
    if (!r)
        r = publish(f, err);
    if (!r && ret_sha256)
        memcpy(ret_sha256, sha256, sizeof sha256);
    return r;
}

struct durable_file *
durable_file_free(struct durable_file *f)
{
    if (!f)
        return NULL;
    if (f->fd >= 0 && !f->committed)
        unlinkat(f->dir_fd, f->part, 0);
    fd_closep(&f->fd);
    EVP_MD_CTX_free(f->sha256);
    free(f->name);
    free(f->part);
    free(f);
    return NULL;
}
