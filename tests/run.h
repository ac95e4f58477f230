/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A run directory of a test's own, with an open catalogue in it.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/catalog/catalog.h"
#include "loader/catalog/catalog_db.h"
#include "loader/run/run_dir.h"

static char path[] = "/tmp/run.XXXXXX";
static struct run_dir *dir;
static struct catalog *c;
static struct err err;

/* Shows the message of what should have succeeded. */
#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)
#define none(r) cr_assert_eq((r), CATALOG_E_NONE)

static inline void
run_open(enum run_dir_mode mode)
{
    ok(run_dir_open(&dir, path, mode, &err));
    ok(catalog_open(&c, dir, mode == RUN_DIR_CREATE, &err));
}

static inline void
run_close(void)
{
    c = catalog_free(c);
    dir = run_dir_free(dir);
}

static inline void
run_set_up(void)
{
    cr_assert(mkdtemp(path));
    run_open(RUN_DIR_CREATE);
}

static inline void
run_tear_down(void)
{
    char command[64];

    run_close();
    snprintf(command, sizeof command, "rm -rf %s", path);
    cr_assert_eq(system(command), 0);
}

/* What the catalogue's file says, past the catalogue. */
static inline int64_t
run_number(const char *sql)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;

    ok(catalog_db_query(c, &err, &q, SQL(sql)));
    return sqlite3_column_int64(q, 0);
}

/* ---- short ways to put things in ---- */

static inline uint64_t
run_add_table(const char *name, uint64_t n_bytes)
{
    struct catalog_column columns[] = {{"id", "bigint"}, {"v", "text"}};
    struct catalog_table t = {
        .oid = 16384,
        .schema = "public",
        .name = (char *)name,
        .format = COPY_BINARY,
        .n_bytes = n_bytes,
        .n_columns = 2,
        .columns = columns,
    };

    ok(catalog_add_table(c, &t, &err));
    return t.id;
}

/* A partition that is loaded through a root. */
static inline uint64_t
run_add_leaf(const char *name, const char *root)
{
    struct catalog_table t = {
        .schema = "public",
        .name = (char *)name,
        .root_schema = "public",
        .root_name = (char *)root,
    };

    ok(catalog_add_table(c, &t, &err));
    return t.id;
}

static inline uint64_t
run_add_chunk(uint64_t table, uint64_t n_bytes)
{
    struct catalog_chunk k = {.hi = CATALOG_OPEN_END, .n_bytes = n_bytes};

    ok(catalog_add_chunk(c, table, &k, &err));
    return k.id;
}

static inline void
run_stage(uint64_t chunk)
{
    char file[64];
    struct catalog_chunk k = {
        .id = chunk,
        .file = file,
        .file_len = 100,
        .sha256 = {1, 2, 3},
        .totals = {.digest = {.n_rows = 10, .sum_lo = chunk},
                   .raw_len = 1000,
                   .n_frames = 3},
    };

    snprintf(file, sizeof file, "tables/1-t/%d.text.lz4", (int)chunk);
    ok(catalog_chunk_staged(c, &k, &err));
}

static inline void
run_add_entry(int64_t id, unsigned order, uint64_t table)
{
    struct catalog_entry e = {
        .id = id,
        .order = order,
        .type = "INDEX",
        .schema = "public",
        .name = "i",
        .sql = "CREATE INDEX i ON t (v);",
        .table = table,
    };

    ok(catalog_add_entry(c, &e, &err));
}

/* ---- ...and to take them out; 0: there is none ---- */

static inline uint64_t
run_take_to_export(void)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r = catalog_take_to_export(c, &k, &err);

    cr_assert(r == 0 || r == CATALOG_E_NONE, "%s", err.message);
    return r ? 0 : k->id;
}

static inline uint64_t
run_take_to_load(unsigned max_per_table)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r = catalog_take_to_load(c, max_per_table, &k, &err);

    cr_assert(r == 0 || r == CATALOG_E_NONE, "%s", err.message);
    return r ? 0 : k->id;
}

static inline int64_t
run_take_entry(void)
{
    cleanup_(catalog_entry_freep) struct catalog_entry *e = NULL;
    int r = catalog_take_entry(c, &e, &err);

    cr_assert(r == 0 || r == CATALOG_E_NONE, "%s", err.message);
    return r ? 0 : e->id;
}

static inline const struct err *
run_reason(const char *message, const char *detail)
{
    static struct err why;

    err_set(&why, ERR_SERVER, "%s", message);
    err_detail(&why, "%s", detail);
    return &why;
}
