/* SPDX-License-Identifier: PostgreSQL */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "loader/pg/cursor.h"
#include "loader/source/plan/fingerprint.h"
#include "loader/source/plan/planner_private.h"
#include "loader/source/plan/relations.h"
#include "loader/source/plan/where.h"

enum { PAGE = 1000 }; /* rows, one a column */

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

/*
 * One row a column, one with NULLs for a table that has none; after
 * where_sql() and planner_roots.  Leaves of one root have their columns in the root's order.
 * Two sizes a table are what costs most here: pg_table_size() would open the
 * TOAST's index too and look at every fork, which takes twice as long.
 */
static const char list_tables[] =
    /* What domains stand for, all the way down. */
    ", domains (oid, base) AS ("
    " SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE typtype = 'd'"
    " UNION ALL SELECT d.oid, y.typbasetype FROM domains d"
    "  JOIN pg_catalog.pg_type y ON y.oid = d.base AND y.typtype = 'd'), "
    "bases AS ("
    " SELECT d.oid, d.base FROM domains d"
    " JOIN pg_catalog.pg_type y ON y.oid = d.base AND y.typtype <> 'd'), "
    "extensions AS ("
    " SELECT x.oid, e.extname, x.condition FROM pg_catalog.pg_extension e,"
    "  ROWS FROM (pg_catalog.unnest(e.extconfig),"
    "   pg_catalog.unnest(e.extcondition)) AS x (oid, condition)), "
    "t AS MATERIALIZED ("
    " SELECT c.oid, n.nspname, c.relname, am.amname, c.relfilenode,"
    " " RELATIONS_REPLACED " AS replaced,"
    " pg_catalog.pg_relation_size(c.oid) AS n_heap,"
    " coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)"
    "   AS n_toast,"
    " r.root_schema, r.root_name, r.columns,"
    " x.extname, x.condition, w.rules " RELATIONS_TABLES
    "LEFT JOIN planner_roots r ON r.oid = c.oid "
    "LEFT JOIN wheres w ON w.oid = c.oid "
    "LEFT JOIN extensions x ON x.oid = c.oid " RELATIONS_WHERE
    "AND c.relkind = 'r' AND c.relpersistence <> 't'"
    " AND NOT " RELATIONS_UNREADABLE " AND r.sound IS NOT FALSE"
    " AND" SELECTION_KEEPS ") "
    "SELECT t.oid, t.nspname, t.relname, t.amname = 'heap', t.replaced,"
    " t.n_heap / pg_catalog.current_setting('block_size')::int,"
    " t.n_heap + t.n_toast, t.relfilenode, t.root_schema, t.root_name,"
    " t.extname, t.condition, t.rules, a.attname, a.attnum,"
    " pg_catalog.format_type(a.atttypid, a.atttypmod), b.oid,"
    " b.typtype = 'e'"
    "  OR b.typnamespace = 'pg_catalog'::pg_catalog.regnamespace"
    "  AND b.typname = ANY (" VETTED_TYPES ") "
    "FROM t"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid"
    "  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
    " LEFT JOIN bases ON bases.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_type b"
    "  ON b.oid = coalesce(bases.base, a.atttypid) "
    "ORDER BY t.oid, pg_catalog.array_position(t.columns, a.attname),"
    " a.attnum";

enum {
    T_OID,
    T_SCHEMA,
    T_NAME,
    T_HEAP,
    T_REPLACED,
    T_BLOCKS,
    T_BYTES,
    T_FILE_NODE,
    T_ROOT_SCHEMA,
    T_ROOT_NAME,
    T_EXTENSION,
    T_CONDITION,
    T_WHERE,
    T_COLUMN,
    T_NUMBER,
    T_TYPE,
    T_BASE,
    T_VETTED,
};

/* The table whose columns are coming in. */
struct coming {
    struct planner *planner;
    struct catalog_table *table; /* NULL: none */
    struct planner_cut cut;
    FILE *fingerprint; /* writes to table->fingerprint */
    size_t fingerprint_len;
    char *unvetted; /* the first column that binary cannot carry */
};

