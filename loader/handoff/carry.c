/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/carry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 500 };

/* The sequences of a list of names, as rows of v. */
#define WHERE_THEY_ARE                                                         \
    " JOIN pg_catalog.pg_namespace n ON n.nspname = v.s"                       \
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"                    \
    "  AND c.relname = v.n AND c.relkind = 'S'"                                \
    " JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid"

/* NULL: none was given out, and where the first one comes from only the
   sequence itself knows. */
static const char ask_head[] =
    "SELECT v.s, v.n, pg_catalog.pg_sequence_last_value(c.oid) FROM (VALUES ";
static const char ask_tail[] = ") AS v (s, n)" WHERE_THEY_ARE;

static const char set_head[] =
    "SELECT pg_catalog.count(pg_catalog.setval("
    "x.oid::pg_catalog.regclass,"
    " CASE WHEN stays THEN x.now ELSE x.value END,"
    " x.called OR x.stays)) FROM (SELECT c.oid, "
    "pg_catalog.pg_sequence_last_value(c.oid) AS now,"
    " m.value, v.called,"
    " coalesce(NOT q.seqcycle AND CASE"
    " WHEN q.seqincrement > 0 THEN"
    "  pg_catalog.pg_sequence_last_value(c.oid)"
    "   >= m.value ELSE"
    "  pg_catalog.pg_sequence_last_value(c.oid)"
    "   <= m.value END, false) AS stays"
    " FROM (VALUES ";

/* The margin is $1. */
static const char set_tail[] =
    ") AS v (s, n, value, called)" WHERE_THEY_ARE
    ", LATERAL (SELECT greatest(q.seqmin, least(q.seqmax,"
    "  v.value + $1::numeric * q.seqincrement))::int8 AS value) AS m) AS x";

/* ---- statements ---- */

struct text {
    char *sql;
    size_t len;
    FILE *file;
};

static int
begin(struct text *t, const char *head, struct err *err)
{
    *t = (struct text){0};
    t->file = open_memstream(&t->sql, &t->len);
    if (!t->file)
        return err_nomem(err);
    fputs(head, t->file);
    return 0;
}

static int
end(struct text *t, const char *tail, struct err *err)
{
    fputs(tail, t->file);
    return fclose(t->file) == 0 ? 0 : err_nomem(err);
}

/* "('schema', 'name'" */
static void
put_name(struct text *t, struct session *s, unsigned i, const char *schema,
         const char *name)
{
    cleanup_(session_freememp) char *a = session_literal(s, schema);
    cleanup_(session_freememp) char *b = session_literal(s, name);

    fprintf(t->file, "%s(%s, %s", i ? ", " : "", a ? a : "", b ? b : "");
}

/* ---- a page ---- */

static int
ask_page(struct session *s, struct catalog *c, uint64_t *cursor,
         unsigned *ret_n, PGresult **ret, struct err *err)
{
    struct text t;
    unsigned n = 0;
    int r = begin(&t, ask_head, err);

    for (; !r && n < PAGE; n++) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c, cursor, &q, err);
        if (r)
            break;
        put_name(&t, s, n, q->schema, q->name);
        fputc(')', t.file);
    }
    *ret_n = n;
    if (r == CATALOG_E_NONE)
        r = 0;
    if (end(&t, ask_tail, err))
        r = -1;
    if (!r && n > 0)
        r = session_query(s, t.sql, ret, err);
    free(t.sql);
    return r;
}

static int
ask_uncalled(struct session *s, const char *schema, const char *name,
             PGresult **ret, struct err *err)
{
    cleanup_(session_freememp) char *q = session_qualified(s, schema, name);
    cleanup_(freep) char *sql = NULL;

    if (!q || asprintf(&sql, "SELECT last_value, is_called FROM %s", q) < 0)
        return err_nomem(err);
    return session_query(s, sql, ret, err);
}

static int
put_value(struct text *t, const struct carry *x, const PGresult *page, int i,
          struct err *err)
{
    const char *schema = PQgetvalue(page, i, 0), *name = PQgetvalue(page, i, 1);
    const char *value = PQgetvalue(page, i, 2), *called = "true";
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    if (PQgetisnull(page, i, 2)) {
        r = ask_uncalled(x->from, schema, name, &res, err);
        if (r)
            return r;
        value = PQgetvalue(res, 0, 0);
        called = PQgetvalue(res, 0, 1)[0] == 't' ? "true" : "false";
    }
    put_name(t, x->to, (unsigned)i, schema, name);
    fprintf(t->file, ", (%s)::int8, %s)", value, called);
    return 0;
}

static int
set_page(const struct carry *x, const PGresult *page, uint64_t *ret_n,
         struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char margin[24];
    const char *const values[] = {margin};
    struct text t;
    int r = begin(&t, set_head, err);

    snprintf(margin, sizeof margin, "%" PRIu64, x->margin);
    for (int i = 0; !r && i < PQntuples(page); i++)
        r = put_value(&t, x, page, i, err);
    if (end(&t, set_tail, err))
        r = -1;
    if (!r)
        r = session_query_params(x->to, t.sql, 1, values, &res, err);
    if (!r)
        *ret_n += strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    free(t.sql);
    return r;
}

int
carry_sequences(const struct carry *x, struct catalog *c, struct carried *ret,
                struct err *err)
{
    uint64_t cursor = 0, n_asked = 0;
    unsigned n = PAGE;
    int r = 0;

    *ret = (struct carried){0};
    while (!r && n == PAGE) {
        cleanup_(session_clearp) PGresult *page = NULL;

        r = ask_page(x->from, c, &cursor, &n, &page, err);
        n_asked += n;
        if (!r && n > 0 && PQntuples(page) > 0)
            r = set_page(x, page, &ret->n, err);
    }
    ret->n_missing = n_asked - ret->n;
    return r;
}
