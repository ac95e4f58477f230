/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/aside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/target/places.h"

/* pg_dump's numbers are below, those of ANALYZE negative. */
#define FIRST_ENTRY (INT64_C(1) << 40)

/* ---- what is in the way ---- */

/* An index that serves no constraint and no replica identity, and is no part
   of a partitioned one: that can be made again from its definition. */
#define INDEXES                                                                \
    "SELECT 1 AS rank, e.table_id, 'INDEX' AS kind, n.nspname AS schema,"      \
    " ic.relname AS name,"                                                     \
    " pg_catalog.format('DROP INDEX %I.%I', n.nspname, ic.relname) AS away,"   \
    " pg_catalog.format('SET LOCAL default_tablespace = %L; ',"                \
    "   coalesce(ts.spcname, ''))"                                             \
    " || pg_catalog.pg_get_indexdef(ic.oid)"                                   \
    " || CASE WHEN i.indisclustered THEN pg_catalog.format("                   \
    "   '; ALTER TABLE %I.%I CLUSTER ON %I', e.schema, e.name, ic.relname)"    \
    "   ELSE '' END"                                                           \
    " || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format("            \
    "   '; ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', n.nspname,"   \
    "   ic.relname, a.attnum, a.attstattarget), '')"                           \
    "   FROM pg_catalog.pg_attribute a WHERE a.attrelid = ic.oid"              \
    "   AND a.attstattarget >= 0), '')"                                        \
    " || coalesce(pg_catalog.format('; COMMENT ON INDEX %I.%I IS %L',"         \
    "   n.nspname, ic.relname,"                                                \
    "   pg_catalog.obj_description(ic.oid, 'pg_class')), '') AS back"          \
    " FROM here e"                                                             \
    " JOIN pg_catalog.pg_index i ON i.indrelid = e.oid"                        \
    "  AND i.indisvalid AND NOT i.indisreplident"                              \
    " JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid"                    \
    "  AND ic.relkind = 'i' AND NOT ic.relispartition"                         \
    " JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace"               \
    " LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace"      \
    " WHERE $2 AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k"         \
    "  WHERE k.conindid = ic.oid)"                                             \
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"                     \
    "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"          \
    "    AND d.objid = ic.oid AND d.deptype = 'e')"

/* Checked by triggers that only a superuser may turn off, so the constraint
   itself goes; of a partitioned table the one at the top.  And those that are
   checked late by triggers, and that no simple query could check. */
