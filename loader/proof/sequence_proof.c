/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/sequence_proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/snapshot.h"
#include "loader/source/plan/relations.h"
#include "loader/source/plan/selection.h"

struct proof {
    const struct proof_pair *pair;
    const struct proof_listener *listener;
    struct session *sessions[PROOF_ENDS];
};

/* ---- what one sequence is asked ---- */

static const char about[] =
    "SELECT s.seqincrement, s.seqcycle, o.nspname, o.relname, o.attname"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid"
    " LEFT JOIN LATERAL (SELECT m.nspname, r.relname, a.attname"
    "  FROM pg_catalog.pg_depend d"
    "  JOIN pg_catalog.pg_class r ON r.oid = d.refobjid"
    "  JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace"
    "  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid"
    "   AND a.attnum = d.refobjsubid"
    "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "   AND d.refclassid = d.classid AND d.objid = c.oid"
    "   AND d.deptype IN ('a', 'i')"
    "   AND a.atttypid IN ('int2'::pg_catalog.regtype,"
    "    'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype,"
    "    'numeric'::pg_catalog.regtype)) AS o ON true"
    " WHERE n.nspname = $1 AND c.relname = $2";

enum { A_INCREMENT, A_CYCLES, A_SCHEMA, A_TABLE, A_COLUMN };

/* Its next value; whether that is before $1; the column's last value, and
   whether that is not before the next one. */
static char *
position_query(struct session *s, const struct catalog_sequence *q,
               const PGresult *a)
{
    const char *increment = PQgetvalue(a, 0, A_INCREMENT);
    int down = increment[0] == '-';
    cleanup_(session_freememp) char *name =
        session_qualified(s, q->schema, q->name);
    cleanup_(session_freememp) char *table = session_qualified(
        s, PQgetvalue(a, 0, A_SCHEMA), PQgetvalue(a, 0, A_TABLE));
    cleanup_(session_freememp) char *column =
        session_ident(s, PQgetvalue(a, 0, A_COLUMN));
    cleanup_(freep) char *last = NULL;
    char *sql = NULL;

    if (!name || !table || !column)
        return NULL;
    if (PQgetisnull(a, 0, A_COLUMN))
        last = strdup("NULL::numeric");
    else if (asprintf(&last, "(SELECT %s(%s)::numeric FROM %s)",
                      down ? "min" : "max", column, table) < 0)
        last = NULL;
    if (!last ||
        asprintf(&sql,
                 "SELECT x.next, x.next %c $1::numeric, x.last,"
                 " x.last %c= x.next FROM (SELECT last_value::numeric"
                 "  + CASE WHEN is_called THEN %s ELSE 0 END AS next,"
                 "  %s AS last FROM %s) AS x",
                 down ? '>' : '<', down ? '<' : '>', increment, last, name) < 0)
        return NULL;
    return sql;
}

enum { P_NEXT, P_IS_BEHIND, P_LAST, P_GIVES_AGAIN };

static int
ask(struct session *s, const struct catalog_sequence *q, const PGresult *a,
    const char *than, PGresult **ret, struct err *err)
{
    cleanup_(freep) char *sql = position_query(s, q, a);

    return sql ? session_query_params(s, sql, 1, &than, ret, err)
               : err_nomem(err);
}

/* ---- one sequence ---- */

static void
tell(struct proof *x, const struct catalog_sequence *q,
     enum proof_verdict verdict, const char *what)
{
    cleanup_(freep) char *object = NULL;

    if (asprintf(&object, "%s.%s", q->schema, q->name) < 0)
        object = NULL;
    proof_tell_finding(x->listener, &(struct proof_finding){
                                        .layer = PROOF_SEQUENCES,
                                        .verdict = verdict,
                                        .kind = "sequence",
                                        .object = object ? object : q->name,
                                        .what = what,
                                    });
}

/* In a bag, as it was exported: the next value may be past any int8. */
static char *
next_in_bag(const struct catalog_sequence *q, const PGresult *a)
{
    __extension__ __int128 next = q->last_value;
    char digits[48], *c = digits + sizeof digits;
    int negative;

    if (q->is_called)
        next += strtoll(PQgetvalue(a, 0, A_INCREMENT), NULL, 10);
    negative = next < 0;
    *--c = '\0';
    do {
        int digit = (int)(next % 10);

        *--c = (char)('0' + (digit < 0 ? -digit : digit));
        next /= 10;
    } while (next != 0);
    if (negative)
        *--c = '-';
    return strdup(c);
}

