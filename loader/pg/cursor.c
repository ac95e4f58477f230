/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/cursor.h"

#include <stdio.h>

/* All of it will be read: the server shall not hurry with the first rows.  A
   query over catalogues is not worth compiling, dear as it looks. */
static int
open_cursor(struct session *s, const char *sql, struct err *err)
{
    return session_execf(s, err,
                         "SET LOCAL cursor_tuple_fraction = 1;"
                         "SET LOCAL jit = off;"
                         "DECLARE pghaul_pages NO SCROLL CURSOR FOR %s",
                         sql);
}

static int
each_page(struct session *s, const char *fetch,
          int (*visit)(void *arg, const PGresult *page, struct err *err),
          void *arg, struct err *err)
{
    int r;

    for (;;) {
        cleanup_(session_clearp) PGresult *page = NULL;

        r = session_query(s, fetch, &page, err);
        if (r || PQntuples(page) == 0)
            return r;
        r = visit(arg, page, err);
        if (r)
            return r;
    }
}

int
cursor_each_page(struct session *s, const char *sql, unsigned n_rows,
                 int (*visit)(void *arg, const PGresult *page, struct err *err),
                 void *arg, struct err *err)
{
    char fetch[64];
    struct err ignored;
    int r;

    r = open_cursor(s, sql, err);
    if (r)
        return r;
    snprintf(fetch, sizeof fetch, "FETCH %u FROM pghaul_pages", n_rows);
    r = each_page(s, fetch, visit, arg, err);
    if (!r)
        return session_exec(s, "CLOSE pghaul_pages", err);
    session_exec(s, "CLOSE pghaul_pages", &ignored);
    return r;
}
