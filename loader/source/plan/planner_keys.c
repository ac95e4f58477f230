/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/source/plan/planner_private.h"

/*
 * Key ranges: by the first column of the primary key, else of another unique
 * index, between whose smallest and largest value bounds are laid at equal
 * distances.  They are only a guess at equal shares; what makes the ranges
 * right is that the first has no lower and the last no upper end, that the
 * server has sorted the bounds and made them distinct, and that NULLs are the
 * first range's.
 */

struct key {
    char *column; /* quoted */
    const struct way *way;
    int may_be_null;
};

/*
 * How bounds are found for a type: which values are left out, as being no
 * numbers or too far out to reckon with, and the i-th of n bounds between lo
 * and hi.
 */
struct way {
    const char *type;
    const char *within; /* of x */
    const char *bound;
};

#define OF_INTEGERS(type)                                                      \
    {                                                                          \
        type, "true",                                                          \
            "pg_catalog.trunc(lo::int8::numeric + (hi::int8::numeric"          \
            " - lo::int8::numeric) * i / n)::int8::" type                      \
    }
#define OF_TIMES(type)                                                         \
    {                                                                          \
        type, "x > '4000-01-01 BC' AND x < '200000-01-01'",                    \
            "lo + (hi - lo) * (i::float8 / n)"                                 \
    }

static const struct way ways[] = {
    OF_INTEGERS("int2"),
    OF_INTEGERS("int4"),
    OF_INTEGERS("int8"),
    OF_INTEGERS("oid"),
    {"numeric", "x > -1e30 AND x < 1e30", "lo + (hi - lo) * i / n"},
    {"date", "x > '4000-01-01 BC' AND x < '200000-01-01'",
     "lo + ((hi - lo)::int8 * i / n)::int4"},
    OF_TIMES("timestamp"),
    OF_TIMES("timestamptz"),
};

static void
key_clear(struct key *k)
{
    session_freemem(k->column);
    *k = (struct key){0};
}

static const struct way *
find_way(const char *type)
{
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i].type, type) == 0)
            return &ways[i];
    return NULL;
}

/* k->column stays NULL when there is none. */
static int
find_key(struct planner *p, const struct catalog_table *t, struct key *k,
         struct err *err)
{
    static const char sql[] =
        "SELECT a.attname, y.typname, a.attnotnull"
        " FROM pg_catalog.pg_index i"
        " JOIN pg_catalog.pg_attribute a"
        "  ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
        "  AND y.typnamespace = 'pg_catalog'::pg_catalog.regnamespace"
        " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_catalog.pg_am am ON am.oid = c.relam"
        " WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid"
        " AND i.indpred IS NULL AND am.amname = 'btree'"
        " AND y.typname = ANY ('{int2,int4,int8,oid,numeric,date,timestamp,"
        "timestamptz}')"
        " ORDER BY i.indisprimary DESC, a.attnotnull DESC, i.indexrelid"
        " LIMIT 1";
    cleanup_(session_clearp) PGresult *res = NULL;
    char oid[16];
    const char *const values[] = {oid};
    int r;

    snprintf(oid, sizeof oid, "%" PRIu32, t->oid);
    r = session_query_params(p->session, sql, 1, values, &res, err);
    if (r || PQntuples(res) == 0)
        return r;
    k->way = find_way(PQgetvalue(res, 0, 1));
    k->may_be_null = !planner_is_true(res, 0, 2);
    k->column = session_ident(p->session, PQgetvalue(res, 0, 0));
    return k->column ? 0 : err_nomem(err);
}

/* Both ends come from the index; "x" is the column in all texts of a way. */
static int
find_bounds(struct planner *p, const struct catalog_table *t,
            const struct key *k, uint64_t n, PGresult **ret, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(p->session, t->schema, t->name);
    char *sql;
    int r;

    if (!name ||
        asprintf(&sql,
                 "WITH ends AS (SELECT pg_catalog.min(x) AS lo,"
                 "  pg_catalog.max(x) AS hi"
                 "  FROM (SELECT %s AS x FROM ONLY %s) AS t WHERE %s)"
                 " SELECT DISTINCT b FROM (SELECT %s AS b FROM ends,"
                 "  pg_catalog.generate_series(1, %" PRIu64 " - 1) AS i,"
                 "  (SELECT %" PRIu64 " AS n) AS n"
                 "  WHERE lo IS NOT NULL) AS x ORDER BY b",
                 k->column, name, k->way->within, k->way->bound, n, n) < 0)
        return err_nomem(err);
    r = session_query(p->session, sql, ret, err);
    free(sql);
    return r;
}

/* ---- conditions ---- */

static void
print_bound(FILE *f, struct planner *p, const struct key *k,
            const char *comparison, const char *bound)
{
    cleanup_(session_freememp) char *literal =
        session_literal(p->session, bound);

    fprintf(f, "%s %s %s::pg_catalog.%s", k->column, comparison,
            literal ? literal : "", k->way->type);
}

/* The range that ends at bound i; the last one has no end. */
static char *
condition(struct planner *p, const struct key *k, const PGresult *bounds, int i)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    if (i > 0)
        print_bound(f, p, k, ">=", PQgetvalue(bounds, i - 1, 0));
    if (i > 0 && i < PQntuples(bounds))
        fputs(" AND ", f);
    if (i < PQntuples(bounds))
        print_bound(f, p, k, "<", PQgetvalue(bounds, i, 0));
    if (i == 0 && k->may_be_null)
        fprintf(f, " OR %s IS NULL", k->column);
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
add_whole(struct planner *p, const struct catalog_table *t, struct err *err)
{
    struct catalog_chunk k = {.hi = CATALOG_OPEN_END, .n_bytes = t->n_bytes};

    return catalog_add_chunk(p->catalog, t->id, &k, err);
}

static int
add_ranges(struct planner *p, const struct catalog_table *t,
           const struct key *key, const PGresult *bounds, struct err *err)
{
    int n = PQntuples(bounds) + 1, r = 0;

    if (n == 1)
        return add_whole(p, t, err);
    for (int i = 0; i < n && !r; i++) {
        struct catalog_chunk k = {
            .hi = CATALOG_OPEN_END,
            .n_bytes = t->n_bytes / (uint64_t)n,
            .condition = condition(p, key, bounds, i),
        };

        if (!k.condition)
            return err_nomem(err);
        r = catalog_add_chunk(p->catalog, t->id, &k, err);
        free(k.condition);
    }
    return r;
}

int
planner_key_ranges(struct planner *p, const struct catalog_table *t, uint64_t n,
                   struct err *err)
{
    cleanup_(session_clearp) PGresult *bounds = NULL;
    struct key k = {0};
    int r;

    if (n < 2)
        return add_whole(p, t, err);
    r = find_key(p, t, &k, err);
    if (!r && !k.column)
        return add_whole(p, t, err);
    if (!r)
        r = find_bounds(p, t, &k, n, &bounds, err);
    if (!r)
        r = add_ranges(p, t, &k, bounds, err);
    key_clear(&k);
    return r;
}
