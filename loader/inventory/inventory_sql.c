/* SPDX-License-Identifier: PostgreSQL */
#include "loader/inventory/inventory_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/ledger_mark.h"
#include "loader/pg/copy_out.h"

/*
 * The session's search_path is empty: names are the system's, and those of the
 * users are qualified in whatever the server writes.
 *
 * What a server of another version writes otherwise is put into the same words
 * here, or left out; what is left of that, inventory_compare.c knows.
 */

/* Who stands in for left_out.h, where nothing is left out. */
static const char nothing_gone[] =
    "WITH RECURSIVE gone (classid, objid, own) AS"
    " (SELECT 0::oid, 0::oid, true WHERE false)";

/* In which encoding bytes are compared, and the mark of schemas that hold our
   own ledgers. */
static const char here[] =
    ", here (encoding, ledger) AS MATERIALIZED (SELECT CASE"
    " getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END,"
    " '" LEDGER_MARK "')";

/* Whatever has a name.  whole: objects of their own; parts: their columns,
   constraints and the like, too.  What an extension made is the extension's,
   what was made along with something else is that one's. */
static const char *const objects[] = {
    ", skipped (classid, objid) AS MATERIALIZED ( "
    " SELECT classid, objid FROM pg_depend WHERE deptype = 'e' OR deptype = "
    "   'i' AND classid IN ('pg_proc'::regclass, 'pg_cast'::regclass) "
    " UNION SELECT classid, objid FROM gone), "
    "spaces (oid, nsp, owner, acl) AS MATERIALIZED ( "
    " SELECT oid, nspname::text, nspowner, nspacl FROM pg_namespace "
    " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND "
    "   obj_description(oid, 'pg_namespace') IS DISTINCT FROM (SELECT ledger "
    "   FROM here)), "
    "types AS MATERIALIZED ( "
    " SELECT t.*, s.nsp FROM pg_type t JOIN spaces s ON s.oid = "
    "   t.typnamespace "
    " WHERE t.typisdefined AND t.typtype IN ('b', 'c', 'd', 'e', 'r') AND "
    "   (t.typrelid = 0 OR (SELECT relkind = 'c' FROM pg_class c WHERE c.oid "
    "   = t.typrelid)) "
    "  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)), "
    "whole (classid, objid, kind, nsp, name, suffix, owner, acl, acltype) AS "
    "  ( "
    " SELECT 'pg_class'::regclass::oid, c.oid, CASE c.relkind WHEN 'v' THEN "
    "   'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN "
    "   'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END, s.nsp, "
    "   c.relname::text, '', c.relowner, c.relacl, CASE c.relkind WHEN 'S' "
    "   THEN 's'::\"char\" ELSE 'r' END "
    " FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace "
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence "
    "   <> 't' "
    "UNION ALL "
    " SELECT 'pg_namespace'::regclass, oid, 'schema', NULL, nsp, '', owner, "
    "   acl, 'n' FROM spaces "
    "UNION ALL "
    " SELECT 'pg_type'::regclass, oid, CASE typtype WHEN 'd' THEN 'domain' "
    "   ELSE 'type' END, nsp, typname, '', typowner, typacl, 'T' FROM types "
    "UNION ALL "
    " SELECT 'pg_proc'::regclass, p.oid, CASE p.prokind WHEN 'p' THEN "
    "   'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, s.nsp, "
    "   p.proname, '(' || oidvectortypes(p.proargtypes) || ')', p.proowner, "
    "   p.proacl, 'f' "
    " FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace "
    "UNION ALL "
    " SELECT 'pg_operator'::regclass, o.oid, 'operator', s.nsp, o.oprname, "
    "   '(' || CASE oprleft WHEN 0 THEN 'NONE' ELSE format_type(oprleft, "
    "   NULL) END || ',' || format_type(oprright, NULL) || ')', o.oprowner, "
    "   NULL, NULL "
    " FROM pg_operator o JOIN spaces s ON s.oid = o.oprnamespace "
    "UNION ALL "
    " SELECT 'pg_opclass'::regclass, o.oid, 'operator class', s.nsp, "
    "   o.opcname, ' using ' || a.amname, o.opcowner, NULL, NULL "
    " FROM pg_opclass o JOIN spaces s ON s.oid = o.opcnamespace "
    "  JOIN pg_am a ON a.oid = o.opcmethod "
    "UNION ALL "
    " SELECT 'pg_opfamily'::regclass, o.oid, 'operator family', s.nsp, "
    "   o.opfname, ' using ' || a.amname, o.opfowner, NULL, NULL "
    " FROM pg_opfamily o JOIN spaces s ON s.oid = o.opfnamespace "
    "  JOIN pg_am a ON a.oid = o.opfmethod ",
    "UNION ALL "
    " SELECT 'pg_collation'::regclass, o.oid, 'collation', s.nsp, "
    "   o.collname, '', o.collowner, NULL, NULL "
    " FROM pg_collation o JOIN spaces s ON s.oid = o.collnamespace "
    "UNION ALL "
    " SELECT 'pg_conversion'::regclass, o.oid, 'conversion', s.nsp, "
    "   o.conname, '', o.conowner, NULL, NULL "
    " FROM pg_conversion o JOIN spaces s ON s.oid = o.connamespace "
    "UNION ALL "
    " SELECT 'pg_statistic_ext'::regclass, o.oid, 'statistics', s.nsp, "
    "   o.stxname, '', o.stxowner, NULL, NULL "
    " FROM pg_statistic_ext o JOIN spaces s ON s.oid = o.stxnamespace "
    "UNION ALL "
    " SELECT 'pg_ts_config'::regclass, o.oid, 'text search configuration', "
    "   s.nsp, o.cfgname, '', o.cfgowner, NULL, NULL "
    " FROM pg_ts_config o JOIN spaces s ON s.oid = o.cfgnamespace "
    "UNION ALL "
    " SELECT 'pg_ts_dict'::regclass, o.oid, 'text search dictionary', s.nsp, "
    "   o.dictname, '', o.dictowner, NULL, NULL "
    " FROM pg_ts_dict o JOIN spaces s ON s.oid = o.dictnamespace "
    "UNION ALL "
    " SELECT 'pg_ts_parser'::regclass, o.oid, 'text search parser', s.nsp, "
    "   o.prsname, '', NULL, NULL, NULL "
    " FROM pg_ts_parser o JOIN spaces s ON s.oid = o.prsnamespace "
    "UNION ALL "
    " SELECT 'pg_ts_template'::regclass, o.oid, 'text search template', "
    "   s.nsp, o.tmplname, '', NULL, NULL, NULL "
    " FROM pg_ts_template o JOIN spaces s ON s.oid = o.tmplnamespace "
    "UNION ALL "
    " SELECT 'pg_extension'::regclass, oid, 'extension', NULL, extname, '', "
    "   NULL, NULL, NULL FROM pg_extension WHERE oid >= 16384 "
    "UNION ALL "
    " SELECT 'pg_language'::regclass, oid, 'language', NULL, lanname, '', "
    "   lanowner, lanacl, 'l' FROM pg_language WHERE oid >= 16384 "
    "UNION ALL "
    " SELECT 'pg_am'::regclass, oid, 'access method', NULL, amname, '', "
    "   NULL, NULL, NULL FROM pg_am WHERE oid >= 16384 "
    "UNION ALL "
    " SELECT 'pg_foreign_data_wrapper'::regclass, oid, "
    "   'foreign-data wrapper', NULL, fdwname, '', fdwowner, fdwacl, 'F' "
    "   FROM pg_foreign_data_wrapper "
    "UNION ALL "
    " SELECT 'pg_foreign_server'::regclass, oid, 'server', NULL, srvname, "
    "   '', srvowner, srvacl, 'S' FROM pg_foreign_server "
    "UNION ALL "
    " SELECT 'pg_event_trigger'::regclass, oid, 'event trigger', NULL, "
    "   evtname, '', evtowner, NULL, NULL FROM pg_event_trigger "
    "UNION ALL "
    " SELECT 'pg_cast'::regclass, oid, 'cast', NULL, NULL, "
    "   format_type(castsource, NULL) || ' as ' || format_type(casttarget, "
    "   NULL), NULL, NULL, NULL "
    " FROM pg_cast WHERE oid >= 16384 "
    "UNION ALL "
    " SELECT 'pg_transform'::regclass, t.oid, 'transform', NULL, NULL, "
    "   format_type(trftype, NULL) || ' for ' || lanname, NULL, NULL, NULL "
    " FROM pg_transform t JOIN pg_language l ON l.oid = trflang "
    "UNION ALL "
    " SELECT 'pg_default_acl'::regclass, a.oid, 'default privileges', "
    "   n.nspname, pg_get_userbyid(defaclrole), ' on ' || CASE defaclobjtype "
    "   WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN "
    "   'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE "
    "   'large objects' END, NULL, NULL, NULL "
    " FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = "
    "   defaclnamespace), ",
    "objects AS MATERIALIZED (SELECT w.*, '' AS part FROM whole w "
    " WHERE NOT EXISTS (SELECT FROM skipped k WHERE k.classid = w.classid "
    "   AND k.objid = w.objid)), "
    "rels AS (SELECT o.*, c.* FROM objects o JOIN pg_class c ON c.oid = "
    "  o.objid "
    " WHERE o.classid = 'pg_class'::regclass), "
    "indexes AS MATERIALIZED (SELECT i.*, c.relname, c.reltablespace, "
    "  r.kind, r.nsp, r.name, n.oid AS constraint, CASE WHEN n.oid IS NULL "
    "  THEN 'index ' || c.relname ELSE 'constraint ' || n.conname END AS "
    "  part "
    " FROM rels r JOIN pg_index i ON i.indrelid = r.oid "
    "  JOIN pg_class c ON c.oid = i.indexrelid "
    "  LEFT JOIN pg_constraint n ON n.conindid = i.indexrelid AND n.contype "
    "    IN ('p', 'u', 'x') AND n.conrelid = i.indrelid "
    " WHERE NOT EXISTS (SELECT FROM skipped k "
    "  WHERE k.classid = 'pg_class'::regclass AND k.objid = i.indexrelid)), "
    "constraints AS MATERIALIZED (SELECT n.*, o.kind, o.nsp, o.name, "
    "  'constraint ' || n.conname AS part "
    " FROM (SELECT o.*, o.objid AS of_rel, 0::oid AS of_type FROM objects o "
    "   WHERE o.classid = 'pg_class'::regclass UNION ALL SELECT o.*, 0, "
    "   o.objid FROM objects o WHERE o.classid = 'pg_type'::regclass) o "
    "  JOIN pg_constraint n ON n.conrelid = o.of_rel AND n.contypid = "
    "    o.of_type "
    " WHERE n.contype IN ('c', 'f', 'p', 'u', 'x') AND NOT (n.contype = 'f' "
    "   AND n.conparentid <> 0) "
    "  AND NOT EXISTS (SELECT FROM skipped k WHERE k.classid = "
    "    'pg_constraint'::regclass AND k.objid = n.oid)), "
    "triggers AS MATERIALIZED (SELECT t.*, r.kind, r.nsp, r.name, 'trigger ' "
    "  || t.tgname AS part "
    " FROM rels r JOIN pg_trigger t ON t.tgrelid = r.oid "
    " WHERE (t.tgparentid <> 0 OR NOT t.tgisinternal) "
    "  AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.oid = "
    "    t.tgconstraint AND n.contype <> 't') "
    "  AND NOT EXISTS (SELECT FROM skipped k WHERE k.classid = "
    "    'pg_trigger'::regclass AND k.objid = t.oid)), "
    "columns AS MATERIALIZED (SELECT a.*, o.kind, o.nsp, o.name, "
    "  o.relispartition, 'column ' || a.attname AS part "
    " FROM (SELECT objid, kind, nsp, name, relispartition FROM rels WHERE "
    "   kind <> 'sequence' UNION ALL SELECT t.typrelid, o.kind, o.nsp, "
    "   o.name, false FROM objects o JOIN types t ON t.oid = o.objid AND "
    "   t.typrelid <> 0 WHERE o.classid = 'pg_type'::regclass) o "
    "  JOIN pg_attribute a ON a.attrelid = o.objid "
    " WHERE a.attnum > 0 AND NOT a.attisdropped), "
    "parts (classid, objid, subid, kind, nsp, name, suffix, part) AS ( "
    " SELECT classid, objid, 0, kind, nsp, name, suffix, part FROM objects "
    "UNION ALL "
    " SELECT 'pg_class'::regclass, attrelid, attnum, kind, nsp, name, '', "
    "   part "
    " FROM columns "
    "UNION ALL "
    " SELECT 'pg_class'::regclass, indexrelid, 0, kind, nsp, name, '', part "
    " FROM indexes "
    "UNION ALL "
    " SELECT 'pg_constraint'::regclass, oid, 0, kind, nsp, name, '', part "
    " FROM constraints "
    "UNION ALL "
    " SELECT 'pg_trigger'::regclass, oid, 0, kind, nsp, name, '', part "
    " FROM triggers WHERE tgparentid = 0 "
    "UNION ALL "
    " SELECT 'pg_policy'::regclass, p.oid, 0, kind, nsp, name, '', 'policy ' "
    "   || p.polname FROM rels r JOIN pg_policy p ON p.polrelid = r.oid "
    "UNION ALL "
    " SELECT 'pg_rewrite'::regclass, w.oid, 0, kind, nsp, name, '', 'rule ' "
    "   || w.rulename FROM rels r JOIN pg_rewrite w ON w.ev_class = r.oid "
    " WHERE w.rulename <> '_RETURN') ",
    NULL};

