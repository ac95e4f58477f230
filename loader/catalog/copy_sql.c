/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/copy_sql.h"

#include <inttypes.h>
#include <stdlib.h>

#include "loader/catalog/large_objects.h"

static void
print_columns(FILE *f, struct session *s, const struct catalog_table *t)
{
    for (unsigned i = 0; i < t->n_columns; i++) {
        char *name = session_ident(s, t->columns[i].name);

        fprintf(f, "%s%s", i ? ", " : "", name ? name : "");
        session_freemem(name);
    }
}

static void
print_name(FILE *f, struct session *s, const char *schema, const char *table)
{
    char *name = session_qualified(s, schema, table);

    fputs(name ? name : "", f);
    session_freemem(name);
}

/* The columns' list behind a table's name; "()" is not SQL, and without a list
   COPY takes all columns that are not generated. */
static void
print_list(FILE *f, struct session *s, const struct catalog_table *t)
{
    if (t->n_columns == 0)
        return;
    fputs(" (", f);
    print_columns(f, s, t);
    fputs(")", f);
}

/* A condition may end in a comment: what follows needs a line of its own. */
static const char *
print_condition(FILE *f, const char *word, const char *condition)
{
    if (!condition)
        return word;
    fprintf(f, "%s (%s\n)", word, condition);
    return " AND";
}

static int
is_whole(const struct copy_sql_range *range)
{
    return range->lo == 0 && range->hi == CATALOG_OPEN_END &&
           !range->condition && !range->also;
}

void
copy_sql_where(FILE *f, const char *condition,
               const struct copy_sql_range *range)
{
    const char *word = " WHERE";

    word = print_condition(f, word, condition);
    word = print_condition(f, word, range->condition);
    word = print_condition(f, word, range->also);
    if (range->lo > 0 || range->hi != CATALOG_OPEN_END) {
        fprintf(f, "%s ctid >= '(%" PRIu64 ",0)'::pg_catalog.tid", word,
                range->lo);
        word = " AND";
    }
    if (range->hi != CATALOG_OPEN_END)
        fprintf(f, "%s ctid < '(%" PRIu64 ",0)'::pg_catalog.tid", word,
                range->hi);
}

/*
 * A query could be answered by an index; the table itself is the truth, so all
 * rows of a table are read without one.  ONLY, for a parent's rows are not its
 * children's.
 */
static void
print_rows(FILE *f, struct session *s, const struct catalog_table *t,
           const char *condition, const struct copy_sql_range *range)
{
    if (!condition && is_whole(range)) {
        print_name(f, s, t->schema, t->name);
        print_list(f, s, t);
        return;
    }
    fputs("(SELECT ", f);
    print_columns(f, s, t);
    fputs(" FROM ONLY ", f);
    print_name(f, s, t->schema, t->name);
    copy_sql_where(f, condition, range);
    fputs(")", f);
}

/* A partitioned table cannot be copied without a query. */
static void
print_rows_below_root(FILE *f, struct session *s, const struct catalog_table *t,
                      const struct copy_sql_range *range)
{
    fputs("(SELECT ", f);
    print_columns(f, s, t);
    fputs(" FROM ", f);
    print_name(f, s, t->root_schema, t->root_name);
    copy_sql_where(f, NULL, range);
    fputs(")", f);
}

/* ---- statements ---- */

struct copy_sql_range
copy_sql_range(const struct catalog_chunk *k)
{
    return (struct copy_sql_range){
        .lo = k->lo,
        .hi = k->hi,
        .condition = k->condition,
    };
}

static char *
finish(FILE *f, char **sql)
{
    if (fclose(f) == 0)
        return *sql;
    free(*sql);
    return NULL;
}

typedef void print_fn(FILE *f, struct session *s, const struct catalog_table *t,
                      const struct copy_sql_range *range);

static char *
copy_out(struct session *s, const struct catalog_table *t,
         const struct copy_sql_range *range, print_fn *print)
{
    char *sql = NULL;
    size_t len;
    FILE *f;

    if (t->kind != CATALOG_TABLE)
        return large_objects_copy_out(t->kind, range->lo, range->hi);
    f = open_memstream(&sql, &len);
    if (!f)
        return NULL;
    fputs("COPY ", f);
    print(f, s, t, range);
    fprintf(f, " TO STDOUT (FORMAT %s)", copy_format_name(t->format));
    return finish(f, &sql);
}

static void
print_own(FILE *f, struct session *s, const struct catalog_table *t,
          const struct copy_sql_range *range)
{
    print_rows(f, s, t, t->condition, range);
}

static void
print_loaded(FILE *f, struct session *s, const struct catalog_table *t,
             const struct copy_sql_range *range)
{
    if (t->root_name)
        print_rows_below_root(f, s, t, range);
    else
        print_rows(f, s, t, t->extension ? t->condition : NULL, range);
}

char *
copy_sql_out(struct session *s, const struct catalog_table *t,
             const struct copy_sql_range *range)
{
    return copy_out(s, t, range, print_own);
}

char *
copy_sql_loaded(struct session *s, const struct catalog_table *t,
                const struct copy_sql_range *range)
{
    return copy_out(s, t, range, print_loaded);
}

char *
copy_sql_in(struct session *s, const struct catalog_table *t, int frozen)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("COPY ", f);
    if (t->root_name)
        print_name(f, s, t->root_schema, t->root_name);
    else
        print_name(f, s, t->schema, t->name);
    print_list(f, s, t);
    fprintf(f, " FROM STDIN (FORMAT %s%s)", copy_format_name(t->format),
            frozen ? ", FREEZE" : "");
    return finish(f, &sql);
}
