/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/large_objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    METADATA_OID = 2995, /* of pg_largeobject_metadata */
    N_COLUMNS = 3,
};

struct layout {
    uint32_t oid;
    const char *name;
    const char *columns[N_COLUMNS][2];
};

static const struct layout layouts[] = {
    [CATALOG_LARGE_OBJECTS] =
        {
            .oid = LARGE_OBJECTS_OID,
            .name = "pg_largeobject",
            .columns = {{"loid", "oid"},
                        {"offset", "bigint"},
                        {"data", "bytea"}},
        },
    [CATALOG_LARGE_OBJECT_METADATA] =
        {
            .oid = METADATA_OID,
            .name = "pg_largeobject_metadata",
            .columns = {{"loid", "oid"},
                        {"what", "text"},
                        {"statement", "text"}},
        },
};

static int
add_columns(struct catalog_table *t, const struct layout *l)
{
    t->columns = calloc(N_COLUMNS, sizeof *t->columns);
    if (!t->columns)
        return -1;
    t->n_columns = N_COLUMNS;
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        t->columns[i].name = strdup(l->columns[i][0]);
        t->columns[i].type = strdup(l->columns[i][1]);
        if (!t->columns[i].name || !t->columns[i].type)
            return -1;
    }
    return 0;
}

int
large_objects_table(enum catalog_kind kind, struct catalog_table **ret,
                    struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    const struct layout *l = &layouts[kind];

    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    t->kind = kind;
    t->oid = l->oid;
    t->format = COPY_BINARY;
    t->schema = strdup("pg_catalog");
    t->name = strdup(l->name);
    if (!t->schema || !t->name || add_columns(t, l))
        return err_nomem(err);
    *ret = take(t);
    return 0;
}

/* ---- contents ---- */

/* Rows are made one after the other (a set-returning function in the list of
   columns), so that the offsets of an object of 4 TB are not put by first. */
#define CONTENTS(condition)                                                    \
    "SELECT oid, o, data FROM (SELECT oid, size, o,"                           \
    "  pg_catalog.lo_get(oid, o, 262144) AS data FROM (SELECT oid, size,"      \
    "   pg_catalog.generate_series(0::int8, greatest(size - 1, 0), 262144)"    \
    "    AS o FROM " LARGE_OBJECTS_SIZES(                                      \
        condition) ") AS y OFFSET 0) AS z"                                     \
                   " WHERE o = 0 OR o + 262144 >= size OR data <> "            \
                   "  pg_catalog.decode(pg_catalog.repeat('00', 262144), "     \
                   "'hex')"

/* ---- metadata ---- */

#define OBJECT " LARGE OBJECT ' || m.oid || ' "
#define NAME_OF(role)                                                          \
    "CASE WHEN " role " = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident("        \
    "pg_catalog.pg_get_userbyid(" role ")) END"

/*
 * As pg_dump has it: what the owner has from the beginning is not granted;
 * when it is not there any more, all is revoked first.  What another role has
 * granted can be granted in its name only.
 */
#define GRANTS                                                                 \
    "(SELECT a.grantor, a.grantee, a.is_grantable,"                            \
    "  pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.n) AS p,"       \
    "  pg_catalog.min(a.n) AS n"                                               \
    " FROM pg_catalog.aclexplode(m.lomacl) WITH ORDINALITY AS a (grantor,"     \
    "  grantee, privilege_type, is_grantable, n) GROUP BY 1, 2, 3) AS g"
#define IS_OWNERS_OWN                                                          \
    "(g.grantor = m.lomowner AND g.grantee = m.lomowner"                       \
    " AND NOT g.is_grantable AND g.p = 'SELECT, UPDATE')"

