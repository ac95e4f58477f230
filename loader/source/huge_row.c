/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/huge_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/copy_sql.h"
#include "loader/progress/quantity.h"

/* A row below this is not the cause: what is not bytea is measured as it is
   stored, and compressed, so the line is drawn low. */
#define SUSPICIOUS "134217728"
enum { NAMED_MAX = 3 };

int
huge_row_is_suspected(const struct err *why)
{
    /* program_limit_exceeded: a buffer could not grow; internal_error:
       "invalid memory alloc request size". */
    return why->class == ERR_SERVER && (strcmp(why->sqlstate, "54000") == 0 ||
                                        strcmp(why->sqlstate, "XX000") == 0);
}

/* ---- the question ---- */

/* A column, by what its value measures; is_key: it belongs to the primary
   key. */
static const char list_columns[] =
    "SELECT a.attname,"
    " CASE coalesce(b.oid, y.oid) WHEN 17 THEN 'bytea'"
    "   WHEN 25 THEN 'text' WHEN 1043 THEN 'text'"
    "   WHEN 1560 THEN 'bits' WHEN 1562 THEN 'bits' ELSE '' END,"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid"
    "  AND i.indisprimary AND a.attnum = ANY (i.indkey))"
    " FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_type b ON y.typtype = 'd'"
    "   AND b.oid = y.typbasetype"
    " WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped"
    "   AND a.attgenerated = '' ORDER BY a.attnum";

/* How often a byte of the value stands in a row of that format. */
static int
factor_of(const char *kind, enum copy_format format)
{
    if (format == COPY_BINARY)
        return 1;
    return strcmp(kind, "bytea") == 0  ? 2 /* two digits */
           : strcmp(kind, "bits") == 0 ? 8
                                       : 1;
}

/* " + coalesce(octet_length(c)::bigint * 2, 0)" */
static void
print_size(FILE *f, const char *column, const char *kind,
           enum copy_format format)
{
    fprintf(f, " + coalesce(%s(%s)::bigint * %d, 0)",
            *kind ? "pg_catalog.octet_length" : "pg_catalog.pg_column_size",
            column, factor_of(kind, format));
}