#define CONSTRAINTS                                                            \
    "SELECT DISTINCT 2, NULL::bigint, 'CONSTRAINT', n.nspname, k.conname,"     \
    " pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I',"               \
    "  n.nspname, c.relname, k.conname),"                                      \
    " pg_catalog.format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s',"             \
    "  n.nspname, c.relname, k.conname,"                                       \
    "  pg_catalog.pg_get_constraintdef(k.oid))"                                \
    " || coalesce(pg_catalog.format('; COMMENT ON CONSTRAINT %I ON %I.%I IS"   \
    " %L', k.conname, n.nspname, c.relname,"                                   \
    "   pg_catalog.obj_description(k.oid, 'pg_constraint')), '')"              \
    " FROM up JOIN pg_catalog.pg_constraint k USING (oid)"                     \
    " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"                        \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE k.conparentid = 0"                                                 \
    " AND (k.contype = 'f' AND (NOT $1"                                        \
    "   OR (pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean)"                 \
    "  OR k.contype = 'x' AND k.condeferrable AND $1)"

/* Those that fire under the role that rows come with. */
#define TRIGGERS                                                               \
    "SELECT 3, e.table_id, 'TRIGGER', e.schema, t.tgname,"                     \
    " pg_catalog.format('ALTER TABLE ONLY %I.%I DISABLE TRIGGER %I',"          \
    "  e.schema, e.name, t.tgname),"                                           \
    " pg_catalog.format('ALTER TABLE ONLY %I.%I ENABLE %s TRIGGER %I',"        \
    "  e.schema, e.name, CASE t.tgenabled WHEN 'R' THEN 'REPLICA'"             \
    "   WHEN 'A' THEN 'ALWAYS' ELSE '' END, t.tgname)"                         \
    " FROM here e JOIN pg_catalog.pg_trigger t ON t.tgrelid = e.oid"           \
    " WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'"                         \
    " AND (NOT $1 OR t.tgenabled <> 'O')"

#define IN_THE_WAY                                                             \
    "WITH RECURSIVE here AS (SELECT DISTINCT e.table_id, e.schema, e.name,"    \
    "  c.oid FROM " PLACES " e"                                                \
    "  JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema"                 \
    "  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"                   \
    "   AND c.relname = e.name),"                                              \
    " up AS (SELECT k.oid, k.conparentid FROM here"                            \
    "   JOIN pg_catalog.pg_constraint k ON k.conrelid = here.oid"              \
    "  UNION SELECT k.oid, k.conparentid FROM up"                              \
    "   JOIN pg_catalog.pg_constraint k ON k.oid = up.conparentid) "           \
    "SELECT pg_catalog.row_number() OVER (ORDER BY rank, table_id, schema,"    \
    "  name) AS n, x.* FROM (" INDEXES " UNION ALL " CONSTRAINTS               \
    " UNION ALL " TRIGGERS ") AS x"

/* ---- putting aside ---- */

static const char *const to_do[] = {
    "DROP TABLE IF EXISTS pg_temp.pghaul_aside",
    "CREATE TEMPORARY TABLE pghaul_aside AS " IN_THE_WAY,
};

static const char *
text_of(int yes)
{
    return yes ? "true" : "false";
}

/* CREATE TABLE AS takes no parameters; these are ours, not a user's. */
static char *
fill_in(const char *sql, const struct aside_params *p)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);

    if (!f)
        return NULL;
    for (; *sql; sql++) {
        if (sql[0] == '$' && (sql[1] == '1' || sql[1] == '2'))
            fputs(text_of(*++sql == '1' ? p->replica : p->indexes), f);
        else
            fputc(*sql, f);
    }
    return fclose(f) == 0 ? out : NULL;
}

static int
list_what_is_in_the_way(const struct aside_params *p, struct session *s,
                        struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < sizeof to_do / sizeof *to_do && !r; i++) {
        cleanup_(freep) char *sql = fill_in(to_do[i], p);

        r = sql ? session_exec(s, sql, err) : err_nomem(err);
    }
    return r;
}

enum { N, RANK, TABLE, KIND, SCHEMA, NAME, AWAY, BACK };

/* The SQL that puts it back, then the thing: both or none. */
static int
put_one(const struct ledger *l, struct session *s, const PGresult *page,
        int line, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {
        l->run,
        PQgetisnull(page, line, TABLE) ? NULL : PQgetvalue(page, line, TABLE),
        PQgetvalue(page, line, KIND),
        PQgetvalue(page, line, SCHEMA),
        PQgetvalue(page, line, NAME),
        PQgetvalue(page, line, BACK)};
    char sql[512];
    int r;

    if (!schema)
        return err_nomem(err);
    snprintf(sql, sizeof sql,
             "INSERT INTO %s.aside (run, id, table_id, kind, schema, name, sql)"
             " SELECT $1::uuid, coalesce(max(id), 0) + 1, $2::int8, $3, $4, $5,"
             " $6 FROM %s.aside WHERE run = $1::uuid ON CONFLICT DO NOTHING",
             schema, schema);
    r = session_exec(s, "BEGIN; SET LOCAL lock_timeout = '30s'", err);
    if (!r)
        r = session_query_params(s, sql, 6, values, &res, err);
    if (!r)
        r = session_exec(s, PQgetvalue(page, line, AWAY), err);
    return r ? r : session_exec(s, "COMMIT", err);
}

static int
put_page(const struct ledger *l, struct session *s, const PGresult *page,
         struct err *err)
{
    struct err ignored;
    int r = 0;

    for (int i = 0; i < PQntuples(page) && !r; i++)
        r = put_one(l, s, page, i, err);
    if (r)
        session_exec(s, "ROLLBACK", &ignored);
    return r;
}

