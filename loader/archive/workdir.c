/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "io/reader.h"

enum { DOCUMENT_MAX = 1 << 30 };

struct workdir {
    char *path;
    int fd;
    int is_temporary;
};

/* ---- removing it ---- */

static int
remove_name(void *arg, const char *name)
{
    int at_fd = *(int *)arg;
    cleanup_(fd_closep) int fd = -1;
    struct err ignored;

    if (unlinkat(at_fd, name, 0) == 0)
        return 0;
    fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        dir_each(fd, remove_name, &fd, &ignored);
    unlinkat(at_fd, name, AT_REMOVEDIR);
    return 0;
}

struct workdir *
workdir_free(struct workdir *w)
{
    struct err ignored;

    if (!w)
        return NULL;
    if (w->is_temporary && w->fd >= 0) {
        dir_each(w->fd, remove_name, &w->fd, &ignored);
        rmdir(w->path);
    }
    fd_closep(&w->fd);
    free(w->path);
    free(w);
    return NULL;
}

/* ---- making it ---- */

static int
make_temporary(struct workdir *w, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    if (asprintf(&w->path, "%s/pghaul-XXXXXX", tmp && *tmp ? tmp : "/tmp") <
        0) {
        w->path = NULL;
        return err_nomem(err);
    }
    if (!mkdtemp(w->path))
        return err_sys(err, errno, "could not create a directory \"%s\"",
                       w->path);
    w->is_temporary = 1;
    return dir_open_private(&w->fd, AT_FDCWD, w->path, 0, err);
}

static int
make_named(struct workdir *w, const char *path, struct err *err)
{
    w->path = strdup(path);
    return w->path ? dir_open_private(&w->fd, AT_FDCWD, path, 1, err)
                   : err_nomem(err);
}

/* ---- filling it ---- */

static int
append(void *arg, const void *data, size_t len, struct err *err)
{
    return bytes_out_append(arg, data, len, err);
}

static int
write_text(int dir_fd, const char *name, const char *text, size_t len,
           struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    int r = durable_file_open(&file, dir_fd, name, err);

    if (!r)
        r = bytes_out_append(durable_file_out(file), text, len, err);
    return r ? r : durable_file_commit(file, NULL, err);
}

/* "data", or "data/schema": tar_is_plain_path() has seen the path. */
static int
open_parent(const struct workdir *w, const char *path, int *ret_fd,
            const char **ret_name, struct err *err)
{
    cleanup_(freep) char *copy = strdup(path);
    cleanup_(fd_closep) int fd = -1, below = -1;
    char *rest = copy, *name;
    int r;

    if (!copy)
        return err_nomem(err);
    for (name = strsep(&rest, "/"); rest; name = strsep(&rest, "/")) {
        r = dir_open_private(&below, fd < 0 ? w->fd : fd, name, 1, err);
        if (r)
            return r;
        fd_closep(&fd);
        fd = fd_take(&below);
    }
    *ret_fd = fd_take(&fd);
    *ret_name = path + (name - copy);
    return 0;
}

static int
unpack(const struct workdir *w, struct archive_in *a,
       const struct archive_member *m, struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(fd_closep) int fd = -1;
    const char *name = NULL;
    int r;

    if (m->len > DOCUMENT_MAX)
        return err_set(err, ERR_CORRUPT, "\"%s\" is too large", m->path);
    r = open_parent(w, m->path, &fd, &name, err);
    if (!r)
        r = durable_file_open(&file, fd, name, err);
    if (!r)
        r = archive_in_take(a, append, (void *)durable_file_out(file), err);
    return r ? r : durable_file_commit(file, NULL, err);
}

static int
unpack_tags(const struct workdir *w, const struct archive_in *a,
            struct err *err)
{
    const char *text;
    size_t len;
    int r = 0;

    for (unsigned i = 0; i < ARCHIVE_N_TAGS && !r; i++) {
        text = archive_in_tag(a, i, &len);
        r = write_text(w->fd, archive_tags[i], text, len, err);
    }
    return r;
}

static int
unpack_documents(const struct workdir *w, struct archive_in *a, struct err *err)
{
    const struct archive_member *m;
    int r = 0;

    while (!r && (m = archive_in_peek(a)) && m->kind == ARCHIVE_DOCUMENT) {
        r = archive_in_next(a, &m, err);
        if (!r)
            r = unpack(w, a, m, err);
    }
    return r;
}

/* An earlier call's: then its list of tags is this archive's. */
static int
check_named(const struct workdir *w, const struct archive_in *a,
            struct err *err)
{
    const char *name = archive_tags[ARCHIVE_TAG_MANIFEST];
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char sha256[32];
    int r;

    if (faccessat(w->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        if (faccessat(w->fd, "run.db", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
    } else {
        r = reader_open(&file, w->fd, name, err);
        if (!r)
            r = reader_sha256(file, sha256, err);
        if (r || memcmp(sha256, archive_in_bag(a), 32) == 0)
            return r;
    }
    err_set(err, ERR_REFUSED, "\"%s\" is of another run than the archive",
            w->path);
    return err_hint(err, "Name a directory that is empty or does not exist "
                         "yet.");
}

int
workdir_open(struct workdir **ret, struct archive_in *a, const char *path,
             struct err *err)
{
    cleanup_(workdir_freep) struct workdir *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return err_nomem(err);
    w->fd = -1;
    r = path ? make_named(w, path, err) : make_temporary(w, err);
    if (!r && path)
        r = check_named(w, a, err);
    if (!r)
        r = unpack_documents(w, a, err);
    if (!r)
        r = unpack_tags(w, a, err);
    if (!r)
        *ret = take(w);
    return r;
}

const char *
workdir_path(const struct workdir *w)
{
    return w->path;
}
