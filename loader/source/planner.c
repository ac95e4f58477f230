/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/planner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan_large_objects.h"
#include "loader/source/relations.h"

/*
 * Types whose binary form has not changed in any supported version and does
 * not depend on a setting, an OID or a platform.  Enums (by label) and domains
 * over these come on top.
 */
#define VETTED_TYPES                                                           \
    "'{bool,int2,int4,int8,float4,float8,numeric,text,varchar,bpchar,char,"    \
    "name,bytea,date,time,timetz,timestamp,timestamptz,interval,uuid,json,"    \
    "jsonb,inet,cidr,macaddr,macaddr8,bit,varbit,point,oid,"                   \
    "_bool,_int2,_int4,_int8,_float4,_float8,_numeric,_text,_varchar,"         \
    "_bpchar,_date,_time,_timestamp,_timestamptz,_uuid,_json,_jsonb,_inet}'"

#define IS_VETTED(type)                                                        \
    "(" type ".typnamespace = 'pg_catalog'::pg_catalog.regnamespace"           \
    " AND " type ".typname = ANY (" VETTED_TYPES "))"

/*
 * Leaves below a table that is partitioned by the hash of an enum.  That is
 * the hash of the value's OID, which is another one in every database: the
 * leaf's rows do not belong there in the target.
 */
#define IS_HASHED_BY_OID                                                       \
    "(c.relispartition AND EXISTS (SELECT"                                     \
    "  FROM pg_catalog.pg_partition_ancestors(c.oid) AS up (oid)"              \
    "  JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = up.oid"         \
    "  JOIN pg_catalog.pg_opclass o ON o.oid = ANY (p.partclass)"              \
    "  WHERE p.partstrat = 'h' AND o.opcname = 'enum_ops'))"

/* One row a column, one with NULLs for a table that has none. */
static const char list_tables[] =
    "WITH t AS MATERIALIZED ("
    "SELECT c.oid, n.nspname, c.relname, am.amname,"
    " " RELATIONS_REPLACED " AS replaced,"
    " pg_catalog.pg_relation_size(c.oid)"
    "   / pg_catalog.current_setting('block_size')::int AS n_blocks,"
    " pg_catalog.pg_table_size(c.oid) AS n_bytes " RELATIONS_FROM
    "AND c.relkind = 'r' AND c.relpersistence <> 't'"
    " AND NOT " IS_HASHED_BY_OID ") "
    "SELECT t.oid, t.nspname, t.relname, t.amname = 'heap', t.replaced,"
    " t.n_blocks, t.n_bytes, a.attname,"
    " pg_catalog.format_type(a.atttypid, a.atttypmod),"
    " y.typtype = 'e' OR " IS_VETTED("y") " OR coalesce(" IS_VETTED(
        "b") ", false) "
             "FROM t"
             " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid"
             "   AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = "
             "''"
             " LEFT JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
             " LEFT JOIN pg_catalog.pg_type b ON y.typtype = 'd'"
             "   AND b.oid = y.typbasetype "
             "ORDER BY t.oid, a.attnum";

enum {
    T_OID,
    T_SCHEMA,
    T_NAME,
    T_HEAP,
    T_REPLACED,
    T_BLOCKS,
    T_BYTES,
    T_COLUMN,
    T_TYPE,
    T_VETTED,
};

/* What will not be copied as rows of a table: kind, schema, name, reason,
   harmless. */
static const char list_skips[] =
    "SELECT 'foreign table', n.nspname, c.relname,"
    " 'its rows stay on the foreign server; the definition is copied', "
    "true " RELATIONS_FROM "AND c.relkind = 'f' "
    "UNION ALL SELECT 'materialized view', n.nspname, c.relname,"
    " 'refreshed on the target', true " RELATIONS_FROM "AND c.relkind = 'm' "
    "UNION ALL SELECT 'partition', n.nspname, c.relname,"
    " 'it is partitioned by the hash of an enum: its rows belong into other"
    " partitions of the copy', false " RELATIONS_FROM
    "AND c.relkind = 'r' AND " IS_HASHED_BY_OID " "
    "UNION ALL SELECT 'schema', '', nspname, 'the ledger of an earlier load',"
    " true FROM pg_catalog.pg_namespace"
    " WHERE pg_catalog.obj_description(oid, 'pg_namespace')"
    "   = '" LEDGER_MARK "' "
    "UNION ALL SELECT 'index', n.nspname, c.relname,"
    " 'it is not valid at the source', true " RELATIONS_FROM
    "AND c.relkind = 'i' AND EXISTS (SELECT FROM pg_catalog.pg_index i"
    "  WHERE i.indexrelid = c.oid AND NOT i.indisvalid) "
    "UNION ALL SELECT 'extension table', n.nspname, c.relname,"
    " 'rows that belong to the configuration of extension '"
    "   || e.extname || ' are not copied', false"
    " FROM pg_catalog.pg_extension e,"
    "  pg_catalog.unnest(e.extconfig) AS x (oid)"
    "  JOIN pg_catalog.pg_class c ON c.oid = x.oid AND c.relkind = 'r'"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE pg_catalog.pg_relation_size(c.oid) > 0 "
    "UNION ALL SELECT 'publication', '', pubname,"
    " 'a copy does not publish', true FROM pg_catalog.pg_publication "
    "UNION ALL SELECT 'subscription', '', subname,"
    " 'a copy does not subscribe', true FROM pg_catalog.pg_subscription"
    " WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database"
    "  WHERE datname = pg_catalog.current_database())";

