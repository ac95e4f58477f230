/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/schema_dump.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/cleanup.h"
#include "loader/pg/tool.h"
#include "loader/run/ledger_mark.h"
#include "loader/source/tool_file.h"

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

int
schema_dump(const struct run_dir *dir, const char *conninfo, struct session *s,
            const char *snapshot, const struct stop *stop, struct err *err)
{
    const struct tool_file file = {.dir = dir, .name = "schema.dump"};
    struct tool_params p = {.conninfo = conninfo, .stop = stop};
    cleanup_(freep) char *path = NULL;
    cleanup_(freep) char *excluded = NULL;
    cleanup_(freep) char *encoding = NULL;
    int r;

    r = tool_find_for_schema(&path, "pg_dump",
                             session_server_version(s) / 10000, err);
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
        "--no-blobs", /* their metadata are ours: they are rows */
        "--lock-wait-timeout=30s",
        encoding,
        "--snapshot",
        snapshot,
        excluded,
        NULL,
    };
    return tool_file_write(&file, &p, err);
}
