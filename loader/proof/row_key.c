/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/row_key.h"

#include <stdlib.h>
#include <string.h>

#define RELATION                                                               \
    "(SELECT c.oid FROM pg_catalog.pg_class c"                                 \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE n.nspname = $1 AND c.relname = $2)"

/* Column, type without its modifier (a cast would cut or round), and place in
   the key. */
static const char list_columns[] =
    "WITH k AS (SELECT i.indkey::int2[] AS columns, i.indnkeyatts"
    " FROM pg_catalog.pg_index i WHERE i.indrelid = " RELATION
    "  AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
    "  AND i.indexprs IS NULL AND NOT EXISTS (SELECT"
    "   FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS x (attnum, place)"
    "   JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid"
    "    AND b.attnum = x.attnum"
    "   WHERE x.place <= i.indnkeyatts AND NOT b.attnotnull)"
    " ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) "
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, -1),"
    " (SELECT x.place FROM k,"
    "   pg_catalog.unnest(k.columns) WITH ORDINALITY AS x (attnum, place)"
    "  WHERE x.attnum = a.attnum AND x.place <= k.indnkeyatts),"
    " t.typsend::pg_catalog.regproc,"
    " pg_catalog.format_type(a.atttypid, NULL) "
    "FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid "
    "= " RELATION " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 3";

static int
find_column(const struct catalog_table *t, const char *name, unsigned *ret)
{
    for (*ret = 0; *ret < t->n_columns; ++*ret)
        if (strcmp(t->columns[*ret].name, name) == 0)
            return 1;
    return 0;
}

/* "numeric(10,2)[]" is "numeric[]": modifiers do not change what a value's bytes
   mean. */
static int
is_same_type(const char *staged, const char *here)
{
    while (*staged && *here) {
        if (*staged == '(' && *here != '(')
            staged += strcspn(staged, ")") + 1;
        else if (*staged++ != *here++)
            return 0;
    }
    if (*staged == '(')
        staged += strcspn(staged, ")") + 1;
    return *staged == *here;
}

static int
take_type(struct row_key *k, unsigned column, const PGresult *res, int i,
          const struct catalog_table *t, struct err *err)
{
    if (!is_same_type(t->columns[column].type, PQgetvalue(res, i, 4)))
        return 0;
    k->types[column] = strdup(PQgetvalue(res, i, 1));
    k->sends[column] = strdup(PQgetvalue(res, i, 3));
    return k->types[column] && k->sends[column] ? 0 : err_nomem(err);
}

static int
take_rows(struct row_key *k, const PGresult *res, const struct catalog_table *t,
          struct err *err)
{
    int is_whole = 1;

    for (int i = 0; i < PQntuples(res); i++) {
        int is_key = !PQgetisnull(res, i, 2);
        unsigned column;

        if (!find_column(t, PQgetvalue(res, i, 0), &column)) {
            is_whole = is_whole && !is_key; /* it is generated */
            continue;
        }
        if (take_type(k, column, res, i, t, err))
            return -1;
        if (is_key)
            k->columns[k->n++] = column;
    }
    if (!is_whole)
        k->n = 0;
    return 0;
}

static int
make_room(struct row_key *k, unsigned n_columns, struct err *err)
{
    unsigned n = n_columns ? n_columns : 1;

    *k = (struct row_key){
        .columns = calloc(n, sizeof *k->columns),
        .types = calloc(n, sizeof *k->types),
        .sends = calloc(n, sizeof *k->sends),
        .n_types = n_columns,
    };
    return k->columns && k->types && k->sends ? 0 : err_nomem(err);
}

int
row_key_of_large_objects(struct row_key *ret, struct err *err)
{
    static const char *const types[] = {"pg_catalog.oid", "pg_catalog.int8",
                                        "pg_catalog.bytea"};
    unsigned n = sizeof types / sizeof *types;
    int r = make_room(ret, n, err);

    for (unsigned i = 0; i < n && !r; i++) {
        ret->types[i] = strdup(types[i]);
        r = ret->types[i] ? 0 : err_nomem(err);
    }
    if (r)
        return r;
    ret->n = 2;
    ret->columns[1] = 1;
    return 0;
}

int
row_key_read(struct row_key *ret, struct session *s,
             const struct catalog_table *t, struct err *err)
{
    const char *const name[] = {t->root_name ? t->root_schema : t->schema,
                                t->root_name ? t->root_name : t->name};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = make_room(ret, t->n_columns, err);

    if (!r)
        r = session_query_params(s, list_columns, 2, name, &res, err);
    return r ? r : take_rows(ret, res, t, err);
}

void
row_key_clear(struct row_key *k)
{
    for (unsigned i = 0; i < k->n_types; i++) {
        free(k->types ? k->types[i] : NULL);
        free(k->sends ? k->sends[i] : NULL);
    }
    free(k->types);
    free(k->sends);
    free(k->columns);
    *k = (struct row_key){0};
}

int
row_key_has(const struct row_key *k, unsigned column)
{
    for (unsigned i = 0; i < k->n; i++)
        if (k->columns[i] == column)
            return 1;
    return 0;
}

/* Fields do not say where they end: their lengths are a part of it. */
static struct digest
digest_fields(const struct row_key *k, const struct copy_field *fields)
{
    struct digest sum = {0};

    for (unsigned i = 0; i < k->n; i++) {
        const struct copy_field *f = &fields[k->columns[i]];
        const struct digest one = digest_row(f->data, f->len);
        const uint64_t both[] = {sum.sum_hi, sum.sum_lo, one.sum_hi,
                                 one.sum_lo};

        sum = digest_row(both, sizeof both);
    }
    return sum;
}

int
row_key_digest(const struct row_key *k, const struct catalog_table *t,
               const struct copy_row *row, struct copy_field *fields,
               struct digest *ret, struct err *err)
{
    int r;

    if (k->n == 0) {
        *ret = digest_row(row->data, row->len);
        return 0;
    }
    r = copy_row_split(row->data, row->len, t->format, t->n_columns, fields,
                       err);
    if (!r)
        *ret = digest_fields(k, fields);
    return r;
}
