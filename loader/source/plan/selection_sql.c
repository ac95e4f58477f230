/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/relations.h"
#include "loader/source/plan/selection_private.h"

/* ---- conditions ---- */

static void
print_part(struct selection_writing *w, const char *column,
           const struct pattern_part *part)
{
    char *literal = session_literal(w->session, part->text);

    fprintf(w->f,
            part->is_exact
                ? "%s = %s"
                : "%s OPERATOR(pg_catalog.~) %s COLLATE pg_catalog.\"default\"",
            column, literal ? literal : "");
    session_freemem(literal);
}

/* Only what the name alone leads to, as pg_table_is_visible() has it. */
static void
print_visible(struct selection_writing *w)
{
    fprintf(w->f,
            "(n.nspname = ANY (%s) AND NOT EXISTS (SELECT"
            "  FROM pg_catalog.pg_class v_ JOIN pg_catalog.pg_namespace w_"
            "   ON w_.oid = v_.relnamespace WHERE v_.relname = c.relname"
            "   AND pg_catalog.array_position(%s, w_.nspname)"
            "    < pg_catalog.array_position(%s, n.nspname)))",
            w->path, w->path, w->path);
}

void
selection_print_match(struct selection_writing *w, const struct rule *rule)
{
    const struct pattern *p = &rule->pattern;

    fputs("(true", w->f);
    if (selection_is_about_schemas(rule->kind)) {
        if (p->name.text) {
            fputs(" AND ", w->f);
            print_part(w, "n.nspname", &p->name);
        }
    } else {
        if (p->name.text) {
            fputs(" AND ", w->f);
            print_part(w, "c.relname", &p->name);
        }
        if (p->schema.text) {
            fputs(" AND ", w->f);
            print_part(w, "n.nspname", &p->schema);
        }
        if (!p->has_schema) {
            fputs(" AND ", w->f);
            print_visible(w);
        }
    }
    fputs(")", w->f);
}

/* The number of the first rule of these kinds that matches, or NULL. */
static void
print_case(struct selection_writing *w, const struct selection *s,
           unsigned kinds)
{
    fputs("CASE", w->f);
    for (unsigned i = 0; i < s->n_rules; i++)
        if (kinds & 1U << s->rules[i].kind) {
            fputs(" WHEN ", w->f);
            selection_print_match(w, &s->rules[i]);
            fprintf(w->f, " THEN %u", i);
        }
    if (kinds == 0)
        fputs(" WHEN false THEN 0", w->f);
    fputs(" END", w->f);
}

/* ---- the WITH clause ---- */

enum {
    CHOOSING = 1 << SELECTION_SCHEMA | 1 << SELECTION_TABLE,
    EXCLUDING = 1 << SELECTION_EXCLUDE_SCHEMA | 1 << SELECTION_EXCLUDE_TABLE,
};

static unsigned
kinds_of(const struct selection *s, unsigned of)
{
    unsigned kinds = 0;

    for (unsigned k = 0; k <= SELECTION_EXCLUDE_TABLE; k++)
        kinds |= s->n_of[k] ? 1U << k & of : 0;
    return kinds;
}

static void
print_matched(struct selection_writing *w, const struct selection *s,
              const char *name, unsigned kinds)
{
    fprintf(w->f,
            "%s (oid, rule) AS MATERIALIZED (SELECT * FROM (SELECT c.oid, ",
            name);
    print_case(w, s, kinds);
    fputs(" AS rule " RELATIONS_FROM
          "AND c.relkind IN " SELECTION_RELATION_KINDS
          ") AS x WHERE x.rule IS NOT NULL), ",
          w->f);
}

/* Down: partitions and children.  Up: partitioned tables, for a partition that
   was chosen cannot be made without them. */
static const char families[] =
    "excluded (oid, rule) AS (SELECT * FROM excluded_by_name"
    " UNION SELECT i.inhrelid, e.rule FROM excluded e"
    "  JOIN pg_catalog.pg_inherits i ON i.inhparent = e.oid), "
    "chosen_down (oid) AS (SELECT oid FROM chosen_by_name"
    " UNION SELECT i.inhrelid FROM chosen_down d"
    "  JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid"
    "  JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid"
    "   AND p.relispartition), "
    "chosen (oid) AS (SELECT oid FROM chosen_down"
    " UNION SELECT i.inhparent FROM chosen u"
    "  JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid"
    "  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent"
    "   AND p.relkind = 'p'), ";

static const char tables_out[] =
    "tables_out (oid, rule) AS MATERIALIZED ("
    " SELECT oid, min(rule) FROM excluded GROUP BY oid"
    " UNION ALL SELECT c.oid, %d " /* SELECTION_NOT_CHOSEN */
    RELATIONS_FROM "AND c.relkind IN " SELECTION_RELATION_KINDS " AND %s"
    "  AND NOT EXISTS (SELECT FROM chosen h WHERE h.oid = c.oid)"
    "  AND NOT EXISTS (SELECT FROM excluded e WHERE e.oid = c.oid)), ";