/* The line that no object is without. */
static const char owner[] =
    "SELECT kind, nsp, name, suffix, part, "
    " CASE WHEN owner IS NULL THEN 'exists' ELSE 'owner' END, "
    " coalesce(pg_get_userbyid(owner)::text, 'yes') FROM objects ";

static const char comment[] =
    "SELECT p.kind, p.nsp, p.name, p.suffix, p.part, 'comment', "
    "  d.description "
    "FROM parts p JOIN pg_description d ON d.classoid = p.classid "
    " AND d.objoid = p.objid AND d.objsubid = p.subid ";

/* Nothing where the rights are those that nobody changed. */
static const char grants[] =
    "SELECT g.kind, g.nsp, g.name, g.suffix, g.part, g.property, "
    " string_agg(g.privilege, ', ' ORDER BY g.privilege COLLATE \"C\") "
    "FROM (SELECT o.kind, o.nsp, o.name, o.suffix, o.part, "
    "  coalesce('granted to ' || CASE e.grantee WHEN 0 THEN 'PUBLIC' WHEN "
    "  o.owner THEN 'its owner' ELSE pg_get_userbyid(e.grantee)::text END, "
    "  'privileges') AS property, coalesce(e.privilege_type || CASE WHEN "
    "  e.is_grantable THEN '*' ELSE '' END || CASE WHEN e.grantor = o.owner "
    "  THEN '' ELSE ' by ' || pg_get_userbyid(e.grantor) END, 'none') AS "
    "  privilege "
    " FROM (SELECT kind, nsp, name, suffix, part, owner, acl, "
    "   acldefault(acltype, owner) AS usual FROM objects WHERE acl IS NOT "
    "   NULL UNION ALL SELECT k.kind, k.nsp, k.name, '', k.part, c.relowner, "
    "   k.attacl, '{}' FROM columns k JOIN pg_class c ON c.oid = k.attrelid "
    "   WHERE k.attacl IS NOT NULL UNION ALL SELECT o.kind, o.nsp, o.name, "
    "   o.suffix, o.part, d.defaclrole, d.defaclacl, NULL FROM objects o "
    "   JOIN pg_default_acl d ON o.classid = 'pg_default_acl'::regclass AND "
    "   d.oid = o.objid) o "
    "  LEFT JOIN LATERAL aclexplode(o.acl) e ON true "
    " WHERE o.usual IS NULL OR NOT (o.acl @> o.usual AND o.acl <@ o.usual)) "
    "   g "
    "GROUP BY 1, 2, 3, 4, 5, 6 ";

