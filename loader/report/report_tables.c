/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/report_private.h"

#include <stdlib.h>
#include <string.h>

#include "formats/digest.h"
#include "loader/catalog/catalog_db.h"

static const char schema[] =
    "DROP TABLE IF EXISTS temp.report_tables;"
    "CREATE TEMP TABLE report_tables("
    "  id INTEGER PRIMARY KEY," /* of the first table; below 0: the proof's */
    "  schema TEXT NOT NULL, name TEXT NOT NULL,"
    "  trouble INTEGER NOT NULL, why TEXT, line TEXT,"
    "  n_tables INTEGER NOT NULL DEFAULT 0,"
    "  n_chunks INTEGER NOT NULL DEFAULT 0,"
    "  n_unstaged INTEGER NOT NULL DEFAULT 0,"
    "  n_unloaded INTEGER NOT NULL DEFAULT 0,"
    "  n_bytes INTEGER NOT NULL DEFAULT 0,"
    "  n_rows INTEGER NOT NULL DEFAULT 0,"
    "  n_raw INTEGER NOT NULL DEFAULT 0,"
    "  n_stored INTEGER NOT NULL DEFAULT 0,"
    "  digest TEXT, is_binary INTEGER NOT NULL DEFAULT 0,"
    "  export INTEGER NOT NULL DEFAULT 0, load INTEGER NOT NULL DEFAULT 0,"
    "  build INTEGER NOT NULL DEFAULT 0, verify INTEGER NOT NULL DEFAULT 0"
    ") STRICT;";

/* What is put together of a table's chunks, or a family's. */
struct line {
    uint64_t id; /* 0: none is begun */
    int is_root;
    char *schema, *name;
    uint64_t last_table, n_tables, n_chunks, n_unstaged, n_unloaded;
    uint64_t n_bytes, n_raw, n_stored;
    struct digest digest;
    int has_failed, is_binary;
};

/* Tables of one family come one after the other. */
static const char chunks[] =
    "SELECT t.id, coalesce(t.root_schema, t.schema),"
    " coalesce(t.root_name, t.name), t.root_name IS NOT NULL,"
    " t.state = 'failed', t.format = 'binary', t.n_bytes, c.id,"
    " c.state = 'planned', c.state <> 'loaded', c.n_rows, c.raw_len,"
    " c.file_len, c.digest"
    " FROM tables t LEFT JOIN chunks c ON c.table_id = t.id"
    " ORDER BY t.root_name IS NOT NULL, t.root_schema, t.root_name, t.id, c.id";

enum column {
    ID,
    SCHEMA,
    NAME,
    IS_ROOT,
    FAILED,
    BINARY,
    BYTES,
    CHUNK,
    UNSTAGED,
    UNLOADED,
    ROWS,
    RAW,
    STORED,
    DIGEST,
};

static void
clear(struct line *l)
{
    free(l->schema);
    free(l->name);
    *l = (struct line){0};
}

/* Of the table or family that is being put together? */
static int
belongs(const struct line *l, sqlite3_stmt *q)
{
    if (!l->id || l->is_root != sqlite3_column_int(q, IS_ROOT))
        return 0;
    if (!l->is_root)
        return l->id == catalog_db_u64(q, ID);
    return strcmp(l->schema, (const char *)sqlite3_column_text(q, SCHEMA)) ==
               0 &&
           strcmp(l->name, (const char *)sqlite3_column_text(q, NAME)) == 0;
}

static int
begin(struct line *l, sqlite3_stmt *q, struct err *err)
{
    clear(l);
    l->id = catalog_db_u64(q, ID);
    l->is_root = sqlite3_column_int(q, IS_ROOT);
    l->schema = catalog_db_text(q, SCHEMA);
    l->name = catalog_db_text(q, NAME);
    return l->schema && l->name ? 0 : err_nomem(err);
}

static int
add(struct catalog *c, struct line *l, sqlite3_stmt *q, struct err *err)
{
    struct digest d = {.n_rows = catalog_db_u64(q, ROWS)};
    const char *hex = (const char *)sqlite3_column_text(q, DIGEST);

    if (l->last_table != catalog_db_u64(q, ID)) {
        l->last_table = catalog_db_u64(q, ID);
        l->n_tables++;
        l->n_bytes += catalog_db_u64(q, BYTES);
        l->has_failed |= sqlite3_column_int(q, FAILED);
        l->is_binary = sqlite3_column_int(q, BINARY);
    }
    if (!catalog_db_u64(q, CHUNK))
        return 0;
    l->n_chunks++;
    l->n_unstaged += catalog_db_u64(q, UNSTAGED);
    l->n_unloaded += catalog_db_u64(q, UNLOADED);
    if (catalog_db_u64(q, UNSTAGED))
        return 0;
    l->n_raw += catalog_db_u64(q, RAW);
    l->n_stored += catalog_db_u64(q, STORED);
    if (!hex || digest_parse(hex, &d))
        return catalog_db_corrupt(c, err, "A digest is no digest.");
    digest_add(&l->digest, &d);
    return 0;
}