/* ---- a table is complete ---- */

static int
choose_format(struct coming *x, struct err *err)
{
    enum planner_format asked = x->planner->params->format;
    struct catalog_table *t = x->table;

    /* Rows of no columns: the binary form has nothing to offer. */
    t->format = asked == PLANNER_TEXT || x->unvetted || t->n_columns == 0
                    ? COPY_TEXT
                    : COPY_BINARY;
    if (asked != PLANNER_BINARY || !x->unvetted)
        return 0;
    err_set(err, ERR_REFUSED,
            "table \"%s.%s\" cannot be copied in binary format", t->schema,
            t->name);
    err_detail(err,
               "Column \"%s\" has a type whose binary form is not known "
               "to be stable.",
               x->unvetted);
    return err_hint(err, "Use --format auto: it takes text for such tables.");
}

static int
close_fingerprint(struct coming *x)
{
    FILE *f = x->fingerprint;

    x->fingerprint = NULL;
    return f ? fclose(f) : 0;
}

static void
forget_table(struct coming *x)
{
    close_fingerprint(x);
    x->table = catalog_table_free(x->table);
    free(x->unvetted);
    x->unvetted = NULL;
}

static int
add_table(struct coming *x, struct err *err)
{
    int r = catalog_add_table(x->planner->catalog, x->table, err);

    x->cut.table = x->table;
    return r ? r : planner_chunks(x->planner, &x->cut, err);
}

/* All columns of the table have come: it can be added. */
static int
finish_table(struct coming *x, struct err *err)
{
    struct planner *p = x->planner;
    int r;

    if (!x->table)
        return 0;
    r = close_fingerprint(x) ? err_nomem(err) : choose_format(x, err);
    if (!r)
        r = planner_is_staged(p, x->table->oid, err);
    if (!r)
        r = add_table(x, err);
    forget_table(x);
    return r == PLANNER_E_STAGED ? 0 : r;
}

/* ---- row by row ---- */

static int
copy_field(char **ret, const PGresult *page, int line, int column,
           struct err *err)
{
    if (PQgetisnull(page, line, column))
        return 0;
    *ret = strdup(PQgetvalue(page, line, column));
    return *ret ? 0 : err_nomem(err);
}

/* Extensions give their condition as "WHERE ...". */
static void
strip_where(char *condition)
{
    const char *at = condition;

    while (isspace((unsigned char)*at))
        at++;
    if (strncasecmp(at, "WHERE", 5) == 0)
        at += 5;
    memmove(condition, at, strlen(at) + 1);
}

static int
copy_names(struct catalog_table *t, const PGresult *page, int line,
           struct err *err)
{
    int r;

    if ((r = copy_field(&t->schema, page, line, T_SCHEMA, err)) ||
        (r = copy_field(&t->name, page, line, T_NAME, err)) ||
        (r = copy_field(&t->root_schema, page, line, T_ROOT_SCHEMA, err)) ||
        (r = copy_field(&t->root_name, page, line, T_ROOT_NAME, err)) ||
        (r = copy_field(&t->extension, page, line, T_EXTENSION, err)) ||
        (r = copy_field(&t->condition, page, line, T_CONDITION, err)))
        return r;
    if (t->condition)
        strip_where(t->condition);
    if (t->condition && !t->condition[0]) {
        free(t->condition);
        t->condition = NULL;
    }
    return 0;
}

/* What a condition of the user's leaves out is named. */
static int
name_where(struct planner *p, const struct catalog_table *t, struct err *err)
{
    char kind[] = "rows of table", *reason;
    struct catalog_skip skip = {
        .kind = kind, .schema = t->schema, .name = t->name, .harmless = 1};
    int r;

    if (asprintf(&reason, "only those are copied for which this is true: %s",
                 t->condition) < 0)
        return err_nomem(err);
    skip.reason = reason;
    r = catalog_add_skip(p->catalog, &skip, err);
    free(reason);
    return r;
}

