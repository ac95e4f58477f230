/* SPDX-License-Identifier: PostgreSQL */
#include "io/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "io/fd.h"

/*
 * "link/" and "link/." go through the link whatever O_NOFOLLOW says, because
 * then it is not the last component.
 */
static void
trim(char *path)
{
    size_t n = strlen(path);

    while (n > 1 &&
           (path[n - 1] == '/' || (path[n - 1] == '.' && path[n - 2] == '/')))
        n--;
    path[n] = '\0';
}

/* What stands at path, link or not, and nothing of it is opened yet. */
static int
find(int at_fd, const char *path)
{
    return openat(at_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Somebody else may make it first: then it is judged like any other. */
static int
make(int at_fd, const char *path, bool *made, struct err *err)
{
    *made = mkdirat(at_fd, path, 0700) == 0;
    if (!*made && errno != EEXIST)
        return err_sys(err, errno, "could not create directory \"%s\"", path);
    return 0;
}

static int
judge(const struct stat *st, const char *path, struct err *err)
{
    if (S_ISLNK(st->st_mode)) {
        err_set(err, ERR_REFUSED, "\"%s\" is a symbolic link", path);
        return err_hint(err, "Give the directory that it points to.");
    }
    if (!S_ISDIR(st->st_mode)) {
        err_set(err, ERR_USAGE, "\"%s\" is not a directory", path);
        return err_hint(err, "Give the name of a directory.");
    }
    if (st->st_uid != geteuid()) {
        err_set(err, ERR_REFUSED, "directory \"%s\" belongs to another user",
                path);
        err_detail(err, "Its owner is user id %u, this program runs as %u.",
                   (unsigned)st->st_uid, (unsigned)geteuid());
        return err_hint(err, "Run as its owner, or give a directory that "
                             "belongs to you.");
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        err_set(err, ERR_REFUSED, "directory \"%s\" is writable by others",
                path);
        err_detail(err, "Its mode is %04o.", st->st_mode & 07777u);
        return err_hint(err, "Take the permission away with \"chmod go-w\".");
    }
    return 0;
}

/* The name in the parent is durable only when the parent is. */
static int
sync_parent(int fd, const char *path, struct err *err)
{
    cleanup_(fd_closep) int parent_fd =
        openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (parent_fd < 0)
        return err_sys(err, errno, "could not open the parent of \"%s\"", path);
    if (fsync(parent_fd) < 0)
        return err_sys(err, errno, "could not sync the parent of \"%s\"", path);
    return 0;
}

/*
 * Judged first and opened then, through the same descriptor: what path names
 * in between does not matter.
 */
static int
open_judged(int *ret_fd, int found_fd, const char *path, struct err *err)
{
    struct stat st;
    int r;

    if (fstat(found_fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", path);
    r = judge(&st, path, err);
    if (r)
        return r;

    *ret_fd = openat(found_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return err_sys(err, errno, "could not open directory \"%s\"", path);
    return 0;
}

int
dir_open_private(int *ret_fd, int at_fd, const char *path, int create,
                 struct err *err)
{
    cleanup_(freep) char *trimmed = strdup(path);
    cleanup_(fd_closep) int found_fd = -1;
    cleanup_(fd_closep) int fd = -1;
    bool made = false;
    int r;

    if (!trimmed)
        return err_nomem(err);
    trim(trimmed);

    found_fd = find(at_fd, trimmed);
    if (found_fd < 0 && errno == ENOENT) {
        if (!create)
            return DIR_E_MISSING;
        r = make(at_fd, trimmed, &made, err);
        if (r)
            return r;
        found_fd = find(at_fd, trimmed);
    }
    if (found_fd < 0)
        return err_sys(err, errno, "could not open directory \"%s\"", path);

    r = open_judged(&fd, found_fd, path, err);
    if (r)
        return r;
    if (made) {
        r = sync_parent(fd, path, err);
        if (r)
            return r;
    }

    *ret_fd = fd_take(&fd);
    return 0;
}

int
dir_remove(int dir_fd, const char *name, struct err *err)
{
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "could not remove \"%s\"", name);
    return 0;
}

static DIR *
stream_close(DIR *stream)
{
    closedir(stream);
    return NULL;
}
DEFINE_CLEANUP(DIR *, stream_close)

/* A dup of dir_fd would share its place with every other reader of it. */
static DIR *
open_stream(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream)
        fd_closep(&fd);
    return stream;
}

int
dir_each(int dir_fd, int (*visit)(void *arg, const char *name), void *arg,
         struct err *err)
{
    cleanup_(stream_closep) DIR *stream = open_stream(dir_fd);
    const struct dirent *entry;
    int r;

    if (!stream)
        return err_sys(err, errno, "could not open a directory to list it");
    for (;;) {
        errno = 0;
        entry = readdir(stream);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        r = visit(arg, entry->d_name);
        if (r)
            return r;
    }
    return errno ? err_sys(err, errno, "could not list a directory") : 0;
}
