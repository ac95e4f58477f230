/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "loader/catalog/catalog_db.h"

#define SELECT_ENTRY                                                           \
    "SELECT e.id, e.position, e.type, e.schema, e.name, e.sql, e.table_id"

/* ---- entries ---- */

struct catalog_entry *
catalog_entry_free(struct catalog_entry *e)
{
    if (!e)
        return NULL;
    free(e->type);
    free(e->schema);
    free(e->name);
    free(e->sql);
    free(e);
    return NULL;
}

int
catalog_add_entry(struct catalog *c, const struct catalog_entry *e,
                  struct err *err)
{
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO entries(id, position, type, schema, name, sql,"
            " table_id) VALUES(?, ?, ?, ?, ?, ?, ?)"),
        INT(e->id), INT(e->order), TEXT(e->type), TEXT(e->schema),
        TEXT(e->name), TEXT(e->sql), REF(e->table));
}

static int
read_entry(sqlite3_stmt *q, struct catalog_entry **ret, struct err *err)
{
    cleanup_(catalog_entry_freep) struct catalog_entry *e = NULL;

    e = calloc(1, sizeof *e);
    if (!e)
        return err_nomem(err);
    *e = (struct catalog_entry){
        .id = sqlite3_column_int64(q, 0),
        .order = (unsigned)catalog_db_u64(q, 1),
        .type = catalog_db_text(q, 2),
        .schema = catalog_db_text(q, 3),
        .name = catalog_db_text(q, 4),
        .sql = catalog_db_text(q, 5),
        .table = catalog_db_u64(q, 6),
    };
    if (!e->type || !e->schema || !e->name || !e->sql)
        return err_nomem(err);
    *ret = take(e);
    return 0;
}

/* The first entry of the largest table that is loaded and has none in hand.
   A row of any table of a family may go into any other. */
static int
find_of_a_table(struct catalog *c, struct catalog_entry **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL(SELECT_ENTRY
            " FROM tables t CROSS JOIN entries e ON e.table_id = t.id"
            " WHERE t.n_unloaded = 0 AND t.n_pending > 0 AND t.state = 'ok'"
            " AND NOT EXISTS(SELECT 1 FROM taken_entries"
            "                WHERE table_id = t.id)"
            " AND (t.root_name IS NULL OR NOT EXISTS(SELECT 1 FROM tables f"
            "      WHERE f.root_schema = t.root_schema"
            "      AND f.root_name = t.root_name AND f.root_name IS NOT NULL"
            "      AND (f.n_unloaded > 0 OR f.state = 'failed')))"
            " AND e.state = 'pending'"
            " ORDER BY t.n_bytes DESC, t.id, e.position LIMIT 1"));
    return r ? r : read_entry(q, ret, err);
}

/* In a hand it stands for table 0, one TOGETHER for its own negative number. */
static int
find_of_no_table(struct catalog *c, struct catalog_entry **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL(SELECT_ENTRY
            " FROM entries e"
            " WHERE e.table_id IS NULL AND e.state = 'pending'"
            " AND NOT EXISTS(SELECT 1 FROM taken_entries x WHERE x.table_id <= "
            "0"
            "   AND (x.entry_id = e.id OR x.table_id = 0 OR e.position <> ?))"
            " AND NOT EXISTS(SELECT 1 FROM tables WHERE"
            "   n_unloaded > 0 OR n_pending > 0 OR state = 'failed')"
            " ORDER BY e.position, e.id LIMIT 1"),
        INT(CATALOG_TOGETHER));
    return r ? r : read_entry(q, ret, err);
}

int
catalog_take_entry(struct catalog *c, struct catalog_entry **ret,
                   struct err *err)
{
    cleanup_(catalog_entry_freep) struct catalog_entry *e = NULL;
    int r;

    r = find_of_a_table(c, &e, err);
    if (r == CATALOG_E_NONE)
        r = find_of_no_table(c, &e, err);
    if (r)
        return r;
    r = catalog_db_run(c, err,
                       SQL("INSERT INTO taken_entries VALUES(CASE WHEN ? = ?"
                           " THEN -abs(?) ELSE ? END, ?)"),
                       INT(e->order), INT(CATALOG_TOGETHER), INT(e->id),
                       INT(e->table), INT(e->id));
    if (r)
        return r;
    *ret = take(e);
    return 0;
}