static int
next_on_left(struct proof *x, const struct catalog_sequence *q,
             const PGresult *right, char **ret, struct err *err)
{
    struct session *s = x->sessions[PROOF_LEFT];
    const char *const name[] = {q->schema, q->name};
    cleanup_(session_clearp) PGresult *a = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = 0;

    if (s)
        r = session_query_params(s, about, 2, name, &a, err);
    if (!r && s)
        r = ask(s, q, a, NULL, &res, err);
    if (r)
        return r;
    *ret = s ? strdup(PQgetvalue(res, 0, P_NEXT)) : next_in_bag(q, right);
    return *ret ? 0 : err_nomem(err);
}

static void
judge(struct proof *x, const struct catalog_sequence *q, const PGresult *a,
      const PGresult *p, const char *left)
{
    const char *side = proof_side_name(x->pair->at[PROOF_RIGHT]);
    const char *next = PQgetvalue(p, 0, P_NEXT);
    char what[512];

    if (PQgetvalue(p, 0, P_IS_BEHIND)[0] == 't') {
        snprintf(what, sizeof what,
                 "is behind: it goes on at %s in the %s, at "
                 "%s in the %s",
                 next, side, left, proof_side_name(x->pair->at[PROOF_LEFT]));
        tell(x, q, PROOF_DIFFERS, what);
    } else if (PQgetvalue(p, 0, P_GIVES_AGAIN)[0] == 't') {
        snprintf(what, sizeof what,
                 "goes on at %s in the %s, but column %s of "
                 "%s.%s has got to %s",
                 next, side, PQgetvalue(a, 0, A_COLUMN),
                 PQgetvalue(a, 0, A_SCHEMA), PQgetvalue(a, 0, A_TABLE),
                 PQgetvalue(p, 0, P_LAST));
        tell(x, q, PROOF_DIFFERS, what);
    }
}

static int
prove_one(struct proof *x, const struct catalog_sequence *q, struct err *err)
{
    struct session *s = x->sessions[PROOF_RIGHT];
    const char *const name[] = {q->schema, q->name};
    cleanup_(session_clearp) PGresult *a = NULL;
    cleanup_(session_clearp) PGresult *p = NULL;
    cleanup_(freep) char *left = NULL;
    char what[128];
    int r;

    r = session_query_params(s, about, 2, name, &a, err);
    if (r)
        return r;
    if (PQntuples(a) == 0) {
        snprintf(what, sizeof what, "is missing in the %s",
                 proof_side_name(x->pair->at[PROOF_RIGHT]));
        tell(x, q, PROOF_MISSING, what);
        return 0;
    }
    if (PQgetvalue(a, 0, A_CYCLES)[0] == 't')
        return 0;
    r = next_on_left(x, q, a, &left, err);
    if (!r)
        r = ask(s, q, a, left, &p, err);
    if (!r)
        judge(x, q, a, p, left);
    return r;
}

/* What the right side does not let us see proves nothing; the others may. */
static int
prove(struct proof *x, const struct catalog_sequence *q, struct err *err)
{
    struct session **s = &x->sessions[PROOF_RIGHT];
    int r = prove_one(x, q, err);

    if (!r || err->class != ERR_SERVER || snapshot_is_joined(*s) ||
        session_retry_class(err) != SESSION_RETRY_NEVER)
        return r;
    tell(x, q, PROOF_FAILED, err->message);
    return proof_side_join(x->pair->at[PROOF_RIGHT], s, err);
}

/* ---- all of the left side's ---- */

static int
prove_bag(struct proof *x, struct err *err)
{
    struct catalog *c = proof_side_catalog(x->pair->at[PROOF_LEFT]);
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (!r)
            r = prove(x, q, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
    }
}

static int
visit_page(void *arg, const PGresult *page, struct err *err)
{
    int r = 0;

    for (int i = 0; i < PQntuples(page) && !r; i++)
        r = prove(arg,
                  &(struct catalog_sequence){
                      .schema = PQgetvalue(page, i, 1),
                      .name = PQgetvalue(page, i, 2),
                  },
                  err);
    return r;
}

static int
prove_server(struct proof *x, struct err *err)
{
    struct proof_side *side = x->pair->at[PROOF_LEFT];
    const struct relations which = {
        .session = x->sessions[PROOF_LEFT],
        .selection = proof_side_selection(side),
        .kinds = "{S}",
    };

    return relations_each_page(&which, visit_page, x, err);
}

int
sequence_proof(const struct proof_pair *pair,
               const struct proof_listener *listener, struct err *err)
{
    struct proof x = {.pair = pair, .listener = listener};
    int r = 0;

    if (!proof_side_is_server(pair->at[PROOF_RIGHT]))
        return 0;
    for (int end = 0; end < PROOF_ENDS && !r; end++)
        if (proof_side_is_server(pair->at[end]))
            r = proof_side_join(pair->at[end], &x.sessions[end], err);
    if (!r)
        r = x.sessions[PROOF_LEFT] ? prove_server(&x, err) : prove_bag(&x, err);
    for (int end = 0; end < PROOF_ENDS; end++)
        session_free(x.sessions[end]);
    return r;
}
