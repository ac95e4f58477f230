/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/analyze.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/target/places.h"
#include "loader/target/refresh.h"

/* Dump ids are positive, a table's entry has its number, negative; far below
   are the target's OIDs. */
#define FIRST_OF_OIDS (-(INT64_C(1) << 40))

/* ---- tables ---- */

/* One that others inherit from, or a partition, has its turn with the whole.
   Which it is, only the target knows, when the time has come. */
#define STANDS_ALONE                                                           \
    "NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i"                         \
    " WHERE i.inhparent = %1$s::pg_catalog.regclass"                           \
    "  OR i.inhrelid = %1$s::pg_catalog.regclass"                              \
    "  AND pg_catalog.current_setting('server_version_num')::int < 180000"     \
    "  AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = i.inhrelid" \
    "   AND c.relispartition))"

/* It was not analyzed at the source either, or has extended statistics, which
   pg_dump does not tell. */
#define LACKS                                                                  \
    "EXISTS (SELECT FROM pg_catalog.pg_class c"                                \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE c.oid = %1$s::pg_catalog.regclass AND (c.reltuples < 0"            \
    "  OR c.reltuples > 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_stats s"   \
    "   WHERE s.schemaname = n.nspname AND s.tablename = c.relname)"           \
    "  OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext e"                   \
    "   WHERE e.stxrelid = c.oid)))"

#define IF(condition)                                                          \
    "BEGIN IF " condition " THEN ANALYZE %3$s%2$s; END IF; END"

enum when { ALONE, ALONE_AND_LACKING, LACKING };

static const char *const blocks[] = {
    [ALONE] = IF(STANDS_ALONE),
    [ALONE_AND_LACKING] = IF(STANDS_ALONE " AND " LACKS),
    [LACKING] = IF(LACKS),
};

/* ANALYZE of a table if that is true when the time has come. */
static char *
statement_if(struct session *s, enum when when, const char *name,
             const char *only)
{
    cleanup_(session_freememp) char *literal = session_literal(s, name);
    cleanup_(session_freememp) char *body = NULL;
    cleanup_(freep) char *code = NULL;
    char *sql = NULL;

    if (!literal || asprintf(&code, blocks[when], literal, name, only) < 0)
        return NULL;
    body = session_literal(s, code);
    return body && asprintf(&sql, "DO %s", body) >= 0 ? sql : NULL;
}

struct adder {
    struct session *session;
    struct catalog *catalog;
    int lacking;
};

static int
add_table(const struct adder *x, const struct catalog_table *t, struct err *err)
{
    int carried = x->lacking && !t->condition;
    char type[] = "ANALYZE";
    struct catalog_entry entry = {
        .id = -(int64_t)t->id,
        /* when its indexes are there, or all else */
        .order = carried ? CATALOG_TOGETHER : CATALOG_LAST,
        .type = type,
        .schema = t->schema,
        .name = t->name,
        .table = carried ? 0 : t->id,
    };
    cleanup_(session_freememp) char *name =
        session_qualified(x->session, t->schema, t->name);
    int r;

    if (name)
        entry.sql = statement_if(x->session,
                                 carried ? ALONE_AND_LACKING : ALONE, name, "");
    if (!entry.sql)
        return err_nomem(err);
    r = catalog_add_entry(x->catalog, &entry, err);
    free(entry.sql);
    return r;
}

static int
add_tables(const struct adder *x, struct err *err)
{
    uint64_t last = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(x->catalog, last, &t, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = add_table(x, t, err);
        if (r)
            return r;
        last = t->id;
    }
}

/* ---- the others ---- */

/* What has a foreign table below it, or is one. */
#define TORN                                                                   \
    "torn AS (SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'f'"         \
    " UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i"                  \
    "  JOIN torn t ON t.oid = i.inhrelid)"

/*
 * OID, schema, name, and whether ONLY it is meant.  From 18 on each by itself;
 * before, the top of each tree, which takes its partitions along; where the
 * tree is torn, each piece that is whole.
 */
#define OTHERS                                                                 \
    " SELECT c.oid, n.nspname, c.relname,"                                     \
    " c.apart AND (c.relkind = 'p' OR c.torn)"                                 \
    " FROM (SELECT c.*, c.oid IN (SELECT oid FROM torn) AS torn,"              \
    "  c.oid IN (SELECT inhparent FROM pg_catalog.pg_inherits) AS parent,"     \
    "  c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i"              \
    "   JOIN torn ON torn.oid = i.inhparent) AS piece,"                        \
    "  pg_catalog.current_setting('server_version_num')::int >= 180000"        \
    "   AS apart FROM pg_catalog.pg_class c) AS c"                             \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')"             \
    " AND c.relpersistence <> 't' AND CASE"                                    \
    "  WHEN c.relkind = 'm' THEN true"                                         \
    "  WHEN c.relkind = 'r' AND c.parent THEN c.apart OR NOT c.torn"           \
    "  WHEN c.torn THEN false"                                                 \
    "  WHEN c.relkind = 'p' THEN c.apart OR NOT c.relispartition OR c.piece"   \
    "  ELSE c.relkind = 'r' AND NOT c.apart AND c.relispartition AND c.piece"  \
    "  END"

static const char *const others[] = {
    [ANALYZE_ALL] = "WITH RECURSIVE " TORN OTHERS,
    [ANALYZE_LACKING] = "WITH RECURSIVE " TORN OTHERS,
    [ANALYZE_PLACES] =
        "WITH RECURSIVE " TORN ", mine AS (SELECT c.oid FROM " PLACES " p"
        " JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema"
        " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
        "  AND c.relname = p.name"
        " UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i"
        "  JOIN mine m ON m.oid = i.inhrelid)" OTHERS
        " AND (c.oid IN (SELECT oid FROM mine)"
        "  OR c.oid IN (SELECT oid FROM " REFRESHED "))",
};

enum { OID, SCHEMA, NAME, ONLY };

static int
add_other(void *arg, const PGresult *row, struct err *err)
{
    const struct adder *x = arg;
    char type[] = "ANALYZE";
    struct catalog_entry entry = {
        .id =
            FIRST_OF_OIDS - (int64_t)strtoul(PQgetvalue(row, 0, OID), NULL, 10),
        .order = CATALOG_TOGETHER,
        .type = type,
        .schema = PQgetvalue(row, 0, SCHEMA),
        .name = PQgetvalue(row, 0, NAME),
    };
    cleanup_(session_freememp) char *name =
        session_qualified(x->session, entry.schema, entry.name);
    const char *only = PQgetvalue(row, 0, ONLY)[0] == 't' ? "ONLY " : "";
    int r;

    if (name && x->lacking)
        entry.sql = statement_if(x->session, LACKING, name, only);
    else if (name && asprintf(&entry.sql, "ANALYZE %s%s", only, name) < 0)
        entry.sql = NULL;
    if (!entry.sql)
        return err_nomem(err);
    r = catalog_add_entry(x->catalog, &entry, err);
    free(entry.sql);
    return r;
}

int
analyze_add_entries(struct session *s, struct catalog *c,
                    enum analyze_scope scope, struct err *err)
{
    struct adder x = {
        .session = s, .catalog = c, .lacking = scope == ANALYZE_LACKING};
    int r = add_tables(&x, err);

    return r ? r : session_each(s, others[scope], add_other, &x, err);
}