/* "SELECT ctid, size, key_1, key_2 ..." of the largest rows. */
static char *
find_largest(struct session *s, const struct catalog_chunk *k,
             const PGresult *columns)
{
    const struct copy_sql_range range = copy_sql_range(k);
    char *sql = NULL, *name;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("SELECT * FROM (SELECT ctid, 0::bigint", f);
    for (int i = 0; i < PQntuples(columns); i++) {
        name = session_ident(s, PQgetvalue(columns, i, 0));
        print_size(f, name ? name : "", PQgetvalue(columns, i, 1),
                   k->table->format);
        session_freemem(name);
    }
    fputs(" AS size", f);
    for (int i = 0; i < PQntuples(columns); i++) {
        if (PQgetvalue(columns, i, 2)[0] != 't')
            continue;
        name = session_ident(s, PQgetvalue(columns, i, 0));
        fprintf(f, ", pg_catalog.left(%s::text, 100)", name ? name : "");
        session_freemem(name);
    }
    name = session_qualified(s, k->table->schema, k->table->name);
    fprintf(f, " FROM ONLY %s", name ? name : "");
    session_freemem(name);
    copy_sql_where(f, k->table->condition, &range);
    fprintf(f,
            ") AS r WHERE size > " SUSPICIOUS " ORDER BY size DESC, ctid"
            " LIMIT %d",
            NAMED_MAX);
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
ask(struct session *s, const struct catalog_chunk *k, PGresult **ret_columns,
    PGresult **ret_rows, struct err *err)
{
    cleanup_(freep) char *sql = NULL;
    char oid[16];
    const char *const values[] = {oid};
    int r;

    snprintf(oid, sizeof oid, "%" PRIu32, k->table->oid);
    r = session_query_params(s, list_columns, 1, values, ret_columns, err);
    if (r)
        return r;
    sql = find_largest(s, k, *ret_columns);
    return sql ? session_query(s, sql, ret_rows, err) : err_nomem(err);
}

/* ---- the answer ---- */

/* "(id, at)=(5, 2024-02-29)", as PostgreSQL names a key; "" without one. */
static void
print_key(FILE *f, const PGresult *columns, const PGresult *rows, int row)
{
    const char *before = ", key (";
    int n = 0;

    if (PQnfields(rows) <= 2)
        return;
    for (int i = 0; i < PQntuples(columns); i++) {
        if (PQgetvalue(columns, i, 2)[0] != 't')
            continue;
        fprintf(f, "%s%s", before, PQgetvalue(columns, i, 0));
        before = ", ";
        n++;
    }
    for (int i = 0; i < n; i++)
        fprintf(f, "%s%s", i ? ", " : ")=(", PQgetvalue(rows, row, 2 + i));
    fputc(')', f);
}

static void
print_rows(FILE *f, const PGresult *columns, const PGresult *rows)
{
    char size[QUANTITY_SIZE];

    for (int i = 0; i < PQntuples(rows); i++) {
        fprintf(f, "%s ctid %s", i ? ";" : "Row at", PQgetvalue(rows, i, 0));
        print_key(f, columns, rows, i);
        fprintf(
            f, ": about %s",
            quantity_bytes(size, strtoull(PQgetvalue(rows, i, 1), NULL, 10)));
    }
    fputs(".", f);
}

static int
say(struct err *why, const struct catalog_table *t, const char *rows)
{
    const char *format = copy_format_name(t->format);
    struct err said = *why;

    err_set(why, ERR_SERVER,
            "table \"%s.%s\" has a row that is too large to be read in %s "
            "format",
            t->schema, t->name, format);
    memcpy(why->sqlstate, said.sqlstate, sizeof why->sqlstate);
    err_detail(why, "%.600s  The source says: %.300s", rows, said.message);
    err_hint(why, t->format == COPY_TEXT
                      ? "In binary format it may fit: --format auto takes that "
                        "where every type has one.  Else make the row smaller, "
                        "or leave the table out."
                      : "Make the row smaller, or leave the table out.");
    return 0;
}

int
huge_row_name(struct session *s, const struct catalog_chunk *k, struct err *why,
              struct err *err)
{
    cleanup_(session_clearp) PGresult *columns = NULL;
    cleanup_(session_clearp) PGresult *rows = NULL;
    cleanup_(freep) char *text = NULL;
    size_t len;
    FILE *f;
    int r;

    r = ask(s, k, &columns, &rows, err);
    if (r)
        return r;
    if (PQntuples(rows) == 0)
        return HUGE_ROW_E_NONE;
    f = open_memstream(&text, &len);
    if (!f)
        return err_nomem(err);
    print_rows(f, columns, rows);
    if (fclose(f))
        return err_nomem(err);
    return say(why, k->table, text);
}

/* ---- another format ---- */

int
huge_row_fits_binary(struct session *s, const struct catalog_table *t, int *ret,
                     struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char oid[16];
    const char *const values[] = {oid};
    int r;

    snprintf(oid, sizeof oid, "%" PRIu32, t->oid);
    r = session_query_params(
        s,
        "SELECT pg_catalog.bool_and(y.typsend <> 0 AND y.typreceive <> 0"
        "  AND (e.oid IS NULL OR e.typsend <> 0 AND e.typreceive <> 0))"
        " FROM pg_catalog.pg_attribute a"
        " JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
        " LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem"
        "   AND y.typcategory = 'A'"
        " WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped"
        "   AND a.attgenerated = ''",
        1, values, &res, err);
    if (!r)
        *ret = PQgetvalue(res, 0, 0)[0] == 't';
    return r;
}