struct planner {
    const struct planner_params *params;
    struct session *session; /* in the snapshot */
    struct catalog *catalog;
    /* The table whose columns are coming in. */
    struct catalog_table *table;
    uint64_t n_blocks;
    int by_block;   /* a range of blocks can be read alone */
    char *unvetted; /* the first column that binary cannot carry */
};

static uint64_t
number(const PGresult *row, int line, int column)
{
    return strtoull(PQgetvalue(row, line, column), NULL, 10);
}

static int
is_true(const PGresult *row, int line, int column)
{
    return PQgetvalue(row, line, column)[0] == 't';
}

/* ---- tables and chunks ---- */

static int
add_chunks(struct planner *p, struct err *err)
{
    const struct catalog_table *t = p->table;
    uint64_t n_chunks = 1, step;
    int r;

    if (p->by_block && p->n_blocks > 0)
        n_chunks = t->n_bytes / p->params->chunk_size + 1;
    if (n_chunks > p->n_blocks)
        n_chunks = p->n_blocks ? p->n_blocks : 1;
    step = (p->n_blocks + n_chunks - 1) / n_chunks;

    for (uint64_t lo = 0, i = 0; i < n_chunks; i++, lo += step) {
        struct catalog_chunk k = {.lo = lo, .hi = lo + step};

        if (i + 1 == n_chunks || k.hi >= p->n_blocks)
            k.hi = CATALOG_OPEN_END;
        k.n_bytes = t->n_bytes / n_chunks;
        r = catalog_add_chunk(p->catalog, t->id, &k, err);
        if (r)
            return r;
        if (k.hi == CATALOG_OPEN_END)
            break;
    }
    return 0;
}

static int
choose_format(struct planner *p, struct err *err)
{
    struct catalog_table *t = p->table;

    /* Rows of no columns: the binary form has nothing to offer. */
    t->format =
        p->params->format == PLANNER_TEXT || p->unvetted || t->n_columns == 0
            ? COPY_TEXT
            : COPY_BINARY;
    if (p->params->format != PLANNER_BINARY || !p->unvetted)
        return 0;
    err_set(err, ERR_REFUSED,
            "table \"%s.%s\" cannot be copied in binary format", t->schema,
            t->name);
    err_detail(err,
               "Column \"%s\" has a type whose binary form is not known "
               "to be stable.",
               p->unvetted);
    return err_hint(err, "Use --format auto: it takes text for such tables.");
}

/* All columns of the table have come: it can be added. */
static int
finish_table(struct planner *p, struct err *err)
{
    int r;

    if (!p->table)
        return 0;
    r = choose_format(p, err);
    if (!r)
        r = catalog_add_table(p->catalog, p->table, err);
    if (!r)
        r = add_chunks(p, err);
    p->table = catalog_table_free(p->table);
    free(p->unvetted);
    p->unvetted = NULL;
    return r;
}

static int
begin_table(struct planner *p, const PGresult *row, struct err *err)
{
    struct catalog_table *t;

    if (is_true(row, 0, T_REPLACED)) {
        err_set(err, ERR_REFUSED,
                "table \"%s.%s\" was truncated, rewritten or replaced while "
                "the export began",
                PQgetvalue(row, 0, T_SCHEMA), PQgetvalue(row, 0, T_NAME));
        err_detail(err, "In the snapshot it would look empty.");
        return err_hint(err, "Run the same command again.");
    }
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    p->table = t;
    t->oid = (uint32_t)number(row, 0, T_OID);
    t->schema = strdup(PQgetvalue(row, 0, T_SCHEMA));
    t->name = strdup(PQgetvalue(row, 0, T_NAME));
    t->n_bytes = number(row, 0, T_BYTES);
    p->n_blocks = number(row, 0, T_BLOCKS);
    p->by_block =
        is_true(row, 0, T_HEAP) && session_server_version(p->session) >= 140000;
    return t->schema && t->name ? 0 : err_nomem(err);
}