int
catalog_entry_done(struct catalog *c, int64_t entry, struct err *err)
{
    int r;

    r = catalog_db_run(c, err,
                       SQL("UPDATE entries SET state = 'done' WHERE id = ?"),
                       INT(entry));
    if (r)
        return r;
    return sqlite3_changes(c->db) > 0 ? 0 : CATALOG_E_NONE;
}

/* ---- sequences ---- */

struct catalog_sequence *
catalog_sequence_free(struct catalog_sequence *q)
{
    if (!q)
        return NULL;
    free(q->schema);
    free(q->name);
    free(q);
    return NULL;
}

int
catalog_add_sequence(struct catalog *c, const struct catalog_sequence *q,
                     struct err *err)
{
    return catalog_db_run(c, err,
                          SQL("INSERT INTO sequences(schema, name, last_value,"
                              " is_called) VALUES(?, ?, ?, ?)"),
                          TEXT(q->schema), TEXT(q->name), INT(q->last_value),
                          INT(q->is_called));
}

int
catalog_next_sequence(struct catalog *c, uint64_t *cursor,
                      struct catalog_sequence **ret, struct err *err)
{
    cleanup_(catalog_sequence_freep) struct catalog_sequence *s = NULL;
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT id, schema, name, last_value, is_called"
                             " FROM sequences WHERE id > ?"
                             " ORDER BY id LIMIT 1"),
                         INT(*cursor));
    if (r)
        return r;
    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    *s = (struct catalog_sequence){
        .schema = catalog_db_text(q, 1),
        .name = catalog_db_text(q, 2),
        .last_value = sqlite3_column_int64(q, 3),
        .is_called = sqlite3_column_int(q, 4),
    };
    if (!s->schema || !s->name)
        return err_nomem(err);
    *cursor = catalog_db_u64(q, 0);
    *ret = take(s);
    return 0;
}

/* ---- skips ---- */

struct catalog_skip *
catalog_skip_free(struct catalog_skip *s)
{
    if (!s)
        return NULL;
    free(s->kind);
    free(s->schema);
    free(s->name);
    free(s->reason);
    free(s);
    return NULL;
}

int
catalog_add_skip(struct catalog *c, const struct catalog_skip *s,
                 struct err *err)
{
    return catalog_db_run(c, err,
                          SQL("INSERT INTO skips(kind, schema, name, reason,"
                              " harmless, class_oid, oid)"
                              " VALUES(?, ?, ?, ?, ?, ?, ?)"),
                          TEXT(s->kind), TEXT(s->schema), TEXT(s->name),
                          TEXT(s->reason), INT(s->harmless), REF(s->class_oid),
                          REF(s->oid));
}

int
catalog_leaves_out(struct catalog *c, uint32_t class_oid, uint32_t oid,
                   int *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT 1 FROM skips"
                             " WHERE class_oid = ? AND oid = ?"),
                         INT(class_oid), INT(oid));
    *ret = r == 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

/* One that is in the dump has its object with it. */
int
catalog_lacks_publications(struct catalog *c, int *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT 1 FROM skips WHERE kind = 'publication'"
                             " AND class_oid IS NULL"));
    *ret = r == 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

int
catalog_next_skip(struct catalog *c, uint64_t *cursor,
                  struct catalog_skip **ret, struct err *err)
{
    cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT id, kind, schema, name, reason, harmless,"
                             " class_oid, oid"
                             " FROM skips WHERE id > ? ORDER BY id LIMIT 1"),
                         INT(*cursor));
    if (r)
        return r;
    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    *s = (struct catalog_skip){
        .kind = catalog_db_text(q, 1),
        .schema = catalog_db_text(q, 2),
        .name = catalog_db_text(q, 3),
        .reason = catalog_db_text(q, 4),
        .harmless = sqlite3_column_int(q, 5),
        .class_oid = (uint32_t)catalog_db_u64(q, 6),
        .oid = (uint32_t)catalog_db_u64(q, 7),
    };
    if (!s->kind || !s->schema || !s->name || !s->reason)
        return err_nomem(err);
    *cursor = catalog_db_u64(q, 0);
    *ret = take(s);
    return 0;
}