static const char left_out[] =
    /* The table that owns a sequence ('a', 'i'). */
    "owned (oid, owner) AS MATERIALIZED (SELECT c.oid, d.refobjid"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d"
    "  ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype IN ('a', 'i')"
    "  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    " WHERE c.relkind = 'S'), "
    /* Sequences that the defaults of tables call which are copied. */
    "used (oid) AS (SELECT d.refobjid FROM pg_catalog.pg_depend d"
    " JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid"
    " WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass"
    "  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.deptype = 'n'"
    "  AND NOT EXISTS (SELECT FROM tables_out t WHERE t.oid = a.adrelid)), "
    "left_out (oid, rule) AS MATERIALIZED ("
    " SELECT t.oid, t.rule FROM tables_out t"
    "  WHERE NOT EXISTS (SELECT FROM owned o WHERE o.oid = t.oid)"
    "   AND NOT (t.rule = %d"
    "    AND EXISTS (SELECT FROM used u WHERE u.oid = t.oid))"
    " UNION ALL SELECT o.oid, t.rule FROM owned o"
    "  JOIN tables_out t ON t.oid = o.owner), ";

/* A schema that no pattern chose is needed for what was chosen in it, and for
   an extension; public is everywhere. */
static const char schemas_out[] =
    "schemas_out (oid) AS MATERIALIZED (SELECT n.oid"
    " FROM pg_catalog.pg_namespace n"
    " WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'"
    "  AND n.nspname !~ '^pg_(toast|temp)' AND (%s"
    "  OR %s AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e"
    "    WHERE e.extnamespace = n.oid)"
    "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
    "    WHERE c.relnamespace = n.oid AND c.relkind "
    "IN " SELECTION_RELATION_KINDS
    "     AND NOT EXISTS (SELECT FROM left_out l WHERE l.oid = c.oid)))) ";

static const char nothing_out[] =
    "WITH RECURSIVE left_out (oid, rule) AS (SELECT 0::pg_catalog.oid, 0"
    " WHERE false), schemas_out (oid) AS (SELECT 0::pg_catalog.oid"
    " WHERE false) ";

/* "(CASE ... END IS NOT NULL)": does n match a rule of that kind? */
static char *
schema_condition(struct selection_writing *w, const struct selection *s,
                 enum selection_kind kind)
{
    struct selection_writing inner = *w;
    char *text = NULL;
    size_t len;

    inner.f = open_memstream(&text, &len);
    if (!inner.f)
        return NULL;
    print_case(&inner, s, s->n_of[kind] ? 1U << kind : 0);
    fputs(" IS NOT NULL", inner.f);
    if (fclose(inner.f) == 0)
        return text;
    free(text);
    return NULL;
}

static void
print_schemas_out(struct selection_writing *w, const struct selection *s)
{
    cleanup_(freep) char *excluded =
        schema_condition(w, s, SELECTION_EXCLUDE_SCHEMA);
    cleanup_(freep) char *chosen = schema_condition(w, s, SELECTION_SCHEMA);
    cleanup_(freep) char *not_chosen = NULL;

    if (!s->n_of[SELECTION_SCHEMA])
        not_chosen = strdup("false");
    else if (!chosen || asprintf(&not_chosen, "NOT (%s)", chosen) < 0)
        not_chosen = NULL;
    /* Without memory it becomes text that no server takes. */
    fprintf(w->f, schemas_out, excluded ? excluded : "",
            not_chosen ? not_chosen : "");
}

char *
selection_write(const struct selection *s, struct session *session,
                const char *path)
{
    struct selection_writing w = {.session = session, .path = path};
    unsigned choosing = kinds_of(s, CHOOSING);
    char *sql = NULL;
    size_t len;

    w.f = open_memstream(&sql, &len);
    if (!w.f)
        return NULL;
    fputs("WITH RECURSIVE ", w.f);
    print_matched(&w, s, "excluded_by_name", kinds_of(s, EXCLUDING));
    print_matched(&w, s, "chosen_by_name", choosing);
    fputs(families, w.f);
    fprintf(w.f, tables_out, SELECTION_NOT_CHOSEN, choosing ? "true" : "false");
    fprintf(w.f, left_out, SELECTION_NOT_CHOSEN);
    print_schemas_out(&w, s);
    if (fclose(w.f) == 0)
        return sql;
    free(sql);
    return NULL;
}

const char *
selection_sql(const struct selection *s)
{
    return selection_is_all(s) ? nothing_out : s->sql;
}

char *
selection_query(const struct selection *s, const char *query)
{
    char *sql;

    return asprintf(&sql, "%s%s", selection_sql(s), query) < 0 ? NULL : sql;
}
