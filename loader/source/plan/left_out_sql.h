/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* The SQL of left_out.c, for who asks what goes with what is left out. */

/* The catalogues' own OIDs, the same in every server. */
#define PG_ATTRDEF "2604"
#define PG_CLASS "1259"
#define PG_CONSTRAINT "2606"
#define PG_EXTENSION "3079"
#define PG_NAMESPACE "2615"
#define PG_POLICY "3256"
#define PG_REWRITE "2618"
#define PG_TRIGGER "2620"
#define PG_TYPE "1247"

/*
 * It goes on behind selection_sql().  gone: objects that are left out or need
 * one that is, by way of what pg_depend calls normal: what belongs to an
 * object, as an index, it has in other ways.  A rule of a view is the view.
 * own: it stands in a schema that is left out, or is the type of a relation
 * that is; nobody asks for it by itself.
 */
#define LEFT_OUT_GONE                                                          \
    ", gone (classid, objid, own) AS ("                                        \
    "SELECT " PG_CLASS "::pg_catalog.oid, oid, true FROM left_out"             \
    " UNION SELECT " PG_NAMESPACE ", oid, true FROM schemas_out"               \
    " UNION SELECT CASE WHEN v.oid IS NULL THEN d.classid"                     \
    "   ELSE " PG_CLASS "::pg_catalog.oid END, coalesce(v.oid, d.objid),"      \
    "  d.classid <> " PG_EXTENSION " AND (d.refclassid = " PG_NAMESPACE        \
    "    OR g.own AND d.deptype = 'i')"                                        \
    "  FROM gone g JOIN pg_catalog.pg_depend d"                                \
    "   ON d.refclassid = g.classid AND d.refobjid = g.objid"                  \
    "   AND (d.deptype = 'n' OR d.deptype = 'i' AND d.classid = " PG_TYPE ")"  \
    "  LEFT JOIN pg_catalog.pg_rewrite w"                                      \
    "   ON d.classid = " PG_REWRITE " AND w.oid = d.objid"                     \
    "  LEFT JOIN pg_catalog.pg_class v ON v.oid = w.ev_class"                  \
    "   AND v.relkind IN ('v', 'm'))"

/* Those that are not just own, and the relation whose part each is. */
#define LEFT_OUT_GONE_WITH                                                     \
    LEFT_OUT_GONE                                                              \
    ", gone_with (classid, objid, owner) AS (SELECT x.classid, x.objid,"       \
    "  CASE x.classid"                                                         \
    "   WHEN " PG_CLASS " THEN coalesce((SELECT indrelid"                      \
    "     FROM pg_catalog.pg_index WHERE indexrelid = x.objid), x.objid)"      \
    "   WHEN " PG_CONSTRAINT " THEN (SELECT conrelid"                          \
    "     FROM pg_catalog.pg_constraint WHERE oid = x.objid)"                  \
    "   WHEN " PG_TRIGGER " THEN (SELECT tgrelid"                              \
    "     FROM pg_catalog.pg_trigger WHERE oid = x.objid)"                     \
    "   WHEN " PG_REWRITE " THEN (SELECT ev_class"                             \
    "     FROM pg_catalog.pg_rewrite WHERE oid = x.objid)"                     \
    "   WHEN " PG_ATTRDEF " THEN (SELECT adrelid"                              \
    "     FROM pg_catalog.pg_attrdef WHERE oid = x.objid)"                     \
    "   WHEN " PG_POLICY " THEN (SELECT polrelid"                              \
    "     FROM pg_catalog.pg_policy WHERE oid = x.objid)"                      \
    "   ELSE 0 END"                                                            \
    "  FROM (SELECT classid, objid FROM gone GROUP BY classid, objid"          \
    "   HAVING NOT pg_catalog.bool_or(own)) AS x) "
