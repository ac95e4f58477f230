/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/left_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/left_out_sql.h"
#include "loader/source/plan/relations.h"

/* ---- skips: relations ---- */

/* The word for a relation's kind. */
#define KIND                                                                   \
    "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'"    \
    " WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence'"                  \
    " ELSE 'table' END"

static const char list_relations[] =
    "SELECT l.rule, " KIND ", pg_catalog.count(*), pg_catalog.array_to_string("
    " (pg_catalog.array_agg(pg_catalog.format('%I.%I', n.nspname, c.relname)"
    "  ORDER BY n.nspname, c.relname))[1:3], ', ')"
    " FROM left_out l JOIN pg_catalog.pg_class c ON c.oid = l.oid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "GROUP BY 1, 2 ORDER BY 1, 2";

struct recording {
    const struct selection *selection;
    struct catalog *catalog;
    int chosen_by_schema;
};

/* "excluded by --exclude-table "log_*" (12 in all)" */
static char *
reason_of(const struct recording *r, unsigned rule, const char *count)
{
    const char *pattern = selection_pattern(r->selection, rule);
    char in_all[48] = "", *text;

    if (strcmp(count, "1") != 0)
        snprintf(in_all, sizeof in_all, " (%s in all)", count);
    if (!pattern)
        return asprintf(&text, "not chosen by %s%s",
                        r->chosen_by_schema ? "--schema" : "--table",
                        in_all) < 0
                   ? NULL
                   : text;
    return asprintf(&text, "excluded by %s \"%s\"%s",
                    selection_option(r->selection, rule), pattern, in_all) < 0
               ? NULL
               : text;
}

static int
visit_relations(void *arg, const PGresult *row, struct err *err)
{
    struct recording *r = arg;
    unsigned rule = (unsigned)atoi(PQgetvalue(row, 0, 0));
    const char *count = PQgetvalue(row, 0, 2);
    cleanup_(freep) char *kind = NULL, *names = NULL, *reason = NULL;
    char none[] = "";
    struct catalog_skip skip = {.schema = none, .harmless = 1};
    int n = atoi(count);

    reason = reason_of(r, rule, count);
    if (!reason ||
        asprintf(&kind, "%s%s", PQgetvalue(row, 0, 1), n > 1 ? "s" : "") < 0 ||
        asprintf(&names, "%s%s", PQgetvalue(row, 0, 3), n > 3 ? ", ..." : "") <
            0)
        return err_nomem(err);
    skip.kind = kind;
    skip.name = names;
    skip.reason = reason;
    return catalog_add_skip(r->catalog, &skip, err);
}

/* ---- skips: what goes with them ---- */

/* Is it part of the table's own definition, or of who may see its rows? */
#define IS_NEEDED                                                              \
    "(g.classid IN (" PG_ATTRDEF ", " PG_POLICY ")"                            \
    " OR g.classid = " PG_CONSTRAINT                                           \
    "  AND (SELECT contype <> 'f' FROM pg_catalog.pg_constraint"               \
    "   WHERE oid = g.objid)"                                                  \
    " OR g.classid = " PG_CLASS                                                \
    "  AND (SELECT relkind NOT IN ('v', 'm', 'i', 'I') FROM"                   \
    "   pg_catalog.pg_class WHERE oid = g.objid))"

/* The first thing that it needs, by itself or, a view, by its rule. */
#define NEEDS                                                                  \
    "(SELECT j.identity FROM pg_catalog.pg_depend d JOIN gone h"               \
    "   ON h.classid = d.refclassid AND h.objid = d.refobjid,"                 \
    "   pg_catalog.pg_identify_object(d.refclassid, d.refobjid, 0) AS j"       \
    "  WHERE d.deptype = 'n' AND (d.classid = g.classid AND d.objid = g.objid" \
    "   OR g.classid = " PG_CLASS " AND d.classid = " PG_REWRITE               \
    "    AND d.objid IN (SELECT w.oid FROM pg_catalog.pg_rewrite w"            \
    "     WHERE w.ev_class = g.objid))"                                        \
    "   AND NOT (h.classid = g.classid AND h.objid = g.objid)"                 \
    "  ORDER BY d.refclassid, d.refobjid LIMIT 1)"

/*
 * Not what belongs to a relation that is left out, or to a view that goes with
 * one (its type, too), nor what an extension made: it goes with these.
 */