/* 2: heap. */
static const char relations[] =
    "SELECT r.kind, r.nsp, r.name, '', '', f.property, f.value "
    "FROM rels r LEFT JOIN pg_foreign_table ft ON ft.ftrelid = r.oid "
    " CROSS JOIN LATERAL (VALUES "
    " ('persistence', CASE r.relpersistence WHEN 'u' THEN 'unlogged' END), "
    " ('partition key', pg_get_partkeydef(r.oid)), "
    " ('partition of', CASE WHEN r.relispartition THEN (SELECT "
    "   i.inhparent::regclass::text || ' ' || pg_get_expr(r.relpartbound, "
    "   r.oid) FROM pg_inherits i WHERE i.inhrelid = r.oid) END), "
    " ('inherits', CASE WHEN NOT r.relispartition THEN (SELECT string_agg( "
    "   i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM "
    "   pg_inherits i WHERE i.inhrelid = r.oid) END), "
    " ('options', CASE WHEN r.reloptions IS NOT NULL THEN (SELECT "
    "   string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "   unnest(r.reloptions) x) END), "
    " ('toast options', (SELECT string_agg(x, ', ' ORDER BY x COLLATE \"C\") "
    "   FROM pg_class t, unnest(t.reloptions) x WHERE t.oid = "
    "   r.reltoastrelid)), "
    " ('access method', CASE WHEN r.relam NOT IN (0, 2) THEN (SELECT "
    "   a.amname::text FROM pg_am a WHERE a.oid = r.relam) END), "
    " ('tablespace', CASE WHEN r.reltablespace <> 0 THEN (SELECT "
    "   s.spcname::text FROM pg_tablespace s WHERE s.oid = r.reltablespace) "
    "   END), "
    " ('replica identity', CASE r.relreplident WHEN 'n' THEN CASE WHEN "
    "   r.relkind IN ('r', 'p') THEN 'nothing' END WHEN 'f' THEN 'full' "
    "   END), "
    " ('row security', nullif(concat_ws(', ', CASE WHEN r.relrowsecurity "
    "   THEN 'enabled' END, CASE WHEN r.relforcerowsecurity THEN 'forced' "
    "   END), '')), "
    " ('of type', CASE WHEN r.reloftype <> 0 THEN format_type(r.reloftype, "
    "   NULL) END), "
    " ('populated', CASE WHEN NOT r.relispopulated THEN 'no' END), "
    " ('definition', CASE WHEN r.relkind IN ('v', 'm') THEN "
    "   pg_get_viewdef(r.oid) END), "
    " ('server', (SELECT srvname::text FROM pg_foreign_server s WHERE s.oid "
    "   = ft.ftserver)), "
    " ('foreign options', CASE WHEN ft.ftoptions IS NOT NULL THEN (SELECT "
    "   string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "   unnest(ft.ftoptions) x) END) "
    " ) AS f (property, value) ";

