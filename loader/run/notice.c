/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/reader.h"

enum { FILE_MAX = 64 << 10, PART_SIZE = 64 };

static int
write_part(int at, const char *part, const json_t *o, struct err *err)
{
    cleanup_(fd_closep) int fd = openat(
        at, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", part);
    if (json_dumpfd(o, fd, JSON_INDENT(2)))
        return err_sys(err, errno, "could not write \"%s\"", part);
    return 0;
}

int
notice_write(const struct run_dir *dir, const char *name, json_t *o,
             struct err *err)
{
    int at = run_dir_fd(dir), r;
    char part[PART_SIZE];

    if (!o)
        return err_nomem(err);
    snprintf(part, sizeof part, "%s.part", name);
    r = write_part(at, part, o, err);
    json_decref(o);
    if (!r && renameat(at, part, at, name) < 0)
        r = err_sys(err, errno, "could not rename \"%s\"", part);
    return r;
}

int
notice_read(const struct run_dir *dir, const char *name, struct manifest **ret,
            struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    cleanup_(freep) char *text = NULL;
    size_t len;
    int r;

    r = reader_open(&file, run_dir_fd(dir), name, err);
    if (r)
        return err->sys == ENOENT ? NOTICE_E_NONE : r;
    r = reader_text(file, FILE_MAX, &text, &len, err);
    return r ? r : manifest_parse(ret, name, text, len, err);
}

int
notice_exists(const struct run_dir *dir, const char *name)
{
    return faccessat(run_dir_fd(dir), name, F_OK, 0) == 0;
}

void
notice_remove(const struct run_dir *dir, const char *name)
{
    unlinkat(run_dir_fd(dir), name, 0);
}
