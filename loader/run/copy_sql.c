/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/copy_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
print_table(FILE *f, struct session *s, const struct catalog_table *t)
{
    char *name = session_qualified(s, t->schema, t->name);

    fputs(name ? name : "", f);
    session_freemem(name);
}

/* "s.t (a, b)"; "()" is not SQL, and without a list COPY takes all columns
   that are not generated. */
static void
print_table_and_columns(FILE *f, struct session *s,
                        const struct catalog_table *t)
{
    print_table(f, s, t);
    if (t->n_columns == 0)
        return;
    fputs(" (", f);
    print_columns(f, s, t);
    fputs(")", f);
}

/* ONLY, for a parent's rows are not its children's. */
static void
print_range(FILE *f, struct session *s, const struct catalog_table *t,
            uint64_t lo, uint64_t hi)
{
    fputs("(SELECT ", f);
    print_columns(f, s, t);
    fputs(" FROM ONLY ", f);
    print_table(f, s, t);
    fprintf(f, " WHERE ctid >= '(%" PRIu64 ",0)'::pg_catalog.tid", lo);
    if (hi != CATALOG_OPEN_END)
        fprintf(f, " AND ctid < '(%" PRIu64 ",0)'::pg_catalog.tid", hi);
    fputs(")", f);
}

static char *
finish(FILE *f, char **sql)
{
    if (fclose(f) == 0)
        return *sql;
    free(*sql);
    return NULL;
}

char *
copy_sql_out(struct session *s, const struct catalog_table *t, uint64_t lo,
             uint64_t hi)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("COPY ", f);
    /* A query could be answered by an index; the table itself is the truth. */
    if (lo == 0 && hi == CATALOG_OPEN_END)
        print_table_and_columns(f, s, t);
    else
        print_range(f, s, t, lo, hi);
    fprintf(f, " TO STDOUT (FORMAT %s)", copy_format_name(t->format));
    return finish(f, &sql);
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
    print_table_and_columns(f, s, t);
    fprintf(f, " FROM STDIN (FORMAT %s%s)", copy_format_name(t->format),
            frozen ? ", FREEZE" : "");
    return finish(f, &sql);
}