static const char columns[] =
    "SELECT k.kind, k.nsp, k.name, '', k.part, f.property, f.value "
    "FROM columns k JOIN pg_type t ON t.oid = k.atttypid "
    " LEFT JOIN pg_attrdef d ON d.adrelid = k.attrelid AND d.adnum = "
    "   k.attnum "
    " CROSS JOIN LATERAL (VALUES "
    " ('type', format_type(k.atttypid, k.atttypmod) || CASE WHEN "
    "   k.attcollation IN (0, t.typcollation) THEN '' ELSE ' COLLATE ' || "
    "   k.attcollation::regcollation::text END), "
    " ('not null', CASE WHEN k.attnotnull THEN 'yes' END), "
    " ('default', CASE WHEN k.attgenerated = '' THEN pg_get_expr(d.adbin, "
    "   d.adrelid) END), "
    " ('generated', CASE k.attgenerated WHEN '' THEN NULL WHEN 's' THEN "
    "   'stored' ELSE 'virtual' END || ': ' || pg_get_expr(d.adbin, "
    "   d.adrelid)), "
    " (CASE WHEN k.relispartition THEN 'identity of the partition' ELSE "
    "   'identity' END, CASE k.attidentity WHEN 'a' THEN 'always' WHEN 'd' "
    "   THEN 'by default' END), "
    " ('statistics', nullif(k.attstattarget, -1)::text), "
    " ('storage', CASE WHEN k.attstorage <> t.typstorage THEN CASE "
    "   k.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' "
    "   THEN 'main' ELSE 'extended' END END), "
    " ('options', CASE WHEN k.attoptions IS NOT NULL THEN (SELECT "
    "   string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "   unnest(k.attoptions) x) END), "
    " ('foreign options', CASE WHEN k.attfdwoptions IS NOT NULL THEN (SELECT "
    "   string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "   unnest(k.attfdwoptions) x) END) "
    " ) AS f (property, value) ";

static const char compression[] =
    "SELECT kind, nsp, name, '', part, 'compression', CASE attcompression "
    " WHEN 'p' THEN 'pglz' ELSE 'lz4' END FROM columns WHERE attcompression "
    "   <> '' ";

/* Since 18 there are such. */
static const char unproven_not_null[] =
    "SELECT k.kind, k.nsp, k.name, '', k.part, 'not null is valid', 'no' "
    "FROM columns k JOIN pg_constraint n ON n.conrelid = k.attrelid "
    " AND n.contype = 'n' AND n.conkey = ARRAY[k.attnum] AND NOT "
    "   n.convalidated ";

/* Those of foreign keys' partitions are made along with the whole's, and
   so are not-null constraints with their columns. */
static const char constraints[] =
    "SELECT n.kind, n.nsp, n.name, '', n.part, f.property, f.value "
    "FROM constraints n CROSS JOIN LATERAL (VALUES "
    " ('definition', regexp_replace(pg_get_constraintdef(n.oid), "
    "   ' NOT VALID$', '')), "
    " ('valid', CASE WHEN NOT n.convalidated THEN 'no' END), "
    " ('triggers', CASE n.contype WHEN 'f' THEN (SELECT string_agg(DISTINCT "
    "   CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' "
    "   ELSE 'always' END, ', ') FROM pg_trigger t WHERE t.tgconstraint = "
    "   n.oid AND t.tgenabled <> 'O') END) "
    " ) AS f (property, value) ";