/* Those of the user's, besides an extension's. */
static int
add_where(struct planner *p, struct catalog_table *t, const PGresult *page,
          int line, struct err *err)
{
    const char *rules = PQgetvalue(page, line, T_WHERE);
    char *condition;
    int r;

    if (!*rules)
        return 0;
    r = where_require(p->params->selection, rules, p->session, t->schema,
                      t->name, err);
    if (r)
        return r;
    condition = where_condition(p->params->selection, rules, t->condition);
    if (!condition)
        return err_nomem(err);
    free(t->condition);
    t->condition = condition;
    return name_where(p, t, err);
}

static int
refuse_replaced(const PGresult *page, int line, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "table \"%s.%s\" was truncated, rewritten or replaced while "
            "the export began",
            PQgetvalue(page, line, T_SCHEMA), PQgetvalue(page, line, T_NAME));
    err_detail(err, "In the snapshot it would look empty.");
    return err_hint(err, "Run the same command again.");
}

static int
begin_table(struct coming *x, const PGresult *page, int line, struct err *err)
{
    struct catalog_table *t;
    int r;

    if (planner_is_true(page, line, T_REPLACED))
        return refuse_replaced(page, line, err);
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    x->table = t;
    t->epoch = x->planner->params->epoch;
    t->oid = (uint32_t)planner_number(page, line, T_OID);
    t->n_bytes = planner_number(page, line, T_BYTES);
    x->cut = (struct planner_cut){
        .n_blocks = planner_number(page, line, T_BLOCKS),
        .by_block = planner_is_true(page, line, T_HEAP) &&
                    session_server_version(x->planner->session) >= 140000,
    };
    x->fingerprint = open_memstream(&t->fingerprint, &x->fingerprint_len);
    if (!x->fingerprint)
        return err_nomem(err);
    fingerprint_table(x->fingerprint, PQgetvalue(page, line, T_FILE_NODE));
    r = copy_names(t, page, line, err);
    return r ? r : add_where(x->planner, t, page, line, err);
}

static int
add_column(struct coming *x, const PGresult *page, int line, struct err *err)
{
    struct catalog_table *t = x->table;
    struct catalog_column *columns, *added;
    int r;

    columns = reallocarray(t->columns, t->n_columns + 1, sizeof *columns);
    if (!columns)
        return err_nomem(err);
    t->columns = columns;
    added = &columns[t->n_columns++];
    *added = (struct catalog_column){0};
    r = copy_field(&added->name, page, line, T_COLUMN, err);
    if (!r)
        r = copy_field(&added->type, page, line, T_TYPE, err);
    if (!r && !x->unvetted && !planner_is_true(page, line, T_VETTED))
        r = copy_field(&x->unvetted, page, line, T_COLUMN, err);
    if (!r)
        fingerprint_column(x->fingerprint, PQgetvalue(page, line, T_NUMBER),
                           PQgetvalue(page, line, T_BASE));
    return r;
}

static int
visit_row(struct coming *x, const PGresult *page, int line, struct err *err)
{
    int r;

    if (!x->table || x->table->oid != planner_number(page, line, T_OID)) {
        r = finish_table(x, err);
        if (!r)
            r = begin_table(x, page, line, err);
        if (r)
            return r;
    }
    return PQgetisnull(page, line, T_COLUMN) ? 0
                                             : add_column(x, page, line, err);
}

static int
visit_page(void *arg, const PGresult *page, struct err *err)
{
    int r = 0;

    for (int line = 0; line < PQntuples(page) && !r; line++)
        r = visit_row(arg, page, line, err);
    return r;
}

int
planner_tables(struct planner *p, struct err *err)
{
    struct coming x = {.planner = p};
    char *sql;
    int r;

    if (asprintf(&sql, "%s%s%s%s", selection_sql(p->params->selection),
                 where_sql(p->params->selection), planner_roots,
                 list_tables) < 0)
        return err_nomem(err);
    r = cursor_each_page(p->session, sql, PAGE, visit_page, &x, err);
    free(sql);
    if (!r)
        r = finish_table(&x, err);
    forget_table(&x);
    return r;
}