static int
finish(struct catalog *c, struct line *l, struct err *err)
{
    char hex[DIGEST_HEX] = "";

    if (!l->id)
        return 0;
    if (!l->n_unstaged)
        digest_hex(&l->digest, hex);
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO report_tables(id, schema, name, trouble, n_tables,"
            " n_chunks, n_unstaged, n_unloaded, n_bytes, n_rows, n_raw,"
            " n_stored, digest, is_binary)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        INT(l->id), TEXT(l->schema), TEXT(l->name),
        INT(l->has_failed   ? REPORT_TABLE_FAILED
            : l->n_unstaged ? REPORT_TABLE_UNFINISHED
                            : REPORT_TABLE_FINE),
        INT(l->n_tables), INT(l->n_chunks), INT(l->n_unstaged),
        INT(l->n_unloaded), INT(l->n_bytes), INT(l->digest.n_rows),
        INT(l->n_raw), INT(l->n_stored), TEXT(hex), INT(l->is_binary));
}

static int
put_together(struct catalog *c, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    cleanup_(clear) struct line l = {0};
    int r;

    r = catalog_db_query(c, err, &q, SQL(chunks));
    while (r == 0) {
        if (!belongs(&l, q)) {
            r = finish(c, &l, err);
            if (!r)
                r = begin(&l, q, err);
        }
        if (!r)
            r = add(c, &l, q, err);
        if (!r)
            r = catalog_db_next(c, err, q);
    }
    return r == CATALOG_E_NONE ? finish(c, &l, err) : r;
}

/* What others know of them. */
static const char *const adds[] = {
    "UPDATE report_tables SET why = f.why FROM failures f"
    " WHERE f.table_id = report_tables.id",
    "UPDATE report_tables SET export = s.export, load = s.load,"
    " build = s.build FROM ("
    "  SELECT coalesce(min(f.id), s.table_id) AS id, sum(s.export) AS export,"
    "  sum(s.load) AS load, sum(s.build) AS build"
    "  FROM report_spent s JOIN tables t ON t.id = s.table_id"
    "  LEFT JOIN tables f ON f.id = (SELECT min(g.id) FROM tables g"
    "   WHERE g.root_schema = t.root_schema AND g.root_name = t.root_name)"
    "  GROUP BY coalesce(f.id, s.table_id)) s WHERE s.id = report_tables.id",
    "CREATE INDEX IF NOT EXISTS temp.report_tables_by_name"
    " ON report_tables(schema, name)",
};

/* A load that has begun is to come to its end. */
static const char unloaded[] =
    "UPDATE report_tables SET trouble = 4"
    " WHERE trouble = 6 AND n_unloaded > 0 AND EXISTS"
    " (SELECT 1 FROM chunks WHERE state = 'loaded')";

static const char with_proof[] =
    "UPDATE report_tables SET line = p.line,"
    " verify = coalesce(json_extract(p.line, '$.ms'), 0), trouble = CASE p.rank"
    "  WHEN 0 THEN 0 WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 3 THEN 5"
    "  ELSE trouble END FROM report_proved p"
    " WHERE p.schema = report_tables.schema AND p.name = report_tables.name";

/* What the proof has seen, and the run does not know. */
static const char proof_alone[] =
    "INSERT INTO report_tables(id, schema, name, trouble, line)"
    " SELECT -row_number() OVER (), schema, name,"
    "  CASE rank WHEN 3 THEN 5 WHEN 4 THEN 6 ELSE rank END, line"
    " FROM report_proved p WHERE NOT EXISTS (SELECT 1 FROM report_tables t"
    "  WHERE t.schema = p.schema AND t.name = p.name)";

_Static_assert(PROVED_DIFFERS == 0 && PROVED_EQUAL == 4 &&
                   REPORT_TABLE_DIFFERS == 0 && REPORT_TABLE_FINE == 6,
               "the numbers in the SQL");