static const char indexes[] =
    "SELECT i.kind, i.nsp, i.name, '', i.part, f.property, f.value "
    "FROM indexes i CROSS JOIN LATERAL (VALUES "
    " ('definition', CASE WHEN i.constraint IS NULL THEN "
    "   pg_get_indexdef(i.indexrelid) END), "
    " ('index valid', CASE WHEN NOT (i.indisvalid AND i.indisready) THEN "
    "   'no' END), "
    " ('replica identity', CASE WHEN i.indisreplident THEN 'yes' END), "
    " ('clustered on', CASE WHEN i.indisclustered THEN 'yes' END), "
    " ('tablespace', CASE WHEN i.reltablespace <> 0 THEN (SELECT "
    "   s.spcname::text FROM pg_tablespace s WHERE s.oid = i.reltablespace) "
    "   END), "
    " ('part of index', (SELECT h.inhparent::regclass::text FROM pg_inherits "
    "   h WHERE h.inhrelid = i.indexrelid)), "
    " ('statistics', (SELECT string_agg(a.attname || '=' || a.attstattarget, "
    "   ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = "
    "   i.indexrelid AND a.attstattarget >= 0)) "
    " ) AS f (property, value) ";

/* A partition's are made along with the whole's, but may have another state. */
static const char triggers[] =
    "SELECT t.kind, t.nsp, t.name, '', t.part, f.property, f.value "
    "FROM triggers t CROSS JOIN LATERAL (VALUES "
    " ('definition', CASE WHEN t.tgparentid = 0 THEN "
    "   pg_get_triggerdef(t.oid) END), "
    " ('state', CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN "
    "   'replica' WHEN 'A' THEN 'always' ELSE 'enabled' END) "
    " ) AS f (property, value) ";

static const char policies[] =
    "SELECT r.kind, r.nsp, r.name, '', 'policy ' || p.polname, f.property, "
    "  f.value "
    "FROM rels r JOIN pg_policy p ON p.polrelid = r.oid CROSS JOIN LATERAL "
    "  (VALUES "
    " ('applies', CASE WHEN p.polpermissive THEN 'permissive' ELSE "
    "   'restrictive' END || ' for ' || CASE p.polcmd WHEN 'r' THEN 'select' "
    "   WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' "
    "   ELSE 'all' END || ' to ' || (SELECT string_agg(CASE x WHEN 0 THEN "
    "   'PUBLIC' ELSE pg_get_userbyid(x)::text END, ', ' ORDER BY "
    "   pg_get_userbyid(x)::text COLLATE \"C\") FROM unnest(p.polroles) x)), "
    " ('using', pg_get_expr(p.polqual, p.polrelid)), "
    " ('check', pg_get_expr(p.polwithcheck, p.polrelid)) "
    " ) AS f (property, value) ";

static const char rules[] =
    "SELECT r.kind, r.nsp, r.name, '', 'rule ' || w.rulename, f.property, "
    "  f.value "
    "FROM rels r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename "
    " <> '_RETURN' CROSS JOIN LATERAL (VALUES "
    " ('definition', pg_get_ruledef(w.oid)), "
    " ('state', CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN "
    "   'replica' WHEN 'A' THEN 'always' ELSE 'enabled' END) "
    " ) AS f (property, value) ";

static const char sequences[] =
    "SELECT r.kind, r.nsp, r.name, '', '', f.property, f.value "
    "FROM rels r JOIN pg_sequence q ON q.seqrelid = r.oid "
    " CROSS JOIN LATERAL (VALUES "
    " ('type', format_type(q.seqtypid, NULL)), "
    " ('counts', format('from %s by %s between %s and %s', q.seqstart, "
    "   q.seqincrement, q.seqmin, q.seqmax)), "
    " ('cache', nullif(q.seqcache, 1)::text), "
    " ('cycles', CASE WHEN q.seqcycle THEN 'yes' END), "
    " ('owned by', (SELECT d.refobjid::regclass || ', column ' || a.attname "
    "   FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND "
    "   a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND "
    "   d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND "
    "   d.deptype IN ('a', 'i'))) "
    " ) AS f (property, value) ";

