/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "io/fd.h"
#include "io/store/store_kinds.h"

/* ---- reading ---- */

struct file_in {
    struct store_in store;
    int fd;
    char *name;
};

static int
file_read(struct store_in *store, uint64_t offset, void *to, size_t len,
          size_t *ret_n, struct err *err)
{
    struct file_in *s = (struct file_in *)store;
    unsigned char *room = to;
    ssize_t n;

    *ret_n = 0;
    if (offset >= s->store.len)
        return 0;
    while (*ret_n < len) {
        n = pread(s->fd, room + *ret_n, len - *ret_n, (off_t)(offset + *ret_n));
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno,
                           "could not read \"%s\" at offset %" PRIu64, s->name,
                           offset + *ret_n);
        *ret_n += n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

static struct store_in *
file_in_free(struct store_in *store)
{
    struct file_in *s = (struct file_in *)store;

    fd_closep(&s->fd);
    free(s->name);
    free(s);
    return NULL;
}

static const struct store_in_ops in_ops = {file_read, file_in_free};

int
store_file_in(struct store_in **ret, const char *path, struct err *err)
{
    cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct file_in *s;
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return STORE_E_MISSING;
    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_USAGE, "\"%s\" is a directory", path);
    if (!S_ISREG(st.st_mode))
        return store_pipe_in(ret, fd_take(&fd), path, err);

    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->fd = -1;
    s->name = strdup(path);
    s->store = (struct store_in){&in_ops, s->name, (uint64_t)st.st_size, 0};
    if (!s->name) {
        file_in_free(&s->store);
        return err_nomem(err);
    }
    s->fd = fd_take(&fd);
    *ret = &s->store;
    return 0;
}

/* ---- writing ---- */

struct file_out {
    struct store_out store;
    char *path;
    char *part; /* "<path>.part" */
    char *dir;
    int fd;
    int replace;
    int committed;
};

static struct store_out *
file_out_free(struct store_out *store)
{
    struct file_out *s = (struct file_out *)store;

    if (s->fd >= 0 && !s->committed)
        unlink(s->part);
    fd_closep(&s->fd);
    free(s->path);
    free(s->part);
    free(s->dir);
    free(s);
    return NULL;
}

static int
file_append(struct store_out *store, const void *data, size_t len,
            struct err *err)
{
    struct file_out *s = (struct file_out *)store;

    return store_write(s->fd, s->part, data, len, err);
}

static int
sync_dir(const struct file_out *s, struct err *err)
{
    cleanup_(fd_closep) int fd =
        open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && fsync(fd) == 0)
        return 0;
    return err_sys(err, errno, "could not sync the directory \"%s\"", s->dir);
}

/* Never over what is there, also where the file system cannot promise it in
   one step: link(2) can. */
static int
give_name(struct file_out *s, struct err *err)
{
    int r = renameat2(AT_FDCWD, s->part, AT_FDCWD, s->path,
                      s->replace ? 0 : RENAME_NOREPLACE);

    if (r < 0 && errno == EINVAL && !s->replace) {
        r = link(s->part, s->path);
        if (r == 0)
            unlink(s->part);
    }
    if (r == 0)
        return 0;
    if (errno == EEXIST)
        return STORE_E_EXISTS;
    return err_sys(err, errno, "could not rename \"%s\" to \"%s\"", s->part,
                   s->path);
}

static int
file_commit(struct store_out *store, struct err *err)
{
    struct file_out *s = (struct file_out *)store;
    int r;

    if (fdatasync(s->fd) < 0)
        return err_sys(err, errno, "could not sync \"%s\"", s->part);
    r = give_name(s, err);
    if (r)
        return r;
    s->committed = 1;
    return sync_dir(s, err);
}

static const struct store_out_ops out_ops = {file_append, file_commit,
                                             file_out_free};

/*
 * What a crash has left is written over, but not what another process writes
 * now: it holds the lock for as long as it has the file open.
 */
static int
open_part(struct file_out *s, struct err *err)
{
    struct stat st, named;

    s->fd = -1;
    cleanup_(fd_closep) int fd = open(
        s->part, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);

    if (fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", s->part);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        err_set(err, ERR_REFUSED, "\"%s\" is being written by another process",
                s->path);
        return err_hint(err, "Wait for it, or give another name.");
    }
    if (fstat(fd, &st) < 0 || lstat(s->part, &named) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", s->part);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() ||
        st.st_ino != named.st_ino || st.st_dev != named.st_dev)
        return err_set(err, ERR_REFUSED, "\"%s\" is not a file of our own",
                       s->part);
    if (ftruncate(fd, 0) < 0 || fchmod(fd, 0600) < 0)
        return err_sys(err, errno, "could not empty \"%s\"", s->part);
    s->fd = fd_take(&fd);
    return 0;
}

/* Into what is there and no regular file, without ado. */
static int
open_device(struct store_out **ret, const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    return store_pipe_out(ret, fd, path, err);
}

static int
prepare(struct file_out *s, const struct store_out_params *p, struct err *err)
{
    char *copy = strdup(p->where);

    s->fd = -1;
    s->replace = p->replace;
    s->path = strdup(p->where);
    s->dir = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    if (asprintf(&s->part, "%s.part", p->where) < 0)
        s->part = NULL;
    s->store = (struct store_out){&out_ops, s->path};
    if (!s->path || !s->dir || !s->part)
        return err_nomem(err);
    return open_part(s, err);
}

int
store_file_out(struct store_out **ret, const struct store_out_params *p,
               struct err *err)
{
    struct file_out *s;
    struct stat st;
    int r;

    if (stat(p->where, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return err_set(err, ERR_USAGE, "\"%s\" is a directory", p->where);
        if (!S_ISREG(st.st_mode))
            return open_device(ret, p->where, err);
        if (!p->replace)
            return STORE_E_EXISTS;
    }
    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    r = prepare(s, p, err);
    if (r)
        file_out_free(&s->store);
    else
        *ret = &s->store;
    return r;
}

int
store_file_remove(const char *path, struct err *err)
{
    if (unlink(path) == 0)
        return 0;
    if (errno == ENOENT)
        return STORE_E_MISSING;
    return err_sys(err, errno, "could not remove \"%s\"", path);
}
