/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/tool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "loader/bag/document.h"

enum { PIECE = 64 << 10 };

/* The folder below data/; both are ours and private. */
static int
open_folder(int *ret_fd, const struct tool_file *f, struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(f->dir), "data", 1, err);
    if (r)
        return r;
    if (f->folder)
        return dir_open_private(ret_fd, data_fd, f->folder, 1, err);
    *ret_fd = fd_take(&data_fd);
    return 0;
}

/* The programs say that the disk is full in words only. */
static int
explain(const struct tool_file *f, int fd, struct err *err)
{
    enum { SOME = 4096 };
    off_t end = lseek(fd, 0, SEEK_END);
    struct err said = *err;

    if ((err->class != ERR_SERVER && err->class != ERR_SYSTEM) || end < 0 ||
        fallocate(fd, 0, end, SOME) == 0 || errno != ENOSPC)
        return -1;
    err_sys(err, ENOSPC, "could not write \"%s.part\"", f->name);
    return err_detail(err, "%s", said.detail);
}

/* ---- encrypted ---- */

static int
copy_into(const struct bytes_out *out, int fd, struct err *err)
{
    unsigned char *room;
    off_t at = 0;
    ssize_t n;
    int r;

    for (;; at += n) {
        r = out->reserve(out->to, PIECE, &room, err);
        if (r)
            return r;
        n = pread(fd, room, PIECE, at);
        if (n < 0)
            return err_sys(err, errno, "could not read from memory");
        if (n == 0)
            return 0;
        r = out->advance(out->to, (size_t)n, err);
        if (r)
            return r;
    }
}

static int
write_document(const struct tool_file *f, int fd, struct err *err)
{
    cleanup_(document_freep) struct document *d = NULL;
    cleanup_(fd_closep) int dir_fd = -1;
    int r;

    r = open_folder(&dir_fd, f, err);
    if (!r)
        r = document_open(&d, dir_fd, f->name, f->to, err);
    if (!r)
        r = copy_into(document_out(d), fd, err);
    return r ? r : document_commit(d, NULL, err);
}

int
tool_file_encrypt(const struct tool_file *f, struct tool_params *p, int *ret_fd,
                  struct err *err)
{
    /* Not close-on-exec: a child opens it by its number. */
    cleanup_(fd_closep) int fd = memfd_create("pghaul-tool", 0);
    int r;

    if (fd < 0)
        return err_sys(err, errno, "could not make a file in memory");
    p->stdout_fd = fd;
    r = tool_run(p, err);
    if (!r)
        r = write_document(f, fd, err);
    if (!r)
        *ret_fd = fd_take(&fd);
    return r;
}

/* ---- as it is ---- */

int
tool_file_write(const struct tool_file *f, struct tool_params *p,
                struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(fd_closep) int dir_fd = -1;
    cleanup_(fd_closep) int plain_fd = -1;
    int r;

    if (f->to)
        return tool_file_encrypt(f, p, &plain_fd, err);
    r = open_folder(&dir_fd, f, err);
    if (!r)
        r = durable_file_open(&file, dir_fd, f->name, err);
    if (r)
        return r;
    p->stdout_fd = durable_file_fd(file);
    r = tool_run(p, err);
    return r ? explain(f, p->stdout_fd, err)
             : durable_file_commit(file, NULL, err);
}
