/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"

static const char *const kind_names[] = {
    [CATALOG_TABLE] = "table",
    [CATALOG_LARGE_OBJECTS] = "large objects",
    [CATALOG_LARGE_OBJECT_METADATA] = "large object metadata",
};

const char *
catalog_kind_name(enum catalog_kind kind)
{
    return kind_names[kind];
}

int
catalog_kind_parse(const char *name, enum catalog_kind *ret)
{
    for (unsigned i = 0; i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return -1;
}

#define SELECT_TABLE                                                           \
    "SELECT id, oid, schema, name, format, n_bytes,"                           \
    " (SELECT count(*) FROM columns WHERE table_id = id), condition,"          \
    " root_schema, root_name, extension, fingerprint, kind, epoch,"            \
    " (SELECT lsn FROM epochs WHERE epochs.id = epoch)"                        \
    " FROM tables"

struct catalog_table *
catalog_table_free(struct catalog_table *t)
{
    if (!t)
        return NULL;
    for (unsigned i = 0; i < t->n_columns; i++) {
        free(t->columns[i].name);
        free(t->columns[i].type);
    }
    free(t->columns);
    free(t->schema);
    free(t->name);
    free(t->condition);
    free(t->root_schema);
    free(t->root_name);
    free(t->extension);
    free(t->fingerprint);
    free(t);
    return NULL;
}

/* ---- adding ---- */

static int
insert_columns(struct catalog *c, const struct catalog_table *t,
               struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < t->n_columns && r == 0; i++)
        r = catalog_db_run(
            c, err, SQL("INSERT INTO columns VALUES(?, ?, ?, ?)"), INT(t->id),
            INT(i + 1), TEXT(t->columns[i].name), TEXT(t->columns[i].type));
    return r;
}

