/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/row_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"
#include "io/printable.h"

enum {
    SHOWN = 60,       /* bytes of a value */
    SHOWN_ROW = 1000, /* of a key */
};

int
copy_fields_equal(const struct copy_field *a, const struct copy_field *b)
{
    if (!a->data || !b->data)
        return !a->data && !b->data;
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* ---- values ---- */

static int
in_hex(const struct copy_field *f, char **ret, struct err *err)
{
    size_t n = f->len < SHOWN ? f->len : SHOWN;
    char *text = malloc(2 * n + 3);

    if (!text)
        return err_nomem(err);
    memcpy(text, "\\x", 3);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 + 2 * i, 3, "%02x", f->data[i]);
    *ret = text;
    return 0;
}

/* format() uses the type's output function; a cast to text may not. */
static int
ask_server(const struct row_text *t, unsigned column,
           const struct copy_field *f, char **ret, struct err *err)
{
    const struct session_value value = {.data = f->data, .len = f->len};
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL;
    int r;

    if (asprintf(&sql, "SELECT pg_catalog.format('%%s', $1::%s)",
                 t->key->types[column]) < 0)
        return err_nomem(err);
    r = session_query_binary(t->session, sql, 1, &value, &res, err);
    /* Of a value that is none the server says that the protocol is violated,
       which trying again does not mend. */
    if (r && strcmp(err->sqlstate, "08P01") == 0)
        err->class = ERR_CORRUPT;
    if (r)
        return r;
    *ret = strdup(PQgetvalue(res, 0, 0));
    return *ret ? 0 : err_nomem(err);
}

int
row_text_value(const struct row_text *t, unsigned column,
               const struct copy_field *f, char **ret, struct err *err)
{
    *ret = NULL;
    if (!f->data)
        return 0;
    if (t->table->format == COPY_TEXT) {
        *ret = copy_field_text(f);
        return *ret ? 0 : err_nomem(err);
    }
    return t->session && t->key->types && t->key->types[column]
               ? ask_server(t, column, f, ret, err)
               : in_hex(f, ret, err);
}

int
row_text_shown(const struct row_text *t, unsigned column,
               const struct copy_field *f, char **ret, struct err *err)
{
    cleanup_(freep) char *value = NULL;
    char shown[PRINTABLE_SIZE(SHOWN)];
    int r = row_text_value(t, column, f, &value, err), is_cut;

    *ret = NULL;
    if (r || !value)
        return r;
    is_cut = strlen(value) > SHOWN;
    if (is_cut)
        value[SHOWN] = '\0';
    if (asprintf(ret, "%s%s", printable(shown, sizeof shown, value),
                 is_cut ? "..." : "") >= 0)
        return 0;
    *ret = NULL;
    return err_nomem(err);
}

const char *
row_text_quote(const char *shown)
{
    size_t n = shown ? strlen(shown) : 0;

    return shown && (n == 0 || shown[0] == ' ' || shown[n - 1] == ' ' ||
                     strcmp(shown, "NULL") == 0)
               ? "\""
               : "";
}

static int
print_shown(const struct row_text *t, unsigned column,
            const struct copy_field *f, const char *mark, FILE *to,
            struct err *err)
{
    char name[PRINTABLE_SIZE(64)];
    cleanup_(freep) char *shown = NULL;
    int r = row_text_shown(t, column, f, &shown, err);

    if (!r)
        fprintf(to, "%s%s = %s%s%s", mark,
                printable(name, sizeof name, t->table->columns[column].name),
                row_text_quote(shown), shown ? shown : "NULL",
                row_text_quote(shown));
    return r;
}

int
row_text_key(const struct row_text *t, const struct copy_field *fields,
             char **ret, struct err *err)
{
    unsigned n = t->key->n ? t->key->n : t->table->n_columns;
    size_t len;
    FILE *to = open_memstream(ret, &len);
    int r = 0;

    if (!to)
        return err_nomem(err);
    if (n == 0)
        fputs("a row without columns", to);
    for (unsigned i = 0; i < n && !r && ftell(to) < SHOWN_ROW; i++) {
        unsigned column = t->key->n ? t->key->columns[i] : i;

        r = print_shown(t, column, &fields[column], i ? ", " : "", to, err);
    }
    if (fclose(to) && !r)
        r = err_nomem(err);
    if (r) {
        free(*ret);
        *ret = NULL;
    }
    return r;
}

/* ---- statements ---- */