static const char list_gone[] = LEFT_OUT_GONE_WITH
    "SELECT g.classid, g.objid, CASE WHEN g.classid = " PG_CONSTRAINT
    "  AND NOT " IS_NEEDED " THEN 'foreign key' ELSE i.type END,"
    " i.identity, " IS_NEEDED ", " NEEDS " FROM gone_with g,"
    " pg_catalog.pg_identify_object(g.classid, g.objid, 0) AS i"
    " WHERE NOT EXISTS (SELECT FROM left_out l WHERE l.oid = g.owner)"
    "  AND NOT EXISTS (SELECT FROM gone v WHERE v.classid = " PG_CLASS
    "   AND v.objid = g.owner"
    "   AND NOT (g.classid = v.classid AND g.objid = v.objid))"
    "  AND NOT (g.classid = " PG_TYPE " AND EXISTS (SELECT"
    "   FROM pg_catalog.pg_type y WHERE y.oid = g.objid"
    "    AND (y.typrelid <> 0 OR y.typelem <> 0)))"
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    "   WHERE d.classid = g.classid AND d.objid = g.objid AND d.deptype = 'e')"
    " ORDER BY 5 DESC, 3, 4";

enum { G_CLASS, G_OID, G_KIND, G_IDENTITY, G_NEEDED, G_WHY };

static int
visit_gone(void *arg, const PGresult *row, struct err *err)
{
    struct recording *r = arg;
    const char *kind = PQgetvalue(row, 0, G_KIND);
    const char *name = PQgetvalue(row, 0, G_IDENTITY);
    const char *why = PQgetvalue(row, 0, G_WHY);
    cleanup_(freep) char *reason = NULL;
    struct catalog_skip skip = {.harmless = 1};
    char none[] = "";

    if (PQgetvalue(row, 0, G_NEEDED)[0] == 't') {
        err_set(err, ERR_REFUSED, "%s %s needs %s, which is left out", kind,
                name, why);
        return err_hint(err, "Choose both, or neither.");
    }
    if (asprintf(&reason, "it needs %s, which is left out", why) < 0)
        return err_nomem(err);
    skip.kind = PQgetvalue(row, 0, G_KIND);
    skip.schema = none;
    skip.name = PQgetvalue(row, 0, G_IDENTITY);
    skip.reason = reason;
    skip.class_oid = (uint32_t)strtoul(PQgetvalue(row, 0, G_CLASS), NULL, 10);
    skip.oid = (uint32_t)strtoul(PQgetvalue(row, 0, G_OID), NULL, 10);
    return catalog_add_skip(r->catalog, &skip, err);
}

static int
each(struct recording *r, struct session *s, const char *query,
     int (*visit)(void *arg, const PGresult *row, struct err *err),
     struct err *err)
{
    cleanup_(freep) char *sql = selection_query(r->selection, query);

    return sql ? session_each(s, sql, visit, r, err) : err_nomem(err);
}

int
left_out_record(const struct selection *selection, struct session *s,
                struct catalog *c, struct err *err)
{
    struct recording r = {.selection = selection, .catalog = c};
    int result;

    if (selection_is_all(selection))
        return 0;
    for (unsigned i = 0; selection_option(selection, i); i++)
        if (strcmp(selection_option(selection, i), "--schema") == 0)
            r.chosen_by_schema = 1;
    result = each(&r, s, list_relations, visit_relations, err);
    return result ? result : each(&r, s, list_gone, visit_gone, err);
}

char *
left_out_gone(const struct selection *selection)
{
    return selection_query(selection, LEFT_OUT_GONE);
}

/* ---- for pg_dump ---- */

/*
 * Exact names, since patterns for tables say nothing of partitions, sequences
 * and what goes with them.  Those that a pattern of --exclude-table names are
 * not repeated: pg_dump gets the pattern.  A name of NULL: all of the schema.
 */
static const char list_names[] = LEFT_OUT_GONE
    ", out (oid) AS (SELECT oid FROM left_out UNION SELECT objid FROM gone"
    "  WHERE classid = " PG_CLASS "), "
    "kept (oid) AS (SELECT DISTINCT c.relnamespace " RELATIONS_FROM
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    " AND NOT EXISTS (SELECT FROM out o WHERE o.oid = c.oid)) "
    "SELECT DISTINCT n.nspname,"
    " CASE WHEN n.oid IN (SELECT oid FROM kept) THEN c.relname END,"
    " false " RELATIONS_FROM "AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    " AND EXISTS (SELECT FROM out o WHERE o.oid = c.oid)"
    " AND NOT EXISTS (SELECT FROM excluded_by_name e WHERE e.oid = c.oid)"
    " AND NOT EXISTS (SELECT FROM schemas_out h WHERE h.oid = n.oid) "
    "UNION ALL SELECT n.nspname, NULL, true FROM schemas_out h"
    " JOIN pg_catalog.pg_namespace n ON n.oid = h.oid "
    "ORDER BY 3, 1, 2";

