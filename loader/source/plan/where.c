/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/where.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/cursor.h"
#include "loader/pg/server_error.h"
#include "loader/source/plan/relations.h"
#include "loader/source/plan/selection_private.h"

int
selection_has_where(const struct selection *s)
{
    return s && s->n_wheres > 0;
}

/* ---- the WITH clause ---- */

static const char no_wheres[] =
    ", wheres (oid, rules) AS (SELECT 0::pg_catalog.oid, ''::text"
    " WHERE false) ";

static const char wheres_below[] =
    "), wheres_below (oid, rule) AS (SELECT * FROM wheres_by_name"
    " UNION SELECT i.inhrelid, w.rule FROM wheres_below w"
    "  JOIN pg_catalog.pg_inherits i ON i.inhparent = w.oid), "
    "wheres (oid, rules) AS MATERIALIZED (SELECT oid,"
    " pg_catalog.string_agg(rule::text, ' ' ORDER BY rule)"
    " FROM wheres_below GROUP BY oid) ";

char *
where_write(const struct selection *s, struct session *session,
            const char *path)
{
    struct selection_writing w = {.session = session, .path = path};
    char *sql = NULL;
    size_t len;

    if (s->n_wheres == 0)
        return strdup(no_wheres);
    w.f = open_memstream(&sql, &len);
    if (!w.f)
        return NULL;
    fputs(", wheres_by_name (oid, rule) AS (", w.f);
    for (unsigned i = 0; i < s->n_wheres; i++) {
        fprintf(w.f,
                "%sSELECT c.oid, %u " RELATIONS_FROM "AND c.relkind IN"
                " ('r', 'p') AND ",
                i ? " UNION ALL " : "", i);
        selection_print_match(&w, &s->wheres[i]);
    }
    fputs(wheres_below, w.f);
    if (fclose(w.f) == 0)
        return sql;
    free(sql);
    return NULL;
}

const char *
where_sql(const struct selection *s)
{
    return selection_has_where(s) ? s->where_sql : no_wheres;
}

char *
where_query(const struct selection *s, const char *query)
{
    char *sql;

    return asprintf(&sql, "%s%s%s", selection_sql(s), where_sql(s), query) < 0
               ? NULL
               : sql;
}

/* ---- as one condition ---- */

/* The next number of "0 2"; at the end NULL. */
static const struct rule *
next_rule(const struct selection *s, const char **rules)
{
    char *end;
    unsigned long n = strtoul(*rules, &end, 10);

    if (end == *rules || n >= s->n_wheres)
        return NULL;
    *rules = end;
    return &s->wheres[n];
}

/* A condition may end in a comment. */
static void
print_and(FILE *f, const char *condition, unsigned *n)
{
    fprintf(f, "%s(%s%s)", (*n)++ ? " AND " : "", condition,
            strstr(condition, "--") ? "\n" : "");
}

char *
where_condition(const struct selection *s, const char *rules, const char *also)
{
    const struct rule *rule;
    unsigned n = 0;
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    if (also)
        print_and(f, also, &n);
    while ((rule = next_rule(s, &rules)))
        print_and(f, rule->condition, &n);
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

/* ---- is it one? ---- */

/* What the server says of the text, and not of the connection or the role. */
static int
is_about_text(const struct err *err)
{
    static const char *const classes[] = {"0A", "22", "42", "08P01"};

    if (err->class != ERR_SERVER || strcmp(err->sqlstate, "42501") == 0)
        return 0;
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(err->sqlstate, classes[i], strlen(classes[i])) == 0)
            return 1;
    return 0;
}

static int
blame(const struct rule *rule, const char *schema, const char *table,
      struct err *err)
{
    struct err said = *err;

    if (!is_about_text(err))
        return -1;
    err_set(err, ERR_USAGE, "the condition for table \"%s.%s\" is none: %s",
            schema, table, server_error_words(&said));
    err_detail(err, "It was given with --where \"%s\".%s%s", rule->text,
               *said.detail ? "  " : "", said.detail);
    return err_hint(err, "%s",
                    *said.hint ? said.hint
                               : "Write one boolean expression over the "
                                 "table's columns, with functions' schemas.");
}

/* With the extended protocol, which takes no second statement. */
static int
explain(const struct rule *rule, struct session *session, const char *before,
        const char *table, const char *after, PGresult **ret, struct err *err)
{
    const char *none = NULL;
    char *sql;
    int r;

    if (asprintf(&sql, "EXPLAIN (FORMAT JSON) SELECT %s\n%s\n%s%s", before,
                 rule->condition, after, table) < 0)
        return err_nomem(err);
    r = session_query_params(session, sql, 0, &none, ret, err);
    free(sql);
    return r;
}

/* How many tables a plan reads. */
static unsigned
count_relations(const json_t *plan)
{
    const char *key;
    json_t *value;
    unsigned n = 0;
    size_t i;

    if (json_is_array(plan))
        json_array_foreach(plan, i, value) n += count_relations(value);
    if (json_is_object(plan))
        json_object_foreach((json_t *)plan, key, value) n +=
            strcmp(key, "Relation Name") == 0 ? 1 : count_relations(value);
    return n;
}