static void
print_column(const struct row_text *t, unsigned column, FILE *to)
{
    cleanup_(session_freememp) char *name =
        session_ident(t->session, t->table->columns[column].name);

    fputs(name ? name : "", to);
}

static void
print_table(const struct row_text *t, FILE *to)
{
    const struct catalog_table *c = t->table;
    cleanup_(session_freememp) char *name =
        session_qualified(t->session, c->root_name ? c->root_schema : c->schema,
                          c->root_name ? c->root_name : c->name);

    fputs(name ? name : "", to);
}

static int
print_value(const struct row_text *t, unsigned column,
            const struct copy_field *f, FILE *to, struct err *err)
{
    cleanup_(freep) char *value = NULL;
    cleanup_(session_freememp) char *literal = NULL;
    int r = row_text_value(t, column, f, &value, err);

    if (r)
        return r;
    literal = value ? session_literal(t->session, value) : NULL;
    fputs(value ? literal ? literal : "" : "NULL", to);
    return 0;
}

int
row_text_insert(const struct row_text *t, const struct copy_field *fields,
                uint64_t n, FILE *to, struct err *err)
{
    const struct catalog_table *c = t->table;
    int r = 0;

    for (uint64_t k = 0; k < n && !r; k++) {
        fputs("INSERT INTO ", to);
        print_table(t, to);
        for (unsigned i = 0; i < c->n_columns; i++) {
            fputs(i ? ", " : " (", to);
            print_column(t, i, to);
        }
        fputs(c->n_columns ? ") OVERRIDING SYSTEM VALUE VALUES ("
                           : " DEFAULT VALUES",
              to);
        for (unsigned i = 0; i < c->n_columns && !r; i++) {
            fputs(i ? ", " : "", to);
            r = print_value(t, i, &fields[i], to, err);
        }
        fputs(c->n_columns ? ");\n" : ";\n", to);
    }
    return r;
}

static int
print_where_key(const struct row_text *t, const struct copy_field *fields,
                FILE *to, struct err *err)
{
    int r = 0;

    fputs(" WHERE ", to);
    for (unsigned i = 0; i < t->key->n && !r; i++) {
        fputs(i ? " AND " : "", to);
        print_column(t, t->key->columns[i], to);
        fputs(" = ", to);
        r = print_value(t, t->key->columns[i], &fields[t->key->columns[i]], to,
                        err);
    }
    return r;
}

/* Not every type can be compared, and some are equal that are not the same:
   what the output functions write is. */
static int
print_where_row(const struct row_text *t, const struct copy_field *fields,
                FILE *to, struct err *err)
{
    int r = 0;

    fputs(" WHERE true", to);
    for (unsigned i = 0; i < t->table->n_columns && !r; i++) {
        fputs(" AND ", to);
        if (fields[i].data)
            fputs("pg_catalog.format('%s', ", to);
        print_column(t, i, to);
        fputs(fields[i].data ? ") = " : " IS NULL", to);
        if (fields[i].data)
            r = print_value(t, i, &fields[i], to, err);
        if (fields[i].data) {
            fputs(" AND ", to);
            print_column(t, i, to);
            fputs(" IS NOT NULL", to);
        }
    }
    return r;
}

int
row_text_delete(const struct row_text *t, const struct copy_field *fields,
                uint64_t n, FILE *to, struct err *err)
{
    int r;

    fputs("DELETE FROM ", to);
    print_table(t, to);
    if (t->key->n && n == 1) {
        r = print_where_key(t, fields, to, err);
        fputs(";\n", to);
        return r;
    }
    /* A partition has ctids of its own. */
    fputs(" WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM ", to);
    print_table(t, to);
    r = print_where_row(t, fields, to, err);
    fprintf(to, " LIMIT %" PRIu64 ");\n", n);
    return r;
}

int
row_text_update(const struct row_text *t, const struct copy_field *fields,
                const struct copy_field *others, FILE *to, struct err *err)
{
    const char *word = " SET ";
    int r = 0;

    fputs("UPDATE ", to);
    print_table(t, to);
    for (unsigned i = 0; i < t->table->n_columns && !r; i++) {
        if (copy_fields_equal(&fields[i], &others[i]))
            continue;
        fputs(word, to);
        print_column(t, i, to);
        fputs(" = ", to);
        r = print_value(t, i, &fields[i], to, err);
        word = ", ";
    }
    if (!r)
        r = print_where_key(t, fields, to, err);
    fputs(";\n", to);
    return r;
}