enum {
    WORDS_MAX = 1 << 20, /* bytes; Linux takes 2 MiB with the environment */
    GROUP_MAX = 4000,    /* a regular expression at the server */
};

static int
add_word(struct left_out_options *o, char *word, struct err *err)
{
    char **words =
        word ? reallocarray(o->words, o->n + 2, sizeof *words) : NULL;

    if (!words) {
        free(word);
        return err_nomem(err);
    }
    o->words = words;
    words[o->n++] = word;
    words[o->n] = NULL;
    o->len += strlen(word) + 1;
    if (o->len <= WORDS_MAX)
        return 0;
    err_set(err, ERR_REFUSED, "too many tables are left out one by one");
    err_detail(err, "Their names do not fit into the arguments of pg_dump.");
    return err_hint(err,
                    "Exclude them by patterns (--exclude-table \"a.b_*\") or "
                    "by schema.");
}

/* A word while it is being written: --exclude-table="s".("a"|"b") */
struct naming {
    struct left_out_options *options;
    char *schema; /* of the group; NULL: schemas */
    char *group;
    size_t len;
    FILE *f; /* NULL: no group is open */
};

static void
print_quoted(FILE *f, const char *name)
{
    fputc('"', f);
    for (const char *c = name; *c; c++) {
        if (*c == '"')
            fputc('"', f);
        fputc(*c, f);
    }
    fputc('"', f);
}

static int
close_group(struct naming *n, struct err *err)
{
    int failed;

    if (!n->f)
        return 0;
    fputc(')', n->f);
    failed = fclose(n->f);
    n->f = NULL;
    free(n->schema);
    n->schema = NULL;
    if (failed) {
        free(n->group);
        return err_nomem(err);
    }
    return add_word(n->options, n->group, err);
}

static int
open_group(struct naming *n, const char *schema, struct err *err)
{
    n->f = open_memstream(&n->group, &n->len);
    n->schema = schema ? strdup(schema) : NULL;
    if (!n->f || (schema && !n->schema))
        return err_nomem(err);
    fputs(schema ? "--exclude-table=" : "--exclude-schema=", n->f);
    if (schema) {
        print_quoted(n->f, schema);
        fputc('.', n->f);
    }
    fputc('(', n->f);
    return 0;
}

static int
add_to_group(struct naming *n, const char *schema, const char *name,
             struct err *err)
{
    int same = n->f && (schema ? n->schema && strcmp(schema, n->schema) == 0
                               : !n->schema);
    int r = 0;

    if (n->f)
        fflush(n->f);
    if (!same || n->len > GROUP_MAX) {
        r = close_group(n, err);
        if (!r)
            r = open_group(n, schema, err);
    } else {
        fputc('|', n->f);
    }
    if (!r)
        print_quoted(n->f, name);
    return r;
}

static int
visit_name(void *arg, const PGresult *row, struct err *err)
{
    struct naming *n = arg;
    const char *schema = PQgetvalue(row, 0, 0);
    int r;

    if (PQgetvalue(row, 0, 2)[0] == 't')
        return add_to_group(n, NULL, schema, err);
    if (!PQgetisnull(row, 0, 1))
        return add_to_group(n, schema, PQgetvalue(row, 0, 1), err);
    r = close_group(n, err);
    if (!r)
        r = open_group(n, schema, err);
    if (r)
        return r;
    fputc('*', n->f);
    return close_group(n, err);
}

static int
add_patterns(const struct selection *selection, struct left_out_options *o,
             struct err *err)
{
    int r = 0;

    for (unsigned i = 0; selection_option(selection, i) && !r; i++) {
        char *word = NULL;

        if (strcmp(selection_option(selection, i), "--exclude-table") != 0)
            continue;
        if (asprintf(&word, "--exclude-table=%s",
                     selection_pattern(selection, i)) < 0)
            word = NULL;
        r = add_word(o, word, err);
    }
    return r;
}

int
left_out_dump_options(const struct selection *selection, struct session *s,
                      struct left_out_options *ret, struct err *err)
{
    struct naming n = {.options = ret};
    cleanup_(freep) char *sql = NULL;
    struct err ignored;
    int r;

    if (selection_is_all(selection))
        return 0;
    sql = selection_query(selection, list_names);
    if (!sql)
        return err_nomem(err);
    r = add_patterns(selection, ret, err);
    if (!r)
        r = session_each(s, sql, visit_name, &n, err);
    if (!r)
        r = close_group(&n, err);
    else if (n.f)
        close_group(&n, &ignored);
    return r;
}

void
left_out_options_clear(struct left_out_options *o)
{
    for (unsigned i = 0; i < o->n; i++)
        free(o->words[i]);
    free(o->words);
    *o = (struct left_out_options){0};
}
