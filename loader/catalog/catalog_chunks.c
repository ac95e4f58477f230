/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/catalog/catalog_db.h"

#define SELECT_CHUNK                                                           \
    "SELECT k.id, k.table_id, k.lo, k.hi, k.n_bytes, k.state, k.file,"         \
    " k.file_len, k.sha256, k.n_rows, k.digest, k.raw_len, k.n_frames,"        \
    " k.condition"

#define NOT_TAKEN                                                              \
    " NOT EXISTS(SELECT 1 FROM taken_chunks WHERE chunk_id = k.id)"

struct catalog_chunk *
catalog_chunk_free(struct catalog_chunk *k)
{
    if (!k)
        return NULL;
    catalog_table_free(k->table);
    free(k->file);
    free(k->condition);
    free(k);
    return NULL;
}

/* ---- one row ---- */

static int
read_digest(struct catalog *c, sqlite3_stmt *q, int column, struct digest *ret,
            struct err *err)
{
    const char *hex = (const char *)sqlite3_column_text(q, column);

    if (!hex || digest_parse(hex, ret) < 0)
        return catalog_db_corrupt(c, err,
                                  "Chunk %" PRIu64 " does not have a digest.",
                                  catalog_db_u64(q, 0));
    return 0;
}

static int
read_staged(struct catalog *c, sqlite3_stmt *q, struct catalog_chunk *k,
            struct err *err)
{
    int r;

    k->file = catalog_db_text(q, 6);
    if (!k->file)
        return err_nomem(err);
    if ((r = catalog_db_bytes(c, err, q, 8, k->sha256, sizeof k->sha256)) ||
        (r = read_digest(c, q, 10, &k->totals.digest, err)))
        return r;
    k->file_len = catalog_db_u64(q, 7);
    k->totals.digest.n_rows = catalog_db_u64(q, 9);
    k->totals.raw_len = catalog_db_u64(q, 11);
    k->totals.n_frames = catalog_db_u64(q, 12);
    return 0;
}

/* The row that q is at, with its table. */
static int
read_chunk(struct catalog *c, sqlite3_stmt *q, struct catalog_chunk **ret,
           struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r;

    k = calloc(1, sizeof *k);
    if (!k)
        return err_nomem(err);
    k->id = catalog_db_u64(q, 0);
    k->lo = catalog_db_u64(q, 2);
    k->hi = catalog_db_u64(q, 3);
    k->n_bytes = catalog_db_u64(q, 4);
    if (sqlite3_column_type(q, 13) != SQLITE_NULL) {
        k->condition = catalog_db_text(q, 13);
        if (!k->condition)
            return err_nomem(err);
    }

    r = catalog_find_table(c, catalog_db_u64(q, 1), &k->table, err);
    if (r == CATALOG_E_NONE)
        return catalog_db_corrupt(c, err, "Chunk %" PRIu64 " has no table.",
                                  k->id);
    if (r == 0 && sqlite3_column_type(q, 6) != SQLITE_NULL)
        r = read_staged(c, q, k, err);
    if (r)
        return r;
    *ret = take(k);
    return 0;
}

/* ---- the life of a chunk ---- */

int
catalog_add_chunk(struct catalog *c, uint64_t table, struct catalog_chunk *k,
                  struct err *err)
{
    k->id = 0;
    return catalog_put_chunk(c, table, k, err);
}

int
catalog_put_chunk(struct catalog *c, uint64_t table, struct catalog_chunk *k,
                  struct err *err)
{
    int r;

    r = catalog_db_run(c, err,
                       SQL("INSERT INTO chunks(table_id, lo, hi, n_bytes,"
                           " condition, held, id) VALUES(?1, ?2, ?3, ?4, ?5,"
                           " (SELECT state = 'failed' FROM tables"
                           "  WHERE id = ?1), ?6)"),
                       INT(table), INT(k->lo), INT(k->hi), INT(k->n_bytes),
                       TEXT(k->condition), REF(k->id));
    if (r == 0)
        k->id = (uint64_t)sqlite3_last_insert_rowid(c->db);
    return r;
}

