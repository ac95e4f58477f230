/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/by_hand.h"

#include <stdlib.h>
#include <string.h>

static int
is_control(char c)
{
    return (c & 0xe0) == 0 || c == 0x7f;
}

/* For SQL.  A name that has a line feed must not end the line. */
static void
print_ident(FILE *f, const char *name)
{
    int escaped = 0;

    for (const char *c = name; *c; c++)
        escaped |= is_control(*c);
    fputs(escaped ? "U&\"" : "\"", f);
    for (; *name; name++) {
        if (is_control(*name))
            fprintf(f, "\\%04x", *name);
        else if (*name == '"' || (escaped && *name == '\\'))
            fprintf(f, "%c%c", *name, *name);
        else
            fputc(*name, f);
    }
    fputc('"', f);
}

void
by_hand_quoted(FILE *f, const char *text)
{
    fputc('\'', f);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", f);
        else
            fputc(*text, f);
    }
    fputc('\'', f);
}

char *
by_hand_copy(const struct catalog_table *t)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("COPY ", f);
    print_ident(f, t->schema);
    fputc('.', f);
    print_ident(f, t->name);
    for (unsigned i = 0; i < t->n_columns; i++) {
        fputs(i ? ", " : " (", f);
        print_ident(f, t->columns[i].name);
    }
    fprintf(f, ") FROM STDIN (FORMAT %s)", copy_format_name(t->format));
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}