static const char functions[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o JOIN pg_proc p ON p.oid = o.objid "
    " JOIN pg_language l ON l.oid = p.prolang "
    " LEFT JOIN pg_aggregate g ON g.aggfnoid = p.oid "
    " CROSS JOIN LATERAL (VALUES "
    " ('arguments', nullif(CASE p.prokind WHEN 'p' THEN regexp_replace( "
    "   pg_get_function_arguments(p.oid), '(^|, )IN ', '\\1', 'g') ELSE "
    "   pg_get_function_arguments(p.oid) END, '')), "
    " ('result', pg_get_function_result(p.oid)), "
    " ('language', CASE WHEN p.prokind <> 'a' THEN l.lanname::text END), "
    " ('body', CASE WHEN p.prokind <> 'a' THEN 'sha256 ' || encode(sha256( "
    "   convert_to(concat_ws(' ', p.probin, p.prosrc), (SELECT encoding FROM "
    "here))), 'hex') END), "
    " ('window', CASE p.prokind WHEN 'w' THEN 'yes' END), "
    " ('volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' "
    "   THEN 'stable' END), "
    " ('strict', CASE WHEN p.proisstrict THEN 'yes' END), "
    " ('security definer', CASE WHEN p.prosecdef THEN 'yes' END), "
    " ('leakproof', CASE WHEN p.proleakproof THEN 'yes' END), "
    " ('parallel', CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN "
    "   'restricted' END), "
    " ('cost', CASE WHEN p.prokind <> 'a' THEN p.procost::text END), "
    " ('rows', nullif(p.prorows, 0)::text), "
    " ('support', nullif(p.prosupport, 0)::regproc::text), "
    " ('settings', CASE WHEN p.proconfig IS NOT NULL THEN (SELECT "
    "   string_agg(x, '; ' ORDER BY x COLLATE \"C\") FROM "
    "   unnest(p.proconfig) x) END), "
    " ('aggregates by', g.aggtransfn || ' into ' || "
    "   format_type(g.aggtranstype, NULL) || coalesce(' from ' || "
    "   g.agginitval, '') || coalesce(', then ' || nullif(g.aggfinalfn, "
    "   0)::regproc, '') || coalesce(', combined by ' || "
    "   nullif(g.aggcombinefn, 0)::regproc, '') || coalesce(', sorted by ' "
    "   || nullif(g.aggsortop, 0)::regoperator, '')), "
    " ('aggregates moving windows by', CASE WHEN g.aggmtransfn <> 0 THEN "
    "   concat_ws(', ', g.aggmtransfn, g.aggminvtransfn, format_type( "
    "   g.aggmtranstype, NULL), g.aggmfinalfn, g.aggminitval) END) "
    " ) AS f (property, value) WHERE o.classid = 'pg_proc'::regclass ";

static const char sql_bodies[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', 'definition', "
    " pg_get_function_sqlbody(o.objid) "
    "FROM objects o WHERE o.classid = 'pg_proc'::regclass ";

static const char types[] =
    "SELECT o.kind, o.nsp, o.name, '', '', f.property, f.value "
    "FROM objects o JOIN types t ON t.oid = o.objid "
    " LEFT JOIN pg_range g ON g.rngtypid = t.oid CROSS JOIN LATERAL (VALUES "
    " ('labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER "
    "   BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)), "
    " ('type', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, "
    "   t.typtypmod) || CASE WHEN t.typcollation IN (0, (SELECT "
    "   b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype)) THEN '' "
    "   ELSE ' COLLATE ' || t.typcollation::regcollation END END), "
    " ('not null', CASE WHEN t.typnotnull THEN 'yes' END), "
    " ('default', coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault)), "
    " ('range of', format_type(g.rngsubtype, NULL) || CASE WHEN "
    "   g.rngcollation = 0 THEN '' ELSE ' COLLATE ' || "
    "   g.rngcollation::regcollation END || coalesce(', made canonical by ' "
    "   || nullif(g.rngcanonical, 0)::regproc, '') || "
    "   coalesce(', difference by ' || nullif(g.rngsubdiff, 0)::regproc, "
    "   '')), "
    " ('functions', CASE t.typtype WHEN 'b' THEN concat_ws(', ', t.typinput, "
    "   t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout) END) "
    " ) AS f (property, value) WHERE o.classid = 'pg_type'::regclass ";

static const char operators[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o JOIN pg_operator p ON p.oid = o.objid "
    " CROSS JOIN LATERAL (VALUES "
    " ('function', p.oprcode::text), "
    " ('commutator', nullif(p.oprcom, 0)::regoperator::text), "
    " ('negator', nullif(p.oprnegate, 0)::regoperator::text), "
    " ('restriction', nullif(p.oprrest, 0)::regproc::text), "
    " ('join', nullif(p.oprjoin, 0)::regproc::text), "
    " ('merges', CASE WHEN p.oprcanmerge THEN 'yes' END), "
    " ('hashes', CASE WHEN p.oprcanhash THEN 'yes' END) "
    " ) AS f (property, value) WHERE o.classid = 'pg_operator'::regclass ";

static const char operator_classes[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o JOIN pg_opclass p ON p.oid = o.objid "
    " CROSS JOIN LATERAL (VALUES "
    " ('type', format_type(p.opcintype, NULL)), "
    " ('default', CASE WHEN p.opcdefault THEN 'yes' END), "
    " ('storage', format_type(nullif(p.opckeytype, 0), NULL)), "
    " ('family', (SELECT f.opfnamespace::regnamespace || '.' || f.opfname "
    "   FROM pg_opfamily f WHERE f.oid = p.opcfamily)) "
    " ) AS f (property, value) WHERE o.classid = 'pg_opclass'::regclass ";

static const char operator_families[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o CROSS JOIN LATERAL ( "
    " SELECT format('%s %s (%s, %s)', CASE amoppurpose WHEN 'o' THEN "
    "   'orders by' ELSE 'operator' END, amopstrategy, "
    "   format_type(amoplefttype, NULL), format_type(amoprighttype, NULL)), "
    "   amopopr::regoperator::text "
    " FROM pg_amop WHERE amopfamily = o.objid "
    " UNION ALL SELECT format('function %s (%s, %s)', amprocnum, "
    "   format_type(amproclefttype, NULL), format_type(amprocrighttype, "
    "   NULL)), amproc::regprocedure::text FROM pg_amproc WHERE amprocfamily "
    "   = o.objid "
    " ) AS f (property, value) WHERE o.classid = 'pg_opfamily'::regclass ";

static const char others[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o CROSS JOIN LATERAL ( "
    " SELECT 'definition', pg_get_statisticsobjdef(o.objid) "
    " WHERE o.classid = 'pg_statistic_ext'::regclass "
    "UNION ALL "
    " SELECT 'target', s.stxstattarget::text FROM pg_statistic_ext s "
    " WHERE o.classid = 'pg_statistic_ext'::regclass AND s.oid = o.objid AND "
    "   s.stxstattarget >= 0 "
    "UNION ALL "
    " SELECT 'schema', e.extnamespace::regnamespace::text FROM pg_extension "
    "   e "
    " WHERE o.classid = 'pg_extension'::regclass AND e.oid = o.objid "
    "UNION ALL "
    " SELECT 'functions', concat_ws(', ', nullif(l.lanplcallfoid, "
    "   0)::regproc, nullif(l.laninline, 0)::regproc, nullif(l.lanvalidator, "
    "   0)::regproc) "
    " FROM pg_language l "
    " WHERE o.classid = 'pg_language'::regclass AND l.oid = o.objid "
    "UNION ALL "
    " SELECT 'handler', a.amhandler::text FROM pg_am a "
    " WHERE o.classid = 'pg_am'::regclass AND a.oid = o.objid "
    "UNION ALL "
    " SELECT 'converts', format('%s to %s by %s%s', "
    "   pg_encoding_to_char(c.conforencoding), "
    "   pg_encoding_to_char(c.contoencoding), c.conproc, CASE WHEN "
    "   c.condefault THEN ', by default' ELSE '' END) "
    " FROM pg_conversion c "
    " WHERE o.classid = 'pg_conversion'::regclass AND c.oid = o.objid "
    "UNION ALL "
    " SELECT 'parser', n.nspname || '.' || p.prsname FROM pg_ts_config c "
    "  JOIN pg_ts_parser p ON p.oid = c.cfgparser "
    "  JOIN pg_namespace n ON n.oid = p.prsnamespace "
    " WHERE o.classid = 'pg_ts_config'::regclass AND c.oid = o.objid "
    "UNION ALL "
    " SELECT 'maps ' || t.alias, string_agg(m.mapdict::regdictionary::text, "
    "   ', ' ORDER BY m.mapseqno) FROM pg_ts_config c JOIN pg_ts_config_map "
    "   m ON m.mapcfg = c.oid JOIN LATERAL ts_token_type(c.cfgparser) t ON "
    "   t.tokid = m.maptokentype "
    " WHERE o.classid = 'pg_ts_config'::regclass AND c.oid = o.objid GROUP "
    "   BY 1 "
    "UNION ALL "
    " SELECT 'looks up in', concat_ws(', ', n.nspname || '.' || t.tmplname, "
    "   d.dictinitoption) FROM pg_ts_dict d "
    "  JOIN pg_ts_template t ON t.oid = d.dicttemplate "
    "  JOIN pg_namespace n ON n.oid = t.tmplnamespace "
    " WHERE o.classid = 'pg_ts_dict'::regclass AND d.oid = o.objid "
    ") AS f (property, value) ";

static const char still_others[] =
    "SELECT o.kind, o.nsp, o.name, o.suffix, '', f.property, f.value "
    "FROM objects o CROSS JOIN LATERAL ( "
    " SELECT 'functions', concat_ws(', ', p.prsstart, p.prstoken, p.prsend, "
    "   p.prsheadline, p.prslextype) FROM pg_ts_parser p "
    " WHERE o.classid = 'pg_ts_parser'::regclass AND p.oid = o.objid "
    "UNION ALL "
    " SELECT 'functions', concat_ws(', ', t.tmplinit, t.tmpllexize) "
    " FROM pg_ts_template t "
    " WHERE o.classid = 'pg_ts_template'::regclass AND t.oid = o.objid "
    "UNION ALL "
    " SELECT f.property, f.value FROM pg_cast c CROSS JOIN LATERAL (VALUES "
    "  ('function', nullif(c.castfunc, 0)::regprocedure::text), "
    "  ('context', CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN "
    "    'in assignments' ELSE 'explicit' END), "
    "  ('method', CASE c.castmethod WHEN 'b' THEN 'as it is' WHEN 'i' THEN "
    "    'by way of text' ELSE 'by function' END)) AS f (property, value) "
    " WHERE o.classid = 'pg_cast'::regclass AND c.oid = o.objid "
    "UNION ALL "
    " SELECT 'functions', concat_ws(', ', t.trffromsql, t.trftosql) "
    " FROM pg_transform t "
    " WHERE o.classid = 'pg_transform'::regclass AND t.oid = o.objid "
    "UNION ALL "
    " SELECT f.property, f.value FROM pg_event_trigger e CROSS JOIN LATERAL "
    "   (VALUES "
    "  ('runs', e.evtfoid::regproc || ' on ' || e.evtevent), "
    "  ('tags', (SELECT string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "    unnest(e.evttags) x)), "
    "  ('state', CASE e.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN "
    "    'replica' WHEN 'A' THEN 'always' ELSE 'enabled' END) ) AS f "
    "    (property, value) "
    " WHERE o.classid = 'pg_event_trigger'::regclass AND e.oid = o.objid "
    "UNION ALL "
    " SELECT f.property, f.value FROM pg_foreign_data_wrapper w CROSS JOIN "
    "   LATERAL (VALUES "
    "  ('handler', nullif(w.fdwhandler, 0)::regproc::text), "
    "  ('validator', nullif(w.fdwvalidator, 0)::regproc::text), "
    "  ('options', 'sha256 ' || encode(sha256(convert_to( (SELECT "
    "    string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "    unnest(w.fdwoptions) x), (SELECT encoding FROM here))), 'hex')) ) "
    "    AS f (property, value) "
    " WHERE o.classid = 'pg_foreign_data_wrapper'::regclass AND w.oid = "
    "   o.objid "
    "UNION ALL "
    " SELECT f.property, f.value FROM pg_foreign_server v "
    "  JOIN pg_foreign_data_wrapper w ON w.oid = v.srvfdw CROSS JOIN LATERAL "
    "    (VALUES "
    "  ('wrapper', w.fdwname::text), "
    "  ('type', v.srvtype), "
    "  ('version', v.srvversion), "
    "  ('options', 'sha256 ' || encode(sha256(convert_to( (SELECT "
    "    string_agg(x, ', ' ORDER BY x COLLATE \"C\") FROM "
    "    unnest(v.srvoptions) x), (SELECT encoding FROM here))), 'hex')) ) "
    "    AS f (property, value) "
    " WHERE o.classid = 'pg_foreign_server'::regclass AND v.oid = o.objid "
    "UNION ALL "
    " SELECT 'user mapping', string_agg(coalesce(u.usename, '?'), ', ' ORDER "
    "   BY u.usename) FROM pg_user_mappings u "
    " WHERE o.classid = 'pg_foreign_server'::regclass AND u.srvid = o.objid "
    " HAVING count(*) > 0 "
    ") AS f (property, value) ";

