/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/sequences.h"

#include <inttypes.h>
#include <stdio.h>

static const char set[] =
    "SELECT pg_catalog.setval($1::pg_catalog.regclass, $2::int8, $3::bool)";

/*
 * Writes the statement that moves the sequence to the last value of the column
 * that owns it, where there is one; it returns a row when it did so.
 */
static const char raise[] =
    "SELECT pg_catalog.format('SELECT pg_catalog.setval(%L, m::int8), m FROM"
    " (SELECT greatest(%s, least(%s, v)) AS m FROM (SELECT %s(%I) AS v"
    "  FROM %I.%I) AS y WHERE v IS NOT NULL) AS x, %s AS q"
    " WHERE CASE WHEN is_called THEN m %s last_value"
    "  ELSE m %s= last_value END',"
    " $1::text, s.seqmin, s.seqmax, CASE WHEN up THEN 'max' ELSE 'min' END,"
    " a.attname, n.nspname, c.relname, $1::text, more, more)"
    " FROM (SELECT *, seqincrement > 0 AS up, CASE WHEN seqincrement > 0"
    "   THEN '>' ELSE '<' END AS more FROM pg_catalog.pg_sequence) AS s"
    " JOIN pg_catalog.pg_depend d ON d.objid = s.seqrelid"
    "  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.refclassid = d.classid AND d.refobjsubid > 0"
    "  AND d.deptype IN ('a', 'i')"
    " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    "  AND a.attnum = d.refobjsubid"
    " WHERE s.seqrelid = $1::text::pg_catalog.regclass AND NOT s.seqcycle"
    " AND a.atttypid IN ('int2'::pg_catalog.regtype,"
    "  'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype,"
    "  'numeric'::pg_catalog.regtype)";

struct setter {
    struct session *session;
    struct progress *progress;
    uint64_t margin;
};

static int
set_value(struct setter *x, const char *name, const struct catalog_sequence *q,
          struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char value[24];

    snprintf(value, sizeof value, "%" PRId64, q->last_value);
    return session_query_params(
        x->session, set, 3,
        (const char *const[]){name, value, q->is_called ? "t" : "f"}, &res,
        err);
}

/* The column's value would be given out again. */
static int
move_past_column(struct setter *x, const char *name,
                 const struct catalog_sequence *q, struct err *err)
{
    cleanup_(session_clearp) PGresult *statement = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query_params(x->session, raise, 1, &name, &statement, err);
    if (r || PQntuples(statement) == 0)
        return r;
    r = session_query(x->session, PQgetvalue(statement, 0, 0), &res, err);
    if (!r && PQntuples(res) > 0)
        progress_note(x->progress,
                      "sequence %s.%s was behind its column, at the source "
                      "too: it goes on after %s",
                      q->schema, q->name, PQgetvalue(res, 0, 1));
    return r;
}

/* Its values stay those that the increment reaches. */
static int
skip_margin(struct setter *x, const char *name, struct err *err)
{
    cleanup_(session_freememp) char *literal = NULL;

    if (x->margin == 0)
        return 0;
    literal = session_literal(x->session, name);
    if (!literal)
        return err_nomem(err);
    return session_execf(
        x->session, err,
        "SELECT pg_catalog.setval(%s, (q.last_value + s.seqincrement"
        " * greatest(0, least(%" PRIu64 ", pg_catalog.floor((CASE WHEN"
        "  s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END::numeric"
        "   - q.last_value) / s.seqincrement))))::int8, q.is_called)"
        " FROM %s AS q, pg_catalog.pg_sequence AS s"
        " WHERE s.seqrelid = %s::pg_catalog.regclass AND NOT s.seqcycle",
        literal, x->margin, name, literal);
}

static int
set_one(struct setter *x, const struct catalog_sequence *q, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(x->session, q->schema, q->name);
    int r;

    if (!name)
        return err_nomem(err);
    r = set_value(x, name, q, err);
    if (!r)
        r = move_past_column(x, name, q, err);
    return r ? r : skip_margin(x, name, err);
}

int
sequences_set(struct session *s, struct catalog *c, uint64_t margin,
              struct progress *p, struct err *err)
{
    struct setter x = {.session = s, .progress = p, .margin = margin};
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = set_one(&x, q, err);
        if (r)
            return r;
    }
}
