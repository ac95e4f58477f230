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

/*
 * One that others inherit from, or a partition, has its turn with the whole.
 * Which it is, only the target knows, when the time has come.
 */
static char *
table_statement(struct session *s, const struct catalog_table *t)
{
    cleanup_(session_freememp) char *name =
        session_qualified(s, t->schema, t->name);
    cleanup_(session_freememp) char *literal = NULL, *body = NULL;
    cleanup_(freep) char *code = NULL;
    char *sql = NULL;

    if (name)
        literal = session_literal(s, name);
    if (!literal ||
        asprintf(&code,
                 "BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i"
                 " WHERE i.inhparent = %s::pg_catalog.regclass"
                 "  OR i.inhrelid = %s::pg_catalog.regclass"
                 "  AND %d < 180000 AND EXISTS (SELECT FROM"
                 "   pg_catalog.pg_class c WHERE c.oid = i.inhrelid"
                 "   AND c.relispartition))"
                 " THEN ANALYZE %s; END IF; END",
                 literal, literal, session_server_version(s), name) < 0)
        return NULL;
    body = session_literal(s, code);
    return body && asprintf(&sql, "DO %s", body) >= 0 ? sql : NULL;
}

static int
add_table(struct session *s, struct catalog *c, const struct catalog_table *t,
          struct err *err)
{
    char type[] = "ANALYZE";
    struct catalog_entry entry = {
        .id = -(int64_t)t->id,
        .order = CATALOG_LAST, /* when its indexes are there */
        .type = type,
        .schema = t->schema,
        .name = t->name,
        .table = t->id,
    };
    int r;

    entry.sql = table_statement(s, t);
    if (!entry.sql)
        return err_nomem(err);
    r = catalog_add_entry(c, &entry, err);
    free(entry.sql);
    return r;
}

static int
add_tables(struct session *s, struct catalog *c, struct err *err)
{
    uint64_t last = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(c, last, &t, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = add_table(s, c, t, err);
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

struct adder {
    struct session *session;
    struct catalog *catalog;
};

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
    int r;

    if (!name ||
        asprintf(&entry.sql, "ANALYZE %s%s",
                 PQgetvalue(row, 0, ONLY)[0] == 't' ? "ONLY " : "", name) < 0)
        return err_nomem(err);
    r = catalog_add_entry(x->catalog, &entry, err);
    free(entry.sql);
    return r;
}

int
analyze_add_entries(struct session *s, struct catalog *c,
                    enum analyze_scope scope, struct err *err)
{
    struct adder x = {.session = s, .catalog = c};
    int r = add_tables(s, c, err);

    return r ? r : session_each(s, others[scope], add_other, &x, err);
}