static const char old_collations[] =
    "SELECT o.kind, o.nsp, o.name, '', '', 'collates by', concat_ws(', ', "
    " CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' "
    "   THEN 'builtin' ELSE 'default' END, CASE c.collprovider WHEN 'c' THEN "
    "   concat_ws(', ', c.collcollate, c.collctype) ELSE c.collcollate END, "
    " CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END) "
    "FROM objects o JOIN pg_collation c ON c.oid = o.objid "
    "WHERE o.classid = 'pg_collation'::regclass ";

static const char collations_by_icu[] =
    "SELECT o.kind, o.nsp, o.name, '', '', 'collates by', concat_ws(', ', "
    " CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' "
    "   THEN 'builtin' ELSE 'default' END, CASE c.collprovider WHEN 'c' THEN "
    "   concat_ws(', ', c.collcollate, c.collctype) ELSE c.colliculocale "
    "   END, "
    " CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END) "
    "FROM objects o JOIN pg_collation c ON c.oid = o.objid "
    "WHERE o.classid = 'pg_collation'::regclass ";

static const char collations[] =
    "SELECT o.kind, o.nsp, o.name, '', '', 'collates by', concat_ws(', ', "
    " CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' "
    "   THEN 'builtin' ELSE 'default' END, CASE c.collprovider WHEN 'c' THEN "
    "   concat_ws(', ', c.collcollate, c.collctype) ELSE c.colllocale END, "
    " CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END) "
    "FROM objects o JOIN pg_collation c ON c.oid = o.objid "
    "WHERE o.classid = 'pg_collation'::regclass ";