int
aside_put(const struct aside_params *p, struct session *s, struct err *err)
{
    char last[24] = "0";
    const char *const values[] = {last};
    int r = list_what_is_in_the_way(p, s, err);

    while (!r) {
        cleanup_(session_clearp) PGresult *page = NULL;

        r = session_query_params(
            s,
            "SELECT n, rank, table_id, kind, schema, name, away, back"
            " FROM pg_temp.pghaul_aside WHERE n > $1 ORDER BY n LIMIT 200",
            1, values, &page, err);
        if (r || PQntuples(page) == 0)
            break;
        r = put_page(p->ledger, s, page, err);
        snprintf(last, sizeof last, "%s",
                 PQgetvalue(page, PQntuples(page) - 1, N));
    }
    return r;
}

/* ---- putting back ---- */

/* Those that are aside now, in the order in which they went. */
static char *
list_aside(const struct ledger *l, struct session *s)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_freememp) char *run = session_literal(s, l->run);
    char *sql;

    if (!schema || !run ||
        asprintf(&sql,
                 "SELECT a.id, coalesce(a.table_id, 0), a.kind, a.schema,"
                 " a.name, a.sql FROM %s.aside a WHERE a.run = %s"
                 " ORDER BY a.id",
                 schema, run) < 0)
        return NULL;
    return sql;
}

static int
add_entry(void *arg, const PGresult *row, struct err *err)
{
    int64_t id = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    struct catalog_entry entry = {
        .id = FIRST_ENTRY + id,
        .order = (unsigned)id,
        .type = PQgetvalue(row, 0, 2),
        .schema = PQgetvalue(row, 0, 3),
        .name = PQgetvalue(row, 0, 4),
        .sql = PQgetvalue(row, 0, 5),
    };

    if (strcmp(entry.type, "INDEX") == 0)
        entry.table = strtoull(PQgetvalue(row, 0, 1), NULL, 10);
    return catalog_add_entry(arg, &entry, err);
}

int
aside_add_entries(const struct ledger *l, struct session *s, struct catalog *c,
                  struct err *err)
{
    cleanup_(freep) char *sql = list_aside(l, s);

    return sql ? session_each(s, sql, add_entry, c, err) : err_nomem(err);
}

/* The first that no entry has put back. */
static int
next_aside(const struct ledger *l, struct session *s, PGresult **ret,
           struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(freep) char *sql = NULL;

    if (!schema ||
        asprintf(&sql,
                 "SELECT a.id, a.sql FROM %s.aside a WHERE a.run = $1"
                 " AND NOT EXISTS (SELECT FROM %s.ledger d"
                 "  WHERE d.run = a.run AND d.kind = 'post-data'"
                 "  AND d.id = a.id + %" PRId64 ") ORDER BY a.id LIMIT 1",
                 schema, schema, FIRST_ENTRY) < 0)
        return err_nomem(err);
    return session_query_params(s, sql, 1, &l->run, ret, err);
}

static int
put_back(const struct ledger *l, struct session *s, const PGresult *res,
         struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_freememp) char *run = session_literal(s, l->run);
    struct err ignored;
    int r;

    if (!schema || !run)
        return err_nomem(err);
    r = session_exec(s, "BEGIN; SET LOCAL lock_timeout = '30s'", err);
    if (!r)
        r = session_exec(s, PQgetvalue(res, 0, 1), err);
    if (!r)
        r = session_execf(s, err,
                          "DELETE FROM %s.aside WHERE run = %s AND id = %s",
                          schema, run, PQgetvalue(res, 0, 0));
    if (!r)
        return session_exec(s, "COMMIT", err);
    session_exec(s, "ROLLBACK", &ignored);
    return r;
}

int
aside_put_back(const struct ledger *l, struct session *s, unsigned *ret_n,
               struct err *err)
{
    int r;

    for (*ret_n = 0;; ++*ret_n) {
        cleanup_(session_clearp) PGresult *res = NULL;

        r = next_aside(l, s, &res, err);
        if (r || PQntuples(res) == 0)
            return r;
        r = put_back(l, s, res, err);
        if (r)
            return r;
    }
}
