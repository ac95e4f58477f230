/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/fingerprint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/relations.h"

void
fingerprint_table(FILE *f, const char *file_node)
{
    fputs(file_node, f);
}

void
fingerprint_column(FILE *f, const char *number, const char *type)
{
    fprintf(f, " %s:%s", number, type);
}

/* "replaced", the file node, and no row's columns, which have numbers and types
   nevertheless. */
static char *
question(struct session *s, const struct catalog_table *t)
{
    cleanup_(session_freememp) char *table =
        session_qualified(s, t->schema, t->name);
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("SELECT " RELATIONS_REPLACED ","
          " pg_catalog.pg_relation_filenode(c.oid), x.*"
          " FROM pg_catalog.pg_class c"
          " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
          " LEFT JOIN (SELECT ",
          f);
    for (unsigned i = 0; i < t->n_columns; i++) {
        cleanup_(session_freememp) char *name =
            session_ident(s, t->columns[i].name);

        fprintf(f, "%s%s", i ? ", " : "", name ? name : "");
    }
    fprintf(f, " FROM ONLY %s LIMIT 0) AS x ON true WHERE c.oid = %" PRIu32,
            table ? table : "", t->oid);
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static char *
print_found(const PGresult *res)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    fingerprint_table(f, PQgetvalue(res, 0, 1));
    for (int i = 2; i < PQnfields(res); i++) {
        char number[16], type[16];

        snprintf(number, sizeof number, "%d", PQftablecol(res, i));
        snprintf(type, sizeof type, "%u", PQftype(res, i));
        fingerprint_column(f, number, type);
    }
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- what is said ---- */

static int
hint(struct err *err)
{
    return err_hint(err, "What is staged is kept.  Give --start-over to throw "
                         "it away and begin again with a new snapshot.");
}

static int
refuse_replaced(const struct catalog_table *t, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "table \"%s.%s\" was truncated, rewritten or replaced after the "
            "snapshot was taken",
            t->schema, t->name);
    err_detail(err, "Its lock was lost; what it held then can be read no "
                    "more.");
    return hint(err);
}

/* The first part in which the two differ: 0 is the file node. */
static unsigned
first_difference(const char *a, const char *b)
{
    unsigned n = 0;

    for (; *a && *a == *b; a++, b++)
        n += *a == ' ';
    /* One of them may have ended where the other goes on. */
    return (*a == ' ' && !*b) || (*b == ' ' && !*a) ? n + 1 : n;
}

static int
refuse_altered(const struct catalog_table *t, unsigned part, struct err *err)
{
    if (part == 0)
        return refuse_replaced(t, err);
    err_set(err, ERR_REFUSED,
            "table \"%s.%s\" was altered after the snapshot was taken",
            t->schema, t->name);
    err_detail(err,
               "Its lock was lost; column \"%s\" was dropped, renamed or given "
               "another type.",
               part <= t->n_columns ? t->columns[part - 1].name : "?");
    return hint(err);
}

int
fingerprint_check(struct session *s, const struct catalog_table *t,
                  struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *found = NULL;
    char *sql;
    int r;

    sql = question(s, t);
    if (!sql)
        return err_nomem(err);
    r = session_query(s, sql, &res, err);
    free(sql);
    if (r)
        return r;
    if (PQntuples(res) != 1 || PQgetvalue(res, 0, 0)[0] != 'f')
        return refuse_replaced(t, err);
    found = print_found(res);
    if (!found)
        return err_nomem(err);
    if (!t->fingerprint || strcmp(found, t->fingerprint) == 0)
        return 0;
    return refuse_altered(t, first_difference(found, t->fingerprint), err);
}