#define ACL                                                                    \
    "SELECT pg_catalog.concat("                                                \
    " CASE WHEN NOT coalesce(pg_catalog.bool_or(" IS_OWNERS_OWN "), false)"    \
    "  THEN 'REVOKE ALL ON" OBJECT "FROM ' || " NAME_OF(                       \
        "m.lomowner") " || ';' END,"                                           \
                      " pg_catalog.string_agg("                                \
                      "  CASE WHEN g.grantor <> m.lomowner THEN 'SET SESSION " \
                      "AUTHORIZATION '"                                        \
                      "   || " NAME_OF(                                        \
                          "g.grantor") " || ';' ELSE '' END"                   \
                                       "  || 'GRANT ' || g.p || ' ON" OBJECT   \
                                       "TO ' || " NAME_OF(                     \
                                           "g.grantee") "  || CASE WHEN "      \
                                                        "g.is_grantable THEN " \
                                                        "' WITH GRANT "        \
                                                        "OPTION;' ELSE ';' "   \
                                                        "END"                  \
                                                        "  || CASE WHEN "      \
                                                        "g.grantor <> "        \
                                                        "m.lomowner"           \
                                                        "   THEN 'RESET "      \
                                                        "SESSION "             \
                                                        "AUTHORIZATION;' "     \
                                                        "ELSE '' END, '' "     \
                                                        "ORDER BY g.n)"        \
                                                        "  FILTER (WHERE "     \
                                                        "NOT " IS_OWNERS_OWN   \
                                                        ")) FROM " GRANTS

#define METADATA(condition)                                                    \
    "SELECT m.oid, s.what, s.statement"                                        \
    " FROM pg_catalog.pg_largeobject_metadata AS m,"                           \
    " LATERAL (SELECT 1 AS n, 'OWNER'::text AS what,"                          \
    "   'ALTER" OBJECT "OWNER TO ' || " NAME_OF(                               \
        "m.lomowner") " || ';'"                                                \
                      "    AS statement"                                       \
                      "  UNION ALL SELECT 2, 'ACL', (" ACL                     \
                      ") WHERE m.lomacl IS NOT NULL"                           \
                      "  UNION ALL SELECT 3, 'COMMENT', 'COMMENT ON" OBJECT    \
                      "IS ' ||"                                                \
                      "   pg_catalog.quote_literal(d.description) || ';'"      \
                      "   FROM pg_catalog.pg_description AS d WHERE d.objoid " \
                      "= m.oid"                                                \
                      "   AND d.classoid = "                                   \
                      "'pg_catalog.pg_largeobject'::pg_catalog.regclass"       \
                      "   AND d.objsubid = 0"                                  \
                      "  UNION ALL SELECT 4, 'SECURITY LABEL', 'SECURITY "     \
                      "LABEL FOR ' ||"                                         \
                      "   pg_catalog.quote_ident(l.provider) || ' ON" OBJECT   \
                      "IS ' ||"                                                \
                      "   pg_catalog.quote_literal(l.label) || ';'"            \
                      "   FROM pg_catalog.pg_seclabel AS l WHERE l.objoid = "  \
                      "m.oid"                                                  \
                      "   AND l.classoid = "                                   \
                      "'pg_catalog.pg_largeobject'::pg_catalog.regclass"       \
                      "   AND l.objsubid = 0) AS s"                            \
                      " WHERE " condition                                      \
                      " AND s.statement <> '' ORDER BY m.oid, s.n"

/* OIDs are not signed: a bare number would be an integer. */
#define BETWEEN(oid)                                                           \
    oid " >= '%" PRIu64 "'::oid AND " oid " <= '%" PRIu64 "'::oid"

char *
large_objects_copy_out(enum catalog_kind kind, uint64_t lo, uint64_t hi)
{
    static const char contents[] =
        "COPY (" CONTENTS(BETWEEN("oid")) ") TO STDOUT (FORMAT binary)";
    static const char metadata[] =
        "COPY (" METADATA(BETWEEN("m.oid")) ") TO STDOUT (FORMAT binary)";
    uint64_t last = hi == CATALOG_OPEN_END ? UINT32_MAX : hi - 1;
    char *sql;
    int n = kind == CATALOG_LARGE_OBJECTS ? asprintf(&sql, contents, lo, last)
                                          : asprintf(&sql, metadata, lo, last);

    return n < 0 ? NULL : sql;
}