static int
sum_up(struct report *r, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    struct report_sums *s = &r->sums;
    int e = catalog_db_query(
        r->params.catalog, err, &q,
        SQL("SELECT count(*), coalesce(sum(trouble < 5), 0),"
            " coalesce(sum(n_tables), 0), coalesce(sum(n_rows), 0),"
            " coalesce(sum(n_raw), 0), coalesce(sum(n_stored), 0),"
            " (SELECT count(*) FROM sequences) FROM report_tables"));

    if (e)
        return e;
    s->n_lines = catalog_db_u64(q, 0);
    s->n_troubled = catalog_db_u64(q, 1);
    s->n_tables = catalog_db_u64(q, 2);
    s->n_rows = catalog_db_u64(q, 3);
    s->n_raw = catalog_db_u64(q, 4);
    s->n_stored = catalog_db_u64(q, 5);
    s->n_sequences = catalog_db_u64(q, 6);
    return 0;
}

int
report_list_tables(struct report *r, struct err *err)
{
    struct catalog *c = r->params.catalog;
    int e;

    e = catalog_db_script(c, err, schema);
    if (!e)
        e = put_together(c, err);
    for (unsigned i = 0; !e && i < sizeof adds / sizeof *adds; i++)
        e = catalog_db_script(c, err, adds[i]);
    if (!e)
        e = catalog_db_script(c, err, unloaded);
    if (!e && r->proved.is_there && !r->is_stale)
        e = catalog_db_script(c, err, with_proof);
    if (!e && r->proved.is_there && !r->is_stale)
        e = catalog_db_script(c, err, proof_alone);
    return e ? e : sum_up(r, err);
}

/* ---- reading it back ---- */

static void
table_clear(struct report_table *t)
{
    free(t->schema);
    free(t->name);
    free(t->why);
    json_decref(t->proved);
}

static int
fill(struct report_table *t, sqlite3_stmt *q, struct err *err)
{
    const char *line = (const char *)sqlite3_column_text(q, 3);
    const char *digest = (const char *)sqlite3_column_text(q, 11);

    *t = (struct report_table){
        .schema = catalog_db_text(q, 0),
        .name = catalog_db_text(q, 1),
        .why = sqlite3_column_type(q, 2) == SQLITE_NULL ? NULL
                                                        : catalog_db_text(q, 2),
        .proved = line ? json_loads(line, 0, NULL) : NULL,
        .trouble = (enum report_trouble)sqlite3_column_int(q, 4),
        .n_tables = catalog_db_u64(q, 5),
        .n_chunks = catalog_db_u64(q, 6),
        .n_unstaged = catalog_db_u64(q, 7),
        .n_unloaded = catalog_db_u64(q, 8),
        .n_rows = catalog_db_u64(q, 9),
        .n_raw = catalog_db_u64(q, 10),
        .n_stored = catalog_db_u64(q, 12),
        .is_binary = sqlite3_column_int(q, 13),
        .export_ms = catalog_db_u64(q, 14),
        .load_ms = catalog_db_u64(q, 15),
        .build_ms = catalog_db_u64(q, 16),
        .verify_ms = catalog_db_u64(q, 17),
    };
    if (!t->schema || !t->name || (line && !t->proved))
        return err_nomem(err);
    snprintf(t->digest, sizeof t->digest, "%s", digest ? digest : "");
    return 0;
}

int
report_each_table(struct report *r, const char *order, uint64_t max,
                  int (*visit)(void *arg, const struct report_table *t,
                               struct err *err),
                  void *arg, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    char sql[512];
    int e;

    snprintf(sql, sizeof sql,
             "SELECT schema, name, why, line, trouble, n_tables, n_chunks,"
             " n_unstaged, n_unloaded, n_rows, n_raw, digest, n_stored,"
             " is_binary, export, load, build, verify"
             " FROM report_tables %s LIMIT ?",
             order);
    e = catalog_db_query(r->params.catalog, err, &q, SQL(sql),
                         INT(max < INT64_MAX ? max : INT64_MAX));
    while (e == 0) {
        cleanup_(table_clear) struct report_table t = {0};

        e = fill(&t, q, err);
        if (!e)
            e = visit(arg, &t, err);
        if (!e)
            e = catalog_db_next(r->params.catalog, err, q);
    }
    return e == CATALOG_E_NONE ? 0 : e;
}

int
report_each_line(struct report *r, const char *sql,
                 int (*visit)(void *arg, const json_t *o, struct err *err),
                 void *arg, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int e = catalog_db_query(r->params.catalog, err, &q, SQL(sql));

    while (e == 0) {
        json_t *o =
            json_loads((const char *)sqlite3_column_text(q, 0), 0, NULL);

        e = o ? visit(arg, o, err) : err_nomem(err);
        json_decref(o);
        if (!e)
            e = catalog_db_next(r->params.catalog, err, q);
    }
    return e == CATALOG_E_NONE ? 0 : e;
}
