/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/schema_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loader/pg/tool.h"

#define PART "data/schema.dump.part"
#define NAME "data/schema.dump"

/* Bytes first, then the name, then the directory that holds it. */
static int
make_durable(const struct run_dir *dir, int fd, struct err *err)
{
    int at = run_dir_fd(dir), data, r;

    if (fdatasync(fd) < 0)
        return err_sys(err, errno, "could not sync \"%s\"", PART);
    if (renameat(at, PART, at, NAME) < 0)
        return err_sys(err, errno, "could not rename \"%s\"", PART);
    data = openat(at, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0)
        return err_sys(err, errno, "could not open \"data\"");
    r = fsync(data);
    close(data);
    return r < 0 ? err_sys(err, errno, "could not sync \"data\"") : 0;
}

int
schema_dump(const struct run_dir *dir, const char *conninfo, int version,
            const char *snapshot, const struct stop *stop, struct err *err)
{
    /* Sections, not --schema-only: that would leave out the refreshing of
       materialized views.  The ledger is ours and stays where it is. */
    const char *const args[] = {
        "--format=custom",
        "--section=pre-data",
        "--section=post-data",
        "--no-publications",
        "--no-subscriptions",
        "--exclude-schema=pghaul",
        "--snapshot",
        snapshot,
        NULL,
    };
    struct tool_params p = {.args = args, .conninfo = conninfo, .stop = stop};
    char *path = NULL;
    int r;

    r = tool_find(&path, "pg_dump", version / 10000, err);
    if (r)
        return r;
    p.path = path;
    p.stdout_fd =
        openat(run_dir_fd(dir), PART,
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p.stdout_fd < 0) {
        r = err_sys(err, errno, "could not create \"%s\"", PART);
    } else {
        r = tool_run(&p, err);
        if (!r)
            r = make_durable(dir, p.stdout_fd, err);
        close(p.stdout_fd);
    }
    free(path);
    return r;
}