static int
insert_table(struct catalog *c, struct catalog_table *t, struct err *err)
{
    int r;

    assert(!t->root_schema == !t->root_name);
    r = catalog_db_run(c, err,
                       SQL("INSERT INTO tables(id, epoch, oid, schema, name,"
                           " format, n_bytes, condition, root_schema,"
                           " root_name, extension, fingerprint, kind)"
                           " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
                       REF(t->id), INT(t->epoch ? t->epoch : 1), INT(t->oid),
                       TEXT(t->schema), TEXT(t->name),
                       TEXT(copy_format_name(t->format)), INT(t->n_bytes),
                       TEXT(t->condition), TEXT(t->root_schema),
                       TEXT(t->root_name), TEXT(t->extension),
                       TEXT(t->fingerprint), TEXT(catalog_kind_name(t->kind)));
    if (r)
        return r;
    t->id = (uint64_t)sqlite3_last_insert_rowid(c->db);
    return insert_columns(c, t, err);
}

int
catalog_add_table(struct catalog *c, struct catalog_table *t, struct err *err)
{
    t->id = 0;
    return catalog_put_table(c, t, err);
}

int
catalog_put_table(struct catalog *c, struct catalog_table *t, struct err *err)
{
    int r;

    r = catalog_db_group_begin(c, err);
    if (r)
        return r;
    return catalog_db_group_end(c, err, insert_table(c, t, err));
}

/* ---- fetching ---- */

static int
read_columns(struct catalog *c, struct catalog_table *t, unsigned n,
             struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    t->columns = calloc(n ? n : 1, sizeof *t->columns);
    if (!t->columns)
        return err_nomem(err);

    for (r = catalog_db_query(c, err, &q,
                              SQL("SELECT name, type FROM columns"
                                  " WHERE table_id = ? ORDER BY position"),
                              INT(t->id));
         r == 0; r = catalog_db_next(c, err, q)) {
        struct catalog_column *column = &t->columns[t->n_columns];

        assert(t->n_columns < n); /* one process writes: this one */
        t->n_columns++;
        column->name = catalog_db_text(q, 0);
        column->type = catalog_db_text(q, 1);
        if (!column->name || !column->type)
            return err_nomem(err);
    }
    return r < 0 ? r : 0;
}

/* A text that may be NULL. */
static int
copy_optional(sqlite3_stmt *q, int column, char **ret, struct err *err)
{
    if (sqlite3_column_type(q, column) == SQLITE_NULL)
        return 0;
    *ret = catalog_db_text(q, column);
    return *ret ? 0 : err_nomem(err);
}

static int
read_optional(sqlite3_stmt *q, struct catalog_table *t, struct err *err)
{
    int r;

    if ((r = copy_optional(q, 7, &t->condition, err)) ||
        (r = copy_optional(q, 8, &t->root_schema, err)) ||
        (r = copy_optional(q, 9, &t->root_name, err)) ||
        (r = copy_optional(q, 10, &t->extension, err)))
        return r;
    return copy_optional(q, 11, &t->fingerprint, err);
}

/* The row that q is at, with its columns. */
static int
read_table(struct catalog *c, sqlite3_stmt *q, struct catalog_table **ret,
           struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    const char *format = (const char *)sqlite3_column_text(q, 4);
    const char *kind = (const char *)sqlite3_column_text(q, 12);
    int r;

    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    *t = (struct catalog_table){
        .id = catalog_db_u64(q, 0),
        .oid = (uint32_t)catalog_db_u64(q, 1),
        .schema = catalog_db_text(q, 2),
        .name = catalog_db_text(q, 3),
        .n_bytes = catalog_db_u64(q, 5),
        .epoch = (unsigned)catalog_db_u64(q, 13),
        .lsn = catalog_db_u64(q, 14),
    };
    if (!t->schema || !t->name)
        return err_nomem(err);
    r = read_optional(q, t, err);
    if (r)
        return r;
    if (!format || copy_format_parse(format, &t->format) < 0)
        return catalog_db_corrupt(c, err, "Table %" PRIu64 " has no format.",
                                  t->id);
    if (!kind || catalog_kind_parse(kind, &t->kind) < 0)
        return catalog_db_corrupt(c, err, "Table %" PRIu64 " has no kind.",
                                  t->id);
    r = read_columns(c, t, (unsigned)catalog_db_u64(q, 6), err);
    if (r)
        return r;
    *ret = take(t);
    return 0;
}

int
catalog_find_table(struct catalog *c, uint64_t id, struct catalog_table **ret,
                   struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q, SQL(SELECT_TABLE " WHERE id = ?"),
                         INT(id));
    return r ? r : read_table(c, q, ret, err);
}

int
catalog_largest_table(struct catalog *c, uint64_t rank,
                      struct catalog_table **ret, struct catalog_cut *cut,
                      struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT t.id, (SELECT count(*) FROM chunks"
                             "  WHERE table_id = t.id),"
                             " EXISTS (SELECT 1 FROM chunks WHERE"
                             "  table_id = t.id AND condition IS NOT NULL)"
                             " FROM tables t ORDER BY t.n_bytes DESC, t.id"
                             " LIMIT 1 OFFSET ?"),
                         INT(rank));
    if (r)
        return r;
    cut->n_chunks = catalog_db_u64(q, 1);
    cut->by_key = sqlite3_column_int(q, 2);
    return catalog_find_table(c, catalog_db_u64(q, 0), ret, err);
}

int
catalog_table_by_oid(struct catalog *c, uint32_t oid, uint64_t *ret,
                     struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q, SQL("SELECT id FROM tables WHERE oid = ?"),
                         INT(oid));
    if (r)
        return r;
    *ret = catalog_db_u64(q, 0);
    return 0;
}

int
catalog_table_by_name(struct catalog *c, const char *schema, const char *name,
                      struct catalog_table **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_TABLE " WHERE schema = ? AND name = ?"),
                         TEXT(schema), TEXT(name));
    return r ? r : read_table(c, q, ret, err);
}

int
catalog_next_table(struct catalog *c, uint64_t id, struct catalog_table **ret,
                   struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL(SELECT_TABLE " WHERE id > ? ORDER BY id LIMIT 1"),
                         INT(id));
    return r ? r : read_table(c, q, ret, err);
}