static int
add_column(struct planner *p, const PGresult *row, struct err *err)
{
    struct catalog_table *t = p->table;
    struct catalog_column *columns, *added;

    columns = reallocarray(t->columns, t->n_columns + 1, sizeof *columns);
    if (!columns)
        return err_nomem(err);
    t->columns = columns;
    added = &columns[t->n_columns++];
    added->name = strdup(PQgetvalue(row, 0, T_COLUMN));
    added->type = strdup(PQgetvalue(row, 0, T_TYPE));
    if (!added->name || !added->type)
        return err_nomem(err);

    if (!p->unvetted && !is_true(row, 0, T_VETTED)) {
        p->unvetted = strdup(added->name);
        if (!p->unvetted)
            return err_nomem(err);
    }
    return 0;
}

static int
visit_table_row(void *arg, const PGresult *row, struct err *err)
{
    struct planner *p = arg;
    int r;

    if (!p->table || p->table->oid != number(row, 0, T_OID)) {
        r = finish_table(p, err);
        if (!r)
            r = begin_table(p, row, err);
        if (r)
            return r;
    }
    return PQgetisnull(row, 0, T_COLUMN) ? 0 : add_column(p, row, err);
}

static int
plan_tables(struct planner *p, struct err *err)
{
    int r;

    r = session_each(p->session, list_tables, visit_table_row, p, err);
    return r ? r : finish_table(p, err);
}

/* ---- skips ---- */

static int
visit_skip(void *arg, const PGresult *row, struct err *err)
{
    struct planner *p = arg;
    struct catalog_skip skip = {
        .kind = PQgetvalue(row, 0, 0),
        .schema = PQgetvalue(row, 0, 1),
        .name = PQgetvalue(row, 0, 2),
        .reason = PQgetvalue(row, 0, 3),
        .harmless = is_true(row, 0, 4),
    };

    return catalog_add_skip(p->catalog, &skip, err);
}

/* ---- sequences ---- */

/* "SELECT 0, last_value, is_called FROM s.a UNION ALL SELECT 1, ..." */
static char *
read_sequences(struct session *s, const PGresult *page)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    for (int i = 0; i < PQntuples(page); i++) {
        char *name = session_qualified(s, PQgetvalue(page, i, 1),
                                       PQgetvalue(page, i, 2));

        fprintf(f, "%sSELECT %d, last_value, is_called FROM %s",
                i ? " UNION ALL " : "", i, name ? name : "");
        session_freemem(name);
    }
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
add_sequences(void *arg, const PGresult *page, struct err *err)
{
    struct planner *p = arg;
    struct session *s = p->session;
    cleanup_(session_clearp) PGresult *values = NULL;
    char *sql = read_sequences(s, page);
    int r;

    if (!sql)
        return err_nomem(err);
    r = session_query(s, sql, &values, err);
    free(sql);
    for (int i = 0; !r && i < PQntuples(values); i++) {
        int line = (int)number(values, i, 0);
        struct catalog_sequence q = {
            .schema = PQgetvalue(page, line, 1),
            .name = PQgetvalue(page, line, 2),
            .last_value = strtoll(PQgetvalue(values, i, 1), NULL, 10),
            .is_called = is_true(values, i, 2),
        };

        r = catalog_add_sequence(p->catalog, &q, err);
    }
    return r;
}

int
planner_run(const struct planner_params *params, struct session *s,
            struct catalog *c, struct err *err)
{
    struct planner p = {.params = params, .session = s, .catalog = c};
    int r;

    r = catalog_begin(c, err);
    if (!r)
        r = plan_tables(&p, err);
    if (!r)
        r = params->no_large_objects
                ? plan_no_large_objects(s, c, err)
                : plan_large_objects(params->chunk_size, s, c, err);
    if (!r)
        r = session_each(s, list_skips, visit_skip, &p, err);
    if (!r)
        r = relations_each_page(s, "{S}", add_sequences, &p, err);
    if (!r)
        r = catalog_commit(c, err);
    catalog_table_free(p.table);
    free(p.unvetted);
    return r;
}
