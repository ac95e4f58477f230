/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/misfits.h"

#include <inttypes.h>

#include "loader/target/places.h"

enum { NOTED_MAX = 1000 }; /* lines; who has more has taken another target */

/* The run's tables and what is there under their names. */
#define HERE                                                                   \
    "here AS (SELECT DISTINCT e.table_id, e.role, e.schema, e.name, c.oid,"    \
    "  c.relkind = CASE e.role WHEN 'root' THEN 'p' ELSE 'r' END AS fits"      \
    " FROM " PLACES " e"                                                       \
    " LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = e.schema"             \
    " LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"               \
    "  AND c.relname = e.name)"

static const char misfits[] =
    "WITH " HERE ", wrong AS ("
    "SELECT table_id, 0 AS position,"
    " pg_catalog.format('table %I.%I', schema, name) AS what,"
    " CASE WHEN oid IS NULL THEN 'it is missing'"
    "  WHEN role = 'root' THEN 'it is not partitioned'"
    "  ELSE 'it is no ordinary table' END AS why"
    " FROM here WHERE fits IS NOT TRUE "
    "UNION ALL "
    "SELECT h.table_id, e.position + 1,"
    " pg_catalog.format('column %I of table %I.%I', e.column_name, h.schema,"
    "  h.name),"
    " CASE WHEN a.attnum IS NULL THEN 'it is missing'"
    "  WHEN a.attgenerated <> '' THEN 'it is generated'"
    "  ELSE pg_catalog.format('its type is %s, not %s',"
    "   pg_catalog.format_type(a.atttypid, a.atttypmod), e.type) END"
    " FROM here h JOIN " PLACES " e USING (table_id)"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = h.oid"
    "  AND a.attname = e.column_name AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE h.fits AND e.column_name IS NOT NULL"
    " AND (a.attnum IS NULL OR a.attgenerated <> ''"
    "  OR pg_catalog.format_type(a.atttypid, a.atttypmod) <> e.type) "
    "UNION ALL "
    "SELECT h.table_id, 10000 + a.attnum,"
    " pg_catalog.format('column %I of table %I.%I', a.attname, h.schema,"
    "  h.name),"
    " 'it is not in the export, may not be null and has no default'"
    " FROM here h JOIN pg_catalog.pg_attribute a ON a.attrelid = h.oid"
    "  AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE h.fits AND a.attnotnull AND NOT a.atthasdef"
    " AND a.attidentity = '' AND NOT EXISTS (SELECT FROM " PLACES " e"
    "  WHERE e.table_id = h.table_id AND e.column_name = a.attname) "
    "UNION ALL "
    "SELECT 9223372036854775807, 0,"
    " pg_catalog.format('sequence %I.%I', q.schema, q.name), 'it is missing'"
    " FROM pg_temp.pghaul_sequences q WHERE NOT EXISTS (SELECT"
    "  FROM pg_catalog.pg_class c"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = q.schema AND c.relname = q.name"
    "   AND c.relkind = 'S')) "
    "SELECT what, why FROM wrong ORDER BY table_id, position, what";

struct finder {
    struct progress *progress;
    uint64_t n;
};

static int
note(void *arg, const PGresult *row, struct err *err)
{
    struct finder *f = arg;

    (void)err;
    if (f->n++ < NOTED_MAX)
        progress_note(f->progress, "does not fit: %s: %s",
                      PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 1));
    return 0;
}

int
misfits_find(struct session *s, struct progress *p, struct err *err)
{
    struct finder f = {.progress = p};
    int r = session_each(s, misfits, note, &f, err);

    if (r || f.n == 0)
        return r;
    if (f.n > NOTED_MAX)
        progress_note(p, "and %" PRIu64 " more", f.n - NOTED_MAX);
    err_set(err, ERR_REFUSED, "the target's tables do not fit the export's");
    err_detail(err,
               "%" PRIu64 " table%s, column%s or sequence%s %s missing or "
               "different; nothing was loaded.",
               f.n, f.n > 1 ? "s" : "", f.n > 1 ? "s" : "", f.n > 1 ? "s" : "",
               f.n > 1 ? "are" : "is");
    return err_hint(err, "Change the target, or load into a fresh database.");
}
