/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/schema_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "loader/pg/tool.h"
#include "loader/run/ledger_mark.h"

static const char NAME[] = "schema.dump";

/*
 * An option that leaves out the ledgers of earlier loads, whatever they are
 * called; NULL when there is none.  A user's schema of the same name stays.
 */
static int
exclude_ledgers(char **ret, struct session *s, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    *ret = NULL;
    r = session_query(
        s,
        "SELECT pg_catalog.string_agg("
        "  '\"' || pg_catalog.replace(nspname, '\"', '\"\"') || '\"', '|')"
        " FROM pg_catalog.pg_namespace"
        " WHERE pg_catalog.obj_description(oid, 'pg_namespace')"
        "   = '" LEDGER_MARK "'",
        &res, err);
    if (r || PQgetisnull(res, 0, 0))
        return r;
    return asprintf(ret, "--exclude-schema=%s", PQgetvalue(res, 0, 0)) < 0
               ? err_nomem(err)
               : 0;
}

/* pg_dump says that the disk is full in words only. */
static int
explain(int fd, struct err *err)
{
    enum { SOME = 4096 };
    off_t end = lseek(fd, 0, SEEK_END);
    struct err said = *err;

    if (err->class != ERR_SERVER || end < 0 ||
        fallocate(fd, 0, end, SOME) == 0 || errno != ENOSPC)
        return -1;
    err_sys(err, ENOSPC, "could not write \"%s.part\"", NAME);
    return err_detail(err, "%s", said.detail);
}

/* Into a file that gets its name when all of it is on disk. */
static int
run_into_file(const struct run_dir *dir, struct tool_params *p, struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 1, err);
    if (!r)
        r = durable_file_open(&file, data_fd, NAME, err);
    if (r)
        return r;
    p->stdout_fd = durable_file_fd(file);
    r = tool_run(p, err);
    return r ? explain(p->stdout_fd, err)
             : durable_file_commit(file, NULL, err);
}

int
schema_dump(const struct run_dir *dir, const char *conninfo, struct session *s,
            const char *snapshot, const struct stop *stop, struct err *err)
{
    struct tool_params p = {.conninfo = conninfo, .stop = stop};
    cleanup_(freep) char *path = NULL;
    cleanup_(freep) char *excluded = NULL;
    cleanup_(freep) char *encoding = NULL;
    int r;

    r = tool_find(&path, "pg_dump", session_server_version(s) / 10000, err);
    if (!r)
        r = exclude_ledgers(&excluded, s, err);
    if (!r && asprintf(&encoding, "--encoding=%s", session_encoding(s)) < 0)
        r = err_nomem(err);
    if (r)
        return r;

    /* Sections, not --schema-only: that would leave out the refreshing of
       materialized views.  The encoding, since PGCLIENTENCODING and the
       role's settings would choose another than the load expects.  The limit,
       since who waits for a stronger lock than ours waits for us, and pg_dump
       would wait for him. */
    p.path = path;
    p.args = (const char *const[]){
        "--format=custom",
        "--section=pre-data",
        "--section=post-data",
        "--no-publications",
        "--no-subscriptions",
        "--lock-wait-timeout=30s",
        encoding,
        "--snapshot",
        snapshot,
        excluded,
        NULL,
    };
    return run_into_file(dir, &p, err);
}
