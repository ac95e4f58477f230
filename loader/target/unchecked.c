/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/unchecked.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/target/places.h"

/* Columns of the referencing table (f) or the key: "f.a, f.b". */
#define COLUMNS_OF_F                                                           \
    "(SELECT pg_catalog.string_agg(pg_catalog.format('f.%I', a.attname), ', '" \
    "  ORDER BY o) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY"           \
    "  AS u (attnum, o) JOIN pg_catalog.pg_attribute a"                        \
    "  ON a.attrelid = k.conrelid AND a.attnum = u.attnum)"

/* "p.x OPERATOR(pg_catalog.=) f.a AND ...", by the constraint's operators. */
#define PAIRS                                                                  \
    "(SELECT pg_catalog.string_agg(pg_catalog.format("                         \
    "   'p.%I OPERATOR(%I.%s) f.%I', pa.attname, n.nspname, op.oprname,"       \
    "   fa.attname), ' AND ' ORDER BY o)"                                      \
    "  FROM ROWS FROM (pg_catalog.unnest(k.conkey),"                           \
    "   pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))"         \
    "   WITH ORDINALITY AS u (f, p, eq, o)"                                    \
    "  JOIN pg_catalog.pg_attribute fa"                                        \
    "   ON fa.attrelid = k.conrelid AND fa.attnum = u.f"                       \
    "  JOIN pg_catalog.pg_attribute pa"                                        \
    "   ON pa.attrelid = k.confrelid AND pa.attnum = u.p"                      \
    "  JOIN pg_catalog.pg_operator op ON op.oid = u.eq"                        \
    "  JOIN pg_catalog.pg_namespace n ON n.oid = op.oprnamespace)"

/*
 * Rows without the row that they refer to.  With MATCH FULL a reference that
 * is null in part is wrong, too.  A table that refers to a partitioned one has
 * a constraint for each of its partitions besides: those say nothing.
 */
#define FOREIGN_KEYS                                                           \
    "SELECT pg_catalog.format('foreign key %I of table %I.%I', k.conname,"     \
    "  e.schema, e.name) AS what, 'refer to rows that are missing' AS why,"    \
    " pg_catalog.format('SELECT pg_catalog.count(*) OVER (), ROW(%1$s)::text"  \
    " FROM ONLY %2$I.%3$I f WHERE %4$s"                                        \
    " AND (NOT ROW(%1$s) IS NOT NULL OR NOT EXISTS (SELECT FROM %5$s%6$I.%7$I" \
    " p WHERE %8$s)) LIMIT 1', " COLUMNS_OF_F ", e.schema, e.name,"            \
    "  CASE k.confmatchtype WHEN 'f'"                                          \
    "   THEN 'NOT ROW(' || " COLUMNS_OF_F " || ') IS NULL'"                    \
    "   ELSE 'ROW(' || " COLUMNS_OF_F " || ') IS NOT NULL' END,"               \
    "  CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END,"                      \
    "  n.nspname, c.relname, " PAIRS ") AS query"                              \
    " FROM here e JOIN pg_catalog.pg_constraint k ON k.conrelid = e.oid"       \
    "  AND k.contype = 'f' AND k.convalidated"                                 \
    " JOIN pg_catalog.pg_class c ON c.oid = k.confrelid"                       \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                \
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint up"               \
    "  WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)"

/* Keys that are there more than once. */
#define LATE_KEYS                                                              \
    "SELECT pg_catalog.format('key %I of table %I.%I', k.conname, e.schema,"   \
    "  e.name), 'are there more than once',"                                   \
    " pg_catalog.format('SELECT pg_catalog.count(*) OVER (), ROW(%1$s)::text"  \
    " FROM ONLY %2$I.%3$I f WHERE %4$s GROUP BY %1$s"                          \
    " HAVING pg_catalog.count(*) > 1 LIMIT 1', " COLUMNS_OF_F ", e.schema,"    \
    "  e.name, CASE WHEN (pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')"   \
    "   ::boolean THEN 'true' ELSE 'ROW(' || " COLUMNS_OF_F                    \
    "   || ') IS NOT NULL' END)"                                               \
    " FROM here e JOIN pg_catalog.pg_constraint k ON k.conrelid = e.oid"       \
    "  AND k.contype IN ('p', 'u') AND k.condeferrable"                        \
    " JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid"

static const char keys[] =
    "CREATE TEMPORARY TABLE pghaul_keys AS "
    "WITH here AS (SELECT DISTINCT e.schema, e.name, c.oid"
    "  FROM " PLACES " e"
    "  JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema"
    "  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
    "   AND c.relname = e.name) "
    "SELECT pg_catalog.row_number() OVER (ORDER BY what) AS n, x.*"
    " FROM (" FOREIGN_KEYS " UNION ALL " LATE_KEYS ") AS x";

enum { NUMBER, WHAT, WHY, QUERY };

static int
check_one(struct session *s, struct progress *p, const PGresult *key,
          unsigned *n_violated, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(s, PQgetvalue(key, 0, QUERY), &res, err);

    if (r || PQntuples(res) == 0)
        return r;
    ++*n_violated;
    progress_note(p, "%s: %s rows %s, first %s", PQgetvalue(key, 0, WHAT),
                  PQgetvalue(res, 0, 0), PQgetvalue(key, 0, WHY),
                  PQgetvalue(res, 0, 1));
    return 0;
}

static int
check_all(struct session *s, struct progress *p, unsigned *n_violated,
          struct err *err)
{
    char last[24] = "0";
    const char *const values[] = {last};
    int r;

    for (;;) {
        cleanup_(session_clearp) PGresult *key = NULL;

        r = session_query_params(s,
                                 "SELECT n, what, why, query"
                                 " FROM pg_temp.pghaul_keys WHERE n > $1"
                                 " ORDER BY n LIMIT 1",
                                 1, values, &key, err);
        if (r || PQntuples(key) == 0)
            return r;
        r = check_one(s, p, key, n_violated, err);
        if (r)
            return r;
        snprintf(last, sizeof last, "%s", PQgetvalue(key, 0, NUMBER));
    }
}

int
unchecked_find(struct session *s, struct progress *p, struct err *err)
{
    unsigned n_violated = 0;
    int r = session_exec(s, "DROP TABLE IF EXISTS pg_temp.pghaul_keys", err);

    if (!r)
        r = session_exec(s, keys, err);
    if (!r)
        r = check_all(s, p, &n_violated, err);
    if (r || n_violated == 0)
        return r;
    err_set(err, ERR_DIFFERS, "the rows in the target violate %u key%s",
            n_violated, n_violated > 1 ? "s" : "");
    err_detail(err, "They were loaded without being checked, since triggers "
                    "were off; each key is named above.");
    return err_hint(err, "Mend the rows and run the same command again, or "
                         "give --no-key-check.");
}
