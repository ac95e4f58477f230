/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/schema_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"
#include "loader/catalog/ledger_mark.h"
#include "loader/pg/tool.h"
#include "loader/source/plan/left_out.h"
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

/* Our words and those for what is left out, as one list; NULL: no memory. */
static const char **
join_words(const char *const *ours, const struct left_out_options *others)
{
    const char **words;
    size_t n = 0;

    while (ours[n])
        n++;
    words = calloc(n + others->n + 1, sizeof *words);
    if (!words)
        return NULL;
    memcpy(words, ours, n * sizeof *words);
    if (others->n > 0)
        memcpy(words + n, others->words, others->n * sizeof *words);
    return words;
}

/* What pg_dump is asked for. */
struct dump {
    const char *tool; /* its path */
    const char *const *words;
    int *ret_fd; /* for what is encrypted: see schema_dump(); or NULL */
};

enum { WORDS_MAX = 16 };

static int
run_tool(const struct run_dir *dir, const struct schema_dump_params *p,
         const struct dump *dump, const char **words, struct err *err)
{
    const struct tool_file file = {
        .dir = dir, .name = p->file, .to = p->recipients};
    struct tool_params tool = {.path = dump->tool,
                               .args = words,
                               .conninfo = p->conninfo,
                               .stop = p->stop};

    return p->recipients && dump->ret_fd
               ? tool_file_encrypt(&file, &tool, dump->ret_fd, err)
               : tool_file_write(&file, &tool, err);
}

/* The encoding, since PGCLIENTENCODING and the role's settings would choose
   another than the load expects.  The limit, since who waits for a stronger
   lock than ours waits for us, and pg_dump would wait for him. */
static int
run_dump(const struct run_dir *dir, const struct schema_dump_params *p,
         const struct dump *dump, struct err *err)
{
    struct left_out_options left_out = {0};
    cleanup_(freep) char *excluded = NULL;
    cleanup_(freep) char *encoding = NULL;
    cleanup_(freep) const char **words = NULL;
    const char *ours[WORDS_MAX];
    unsigned n = 0;
    int r;

    r = exclude_ledgers(&excluded, p->session, err);
    if (!r)
        r = left_out_dump_options(p->selection, p->session, &left_out, err);
    if (!r &&
        asprintf(&encoding, "--encoding=%s", session_encoding(p->session)) < 0)
        r = err_nomem(err);
    for (const char *const *w = dump->words; *w; w++)
        ours[n++] = *w;
    ours[n++] = "--format=custom";
    ours[n++] = "--lock-wait-timeout=30s";
    ours[n++] = encoding;
    ours[n++] = "--snapshot";
    ours[n++] = p->snapshot;
    ours[n++] = excluded;
    ours[n] = NULL;
    words = r ? NULL : join_words(ours, &left_out);
    if (!r)
        r = words ? run_tool(dir, p, dump, words, err) : err_nomem(err);
    left_out_options_clear(&left_out);
    return r;
}

/* Sections, not --schema-only: that would leave out the refreshing of
   materialized views. */
int
schema_dump(const struct run_dir *dir, const struct schema_dump_params *p,
            int *ret_fd, struct err *err)
{
    const char *const words[] = {
        "--section=pre-data",
        "--section=post-data",
        "--no-subscriptions",
        "--no-blobs", /* their metadata are ours: they are rows */
        p->publications ? NULL : "--no-publications",
        NULL,
    };
    struct dump dump = {.words = words, .ret_fd = ret_fd};
    cleanup_(freep) char *path = NULL;
    int r;

    r = tool_find_for_schema(&path, "pg_dump",
                             session_server_version(p->session) / 10000, err);
    dump.tool = path;
    return r ? r : run_dump(dir, p, &dump, err);
}

int
schema_dump_statistics(const struct run_dir *dir,
                       const struct schema_dump_params *p, int *ret_done,
                       struct err *err)
{
    static const char *const words[] = {"--statistics-only", NULL};
    int major = session_server_version(p->session) / 10000;
    struct dump dump = {.words = words};
    cleanup_(freep) char *path = NULL;
    struct err ignored;

    if (major < TOOL_KNOWS_STATISTICS)
        major = TOOL_KNOWS_STATISTICS;
    *ret_done = tool_find(&path, "pg_dump", major, &ignored) == 0;
    dump.tool = path;
    return *ret_done ? run_dump(dir, p, &dump, err) : 0;
}