/* q is at a chunk that nobody has in hand. */
static int
take_chunk(struct catalog *c, sqlite3_stmt *q, int loading,
           struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r;

    r = read_chunk(c, q, &k, err);
    if (r)
        return r;
    r = catalog_db_run(c, err, SQL("INSERT INTO taken_chunks VALUES(?, ?, ?)"),
                       INT(k->id), INT(k->table->id), INT(loading));
    if (r)
        return r;
    *ret = take(k);
    return 0;
}

int
catalog_take_to_export(struct catalog *c, struct catalog_chunk **ret,
                       struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_CHUNK
                             " FROM chunks k"
                             " WHERE state = 'planned' AND held = 0"
                             " AND" NOT_TAKEN
                             " ORDER BY n_bytes DESC, id LIMIT 1"));
    return r ? r : take_chunk(c, q, 0, ret, err);
}

int
catalog_chunk_staged(struct catalog *c, const struct catalog_chunk *k,
                     struct err *err)
{
    char digest[DIGEST_HEX];
    int r;

    digest_hex(&k->totals.digest, digest);
    r = catalog_db_run(
        c, err,
        SQL("UPDATE chunks SET state = 'staged', file = ?, file_len = ?,"
            " sha256 = ?, n_rows = ?, digest = ?, raw_len = ?, n_frames = ?"
            " WHERE id = ? AND state = 'planned'"),
        TEXT(k->file), INT(k->file_len), BYTES(k->sha256, sizeof k->sha256),
        INT(k->totals.digest.n_rows), TEXT(digest), INT(k->totals.raw_len),
        INT(k->totals.n_frames), INT(k->id));
    return r ? r : catalog_db_changed(c, err, "chunk", k->id, "staged");
}

/* 2613: pg_largeobject */
#define UNLOADED_LARGE_OBJECTS                                                 \
    "SELECT 1 FROM tables WHERE oid = 2613 AND kind = 'large objects'"         \
    " AND n_unloaded > 0"

/* The tables come in the order of their index, so a table whose limit is
   reached costs one look, however many chunks it has. */
int
catalog_take_to_load(struct catalog *c, unsigned max_per_table,
                     struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL(SELECT_CHUNK
            " FROM tables t CROSS JOIN chunks k ON k.table_id = t.id"
            " WHERE t.n_to_load > 0 AND t.state = 'ok'"
            " AND (t.kind <> 'large object metadata'"
            "   OR NOT EXISTS(" UNLOADED_LARGE_OBJECTS "))"
            " AND (SELECT count(*) FROM taken_chunks"
            "      WHERE table_id = t.id AND loading) < ?"
            " AND k.state = 'staged' AND" NOT_TAKEN
            " ORDER BY t.n_bytes DESC, t.id, k.id LIMIT 1"),
        INT(max_per_table));
    return r ? r : take_chunk(c, q, 1, ret, err);
}

static int
waits(struct catalog *c, uint64_t chunk, int *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL("SELECT 1 FROM chunks k JOIN tables t ON t.id = k.table_id"
            " WHERE k.id = ? AND k.state = 'staged' AND t.state = 'ok'"
            " AND t.kind = 'large object metadata'"
            " AND EXISTS(" UNLOADED_LARGE_OBJECTS " AND state = 'ok')"),
        INT(chunk));
    *ret = r == 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

int
catalog_take_this_to_load(struct catalog *c, uint64_t chunk,
                          struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int must_wait = 0;
    int r = waits(c, chunk, &must_wait, err);

    if (r || must_wait)
        return r ? r : CATALOG_E_WAITS;
    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_CHUNK
                             " FROM chunks k JOIN tables t ON t.id = k.table_id"
                             " WHERE k.id = ? AND t.state = 'ok'"
                             " AND (t.kind <> 'large object metadata'"
                             "   OR NOT EXISTS(" UNLOADED_LARGE_OBJECTS "))"
                             " AND k.state = 'staged' AND" NOT_TAKEN),
                         INT(chunk));
    return r ? r : take_chunk(c, q, 1, ret, err);
}

/* The ledger may say so again. */
int
catalog_chunk_loaded(struct catalog *c, uint64_t chunk, struct err *err)
{
    int r;

    r = catalog_db_run(c, err,
                       SQL("UPDATE chunks SET state = 'loaded'"
                           " WHERE id = ? AND state <> 'planned'"),
                       INT(chunk));
    return r ? r : catalog_db_changed(c, err, "chunk", chunk, "loaded");
}