/* ---- all of it ---- */

static const struct {
    const char *sql;
    int min_version, max_version; /* of the server; 0: all */
} pieces[] = {
    {owner, 0, 0},
    {comment, 0, 0},
    {grants, 0, 0},
    {relations, 0, 0},
    {columns, 0, 0},
    {compression, 140000, 0},
    {unproven_not_null, 180000, 0},
    {constraints, 0, 0},
    {indexes, 0, 0},
    {triggers, 0, 0},
    {policies, 0, 0},
    {rules, 0, 0},
    {sequences, 0, 0},
    {functions, 0, 0},
    {sql_bodies, 140000, 0},
    {types, 0, 0},
    {operators, 0, 0},
    {operator_classes, 0, 0},
    {operator_families, 0, 0},
    {others, 0, 0},
    {still_others, 0, 0},
    {old_collations, 0, 149999},
    {collations_by_icu, 150000, 169999},
    {collations, 170000, 0},
};

/* A name stands in double quotes unless it is plain; not by quote_ident(): it
   knows other keywords in each version. */
static const char begin[] =
    " SELECT kind, name, part, property, value FROM (SELECT kind,"
    " coalesce(CASE WHEN nsp COLLATE \"C\" ~ '^[a-z_][a-z0-9_$]*$' THEN nsp"
    "   ELSE '\"' || replace(nsp, '\"', '\"\"') || '\"' END || '.', '') ||"
    " coalesce(CASE WHEN name COLLATE \"C\" ~ '^[a-z_][a-z0-9_$]*$' THEN name"
    "   ELSE '\"' || replace(name, '\"', '\"\"') || '\"' END, '') || suffix,"
    " part, property, value FROM (";

static const char end[] =
    ") AS f (kind, nsp, name, suffix, part, property, value)"
    " WHERE value IS NOT NULL) AS f (kind, name, part, property, value)"
    " ORDER BY kind COLLATE \"C\","
    " convert_to(name, (SELECT encoding FROM here)),"
    " convert_to(part, (SELECT encoding FROM here)),"
    " convert_to(property, (SELECT encoding FROM here))";

static void
print_pieces(FILE *f, int version)
{
    const char *separator = "";

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (version < pieces[i].min_version ||
            (pieces[i].max_version && version > pieces[i].max_version))
            continue;
        fputs(separator, f);
        fputs(pieces[i].sql, f);
        separator = "UNION ALL ";
    }
}

static char *
write_sql(int version, const char *encoding, const char *with)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fputs("COPY (", f);
    fputs(with ? with : nothing_gone, f);
    fputs(here, f);
    for (const char *const *o = objects; *o; o++)
        fputs(*o, f);
    fputs(begin, f);
    print_pieces(f, version);
    fputs(end, f);
    fprintf(f, ") TO STDOUT (ENCODING '%s')",
            strcmp(encoding, "SQL_ASCII") == 0 ? "SQL_ASCII" : "UTF8");
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

/* A query over catalogues is not worth compiling, dear as it looks. */
int
inventory_copy(struct session *s, const char *with, struct err *err)
{
    cleanup_(freep) char *sql =
        write_sql(session_server_version(s), session_encoding(s), with);
    int r;

    if (!sql)
        return err_nomem(err);
    r = session_exec(s, "SET LOCAL jit = off", err);
    return r ? r : copy_out_begin(s, sql, err);
}