static int
require_one_table(const struct rule *rule, const PGresult *res,
                  const char *schema, const char *table, struct err *err)
{
    json_t *plan = json_loads(PQgetvalue(res, 0, 0), 0, NULL);
    unsigned n = count_relations(plan);

    json_decref(plan);
    if (plan && n <= 1)
        return 0;
    err_set(err, ERR_REFUSED,
            "the condition for table \"%s.%s\" reads a table itself", schema,
            table);
    err_detail(err, "It was given with --where \"%s\".", rule->text);
    return err_hint(err, "Write a condition on the row's own columns: no other "
                         "table is locked for it.");
}

static int
check(const struct rule *rule, struct session *session, const char *schema,
      const char *table, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(session, schema, table);
    cleanup_(session_clearp) PGresult *square = NULL, *round = NULL;
    cleanup_(freep) char *from = NULL, *where = NULL;
    int r;

    if (!name || asprintf(&from, "]) FROM ONLY %s", name) < 0 ||
        asprintf(&where, "FROM ONLY %s WHERE (", name) < 0)
        return err_nomem(err);
    r = explain(rule, session, "(ARRAY[", "", from, &square, err);
    if (!r)
        r = explain(rule, session, where, "", ")", &round, err);
    if (r)
        return blame(rule, schema, table, err);
    return require_one_table(rule, round, schema, table, err);
}

int
where_require(const struct selection *s, const char *rules,
              struct session *session, const char *schema, const char *table,
              struct err *err)
{
    const struct rule *rule;
    int r = 0;

    while (!r && (rule = next_rule(s, &rules)))
        r = check(rule, session, schema, table, err);
    return r;
}

/* ---- at the source ---- */

/* The tables that conditions meet, one by one. */
struct meeting {
    const struct selection *selection;
    struct session *session;
    unsigned char *met; /* by rule */
};

enum { M_SCHEMA, M_NAME, M_RULES, M_IS_READ };

static const char list_met[] =
    "SELECT n.nspname, c.relname, w.rules, c.relkind = 'r' " RELATIONS_TABLES
    "JOIN wheres w ON w.oid = c.oid " RELATIONS_WHERE
    "AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'"
    " AND NOT " RELATIONS_UNREADABLE " AND" SELECTION_KEEPS "ORDER BY c.oid";

static int
meet(void *arg, const PGresult *page, struct err *err)
{
    struct meeting *m = arg;
    int r = 0;

    for (int i = 0; i < PQntuples(page) && !r; i++) {
        const char *rules = PQgetvalue(page, i, M_RULES), *at = rules;
        const struct rule *rule;

        while ((rule = next_rule(m->selection, &at)))
            m->met[rule - m->selection->wheres] = 1;
        if (PQgetvalue(page, i, M_IS_READ)[0] == 't')
            r = where_require(m->selection, rules, m->session,
                              PQgetvalue(page, i, M_SCHEMA),
                              PQgetvalue(page, i, M_NAME), err);
    }
    return r;
}

static int
require_met(const struct meeting *m, struct err *err)
{
    for (unsigned i = 0; i < m->selection->n_wheres; i++) {
        if (m->met[i])
            continue;
        err_set(err, ERR_REFUSED,
                "no table that is copied is meant by --where \"%s\"",
                m->selection->wheres[i].text);
        return err_hint(err, "What is before the colon is a pattern as that "
                             "of --table; views and foreign tables have no "
                             "rows that are copied.");
    }
    return 0;
}

/* A session speaks the database's encoding, a command line the terminal's. */
static int
require_ascii(const struct selection *s, struct session *session,
              struct err *err)
{
    const char *encoding = session_encoding(session);

    if (strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0)
        return 0;
    for (unsigned i = 0; i < s->n_wheres; i++)
        for (const char *c = s->wheres[i].condition; *c; c++)
            if ((unsigned char)*c >= 0x80) {
                err_set(err, ERR_REFUSED,
                        "--where \"%s\" has letters beyond ASCII, and the "
                        "database is encoded in %s",
                        s->wheres[i].text, encoding);
                return err_hint(err, "Write them as U&'\\00E9' or chr(233).");
            }
    return 0;
}

static int
meet_all(struct meeting *m, struct err *err)
{
    cleanup_(freep) char *sql = where_query(m->selection, list_met);
    int r;

    if (!sql)
        return err_nomem(err);
    r = cursor_each_page(m->session, sql, RELATIONS_PAGE, meet, m, err);
    return r ? r : require_met(m, err);
}

/* Nobody is waited for longer than a keeper would for its locks. */
static const char begin[] =
    "BEGIN READ ONLY; SELECT pg_catalog.set_config('lock_timeout', '30s', true)"
    " WHERE pg_catalog.current_setting('lock_timeout') = '0'";

int
where_prepare(const struct selection *s, struct session *session,
              struct err *err)
{
    int own = PQtransactionStatus(session_conn(session)) == PQTRANS_IDLE, r;
    cleanup_(freep) unsigned char *met = calloc(s->n_wheres + 1, 1);
    struct meeting m = {s, session, met};
    struct err ignored;

    if (s->n_wheres == 0)
        return 0;
    if (!met)
        return err_nomem(err);
    r = require_ascii(s, session, err);
    if (!r && own)
        r = session_exec(session, begin, err);
    if (!r)
        r = meet_all(&m, err);
    if (own)
        session_exec(session, "ROLLBACK", &ignored);
    return r;
}