int
catalog_bytes_waiting(struct catalog *c, uint64_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL("SELECT coalesce(sum(k.file_len), 0)"
            " FROM tables t CROSS JOIN chunks k ON k.table_id = t.id"
            " WHERE t.n_to_load > 0 AND t.state = 'ok'"
            " AND k.state = 'staged'"));
    if (!r)
        *ret = catalog_db_u64(q, 0);
    return r;
}

/* ---- what is staged ---- */

int
catalog_find_chunk(struct catalog *c, uint64_t chunk,
                   struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_CHUNK " FROM chunks k WHERE k.id = ?"
                                          " AND k.file IS NOT NULL"),
                         INT(chunk));
    return r ? r : read_chunk(c, q, ret, err);
}

int
catalog_next_chunk(struct catalog *c, uint64_t table, uint64_t chunk,
                   struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_CHUNK
                             " FROM chunks k"
                             " WHERE table_id = ? AND id > ?"
                             " AND state <> 'planned' ORDER BY id LIMIT 1"),
                         INT(table), INT(chunk));
    return r ? r : read_chunk(c, q, ret, err);
}

int
catalog_next_range(struct catalog *c, uint64_t table, uint64_t chunk,
                   struct catalog_chunk **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_CHUNK " FROM chunks k"
                                          " WHERE table_id = ? AND id > ?"
                                          " ORDER BY id LIMIT 1"),
                         INT(table), INT(chunk));
    return r ? r : read_chunk(c, q, ret, err);
}

static int
all_staged(struct catalog *c, uint64_t table, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT 1 FROM chunks"
                             " WHERE table_id = ? AND state = 'planned'"),
                         INT(table));
    return r == CATALOG_E_NONE ? 0 : r < 0 ? r : CATALOG_E_NONE;
}

int
catalog_table_totals(struct catalog *c, uint64_t table,
                     struct chunk_totals *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    struct chunk_totals sum = {0};
    int r;

    r = all_staged(c, table, err);
    if (r)
        return r;
    for (r = catalog_db_query(c, err, &q,
                              SQL("SELECT id, n_rows, digest, raw_len, n_frames"
                                  " FROM chunks WHERE table_id = ?"),
                              INT(table));
         r == 0; r = catalog_db_next(c, err, q)) {
        struct digest one;

        r = read_digest(c, q, 2, &one, err);
        if (r)
            return r;
        one.n_rows = catalog_db_u64(q, 1);
        digest_add(&sum.digest, &one);
        sum.raw_len += catalog_db_u64(q, 3);
        sum.n_frames += catalog_db_u64(q, 4);
    }
    if (r < 0)
        return r;
    *ret = sum;
    return 0;
}

int
catalog_next_of_family(struct catalog *c, const struct catalog_table *t,
                       uint64_t table, uint64_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT id FROM tables WHERE root_schema = ?"
                             " AND root_name = ? AND id > ?"
                             " ORDER BY id LIMIT 1"),
                         TEXT(t->root_schema), TEXT(t->root_name), INT(table));
    if (r)
        return r;
    *ret = catalog_db_u64(q, 0);
    return 0;
}

int
catalog_has_file(struct catalog *c, const char *file, int *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q, SQL("SELECT 1 FROM chunks WHERE file = ?"),
                         TEXT(file));
    if (r < 0)
        return r;
    *ret = r == 0;
    return 0;
}

void
catalog_file_clear(struct catalog_file *f)
{
    free(f->name);
    *f = (struct catalog_file){0};
}

int
catalog_next_file(struct catalog *c, struct catalog_file *f, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    char *name;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT file, file_len, sha256 FROM chunks"
                             " WHERE file > ? ORDER BY file LIMIT 1"),
                         TEXT(f->name ? f->name : ""));
    if (r)
        return r;
    r = catalog_db_bytes(c, err, q, 2, f->sha256, sizeof f->sha256);
    if (r)
        return r;
    name = catalog_db_text(q, 0);
    if (!name)
        return err_nomem(err);
    free(f->name);
    f->name = name;
    f->len = catalog_db_u64(q, 1);
    return 0;
}
