/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the run's tables, told to the target ---- */

static void
print_literal(FILE *f, struct session *s, const char *text)
{
    cleanup_(session_freememp) char *literal = session_literal(s, text);

    fprintf(f, ", %s", literal ? literal : "");
}

/* What is about to be filled: the table, or the root of its family. */
struct place {
    const char *schema, *name;
    int64_t id;
    const char *role;
};

static void
print_rows(FILE *f, struct session *s, const struct catalog_table *t,
           const struct place *at)
{
    unsigned n_rows = t->n_columns ? t->n_columns : 1;

    for (unsigned i = 0; i < n_rows; i++) {
        fprintf(f, "%s(%" PRId64, i ? ", " : "", at->id);
        print_literal(f, s, at->role);
        print_literal(f, s, at->schema);
        print_literal(f, s, at->name);
        fprintf(f, ", %u", i);
        if (t->n_columns) {
            print_literal(f, s, t->columns[i].name);
            print_literal(f, s, t->columns[i].type);
        } else {
            fputs(", NULL, NULL", f);
        }
        fputs(")", f);
    }
}

static int
list_place(struct session *s, const struct catalog_table *t,
           const struct place *at, struct err *err)
{
    cleanup_(freep) char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return err_nomem(err);
    fputs("INSERT INTO " PLACES " VALUES ", f);
    print_rows(f, s, t, at);
    return fclose(f) == 0 ? session_exec(s, sql, err) : err_nomem(err);
}

static int
list_table(struct session *s, const struct catalog_table *t, struct err *err)
{
    const struct place own = {t->schema, t->name, (int64_t)t->id,
                              t->extension ? "extension" : "own"};
    const struct place root = {t->root_schema, t->root_name, -(int64_t)t->id,
                               "root"};
    int r = list_place(s, t, &own, err);

    return r || !t->root_name ? r : list_place(s, t, &root, err);
}

static int
list_sequences(struct session *s, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        const char *const values[] = {q->schema, q->name};
        cleanup_(session_clearp) PGresult *res = NULL;

        r = session_query_params(
            s, "INSERT INTO pg_temp.pghaul_sequences VALUES ($1, $2)", 2,
            values, &res, err);
        if (r)
            return r;
    }
}

static int
list_tables(struct session *s, struct catalog *c, struct err *err)
{
    uint64_t last = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(c, last, &t, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = t->kind == CATALOG_TABLE ? list_table(s, t, err) : 0;
        if (r)
            return r;
        last = t->id;
    }
}

int
places_list(struct session *s, struct catalog *c, struct err *err)
{
    int r;

    r = session_exec(s,
                     "BEGIN;"
                     "CREATE TEMPORARY TABLE pghaul_places (table_id bigint,"
                     " role text, schema text, name text, position int,"
                     " column_name text, type text);"
                     "CREATE TEMPORARY TABLE pghaul_sequences"
                     " (schema text, name text)",
                     err);
    if (!r)
        r = list_tables(s, c, err);
    if (!r)
        r = list_sequences(s, c, err);
    return r ? r
             : session_exec(s,
                            "COMMIT;"
                            "ANALYZE " PLACES,
                            err);
}

int
places_require_empty(struct session *s, const struct catalog_table *t,
                     const char *hint, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(s, t->schema, t->name);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    if (!name)
        return err_nomem(err);
    snprintf(sql, sizeof sql, "SELECT EXISTS (SELECT FROM ONLY %s)", name);
    r = session_query(s, sql, &res, err);
    if (r || PQgetvalue(res, 0, 0)[0] == 'f')
        return r;
    err_set(err, ERR_REFUSED, "table \"%s.%s\" of the target is not empty",
            t->schema, t->name);
    return err_hint(err, "%s", hint);
}

const char places_truncate[] =
    "DO $$ DECLARE names text; BEGIN"
    " SELECT pg_catalog.string_agg(DISTINCT"
    "  pg_catalog.format('ONLY %I.%I', p.schema, p.name), ', ') INTO names"
    "  FROM " PLACES " p JOIN pg_catalog.pg_namespace n"
    "   ON n.nspname = p.schema"
    "  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
    "   AND c.relname = p.name AND c.relkind = 'r'"
    "  WHERE p.role = 'own';"
    " IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names; END IF;"
    " END $$";
