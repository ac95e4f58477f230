/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/environment.h"

#include "io/dir.h"
#include "io/fd.h"
#include "loader/bag/document.h"

/* Rows of the catalogue as a whole, so that each version tells what it knows.
   The settings are the database's, not those that we have set. */
static const char question[] =
    "SELECT pg_catalog.jsonb_pretty(pg_catalog.jsonb_build_object("
    " 'server', pg_catalog.version(),"
    " 'settings', (SELECT pg_catalog.jsonb_object_agg(name, reset_val)"
    "  FROM pg_catalog.pg_settings WHERE name IN ('server_version_num',"
    "   'server_encoding', 'lc_collate', 'lc_ctype', 'lc_monetary',"
    "   'lc_numeric', 'lc_time', 'TimeZone', 'timezone_abbreviations',"
    "   'DateStyle', 'IntervalStyle', 'bytea_output', 'xmlbinary', 'xmloption',"
    "   'extra_float_digits', 'integer_datetimes', 'block_size',"
    "   'max_identifier_length', 'default_text_search_config',"
    "   'standard_conforming_strings', 'data_checksums')),"
    " 'database', (SELECT pg_catalog.to_jsonb(d) - '{oid,datdba,datacl,"
    "datfrozenxid,datminmxid,datlastsysoid,dattablespace}'::text[]"
    "  FROM pg_catalog.pg_database d"
    "  WHERE d.datname = pg_catalog.current_database()),"
    " 'extensions', coalesce((SELECT pg_catalog.jsonb_agg("
    "   pg_catalog.jsonb_build_object('name', e.extname, 'version',"
    "    e.extversion, 'schema', n.nspname) ORDER BY e.extname)"
    "  FROM pg_catalog.pg_extension e"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace), '[]'),"
    /* Those of columns, and those that somebody has made. */
    " 'collations', coalesce((SELECT pg_catalog.jsonb_agg("
    "   pg_catalog.to_jsonb(c) - '{oid,collowner,collnamespace}'::text[]"
    "    || pg_catalog.jsonb_build_object('schema', n.nspname)"
    "   ORDER BY n.nspname, c.collname, c.collencoding)"
    "  FROM pg_catalog.pg_collation c"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace"
    "  WHERE n.nspname <> 'pg_catalog' OR c.oid IN (SELECT a.attcollation"
    "   FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class k"
    "    ON k.oid = a.attrelid JOIN pg_catalog.pg_namespace m"
    "    ON m.oid = k.relnamespace WHERE m.nspname NOT IN ('pg_catalog',"
    "    'information_schema', 'pg_toast'))), '[]'))) || E'\\n'";

int
environment_write(const struct run_dir *dir, struct session *s,
                  const struct age_recipients *to, struct facts *f,
                  struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    cleanup_(document_freep) struct document *file = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *name = facts_document_file(f, FACTS_ENVIRONMENT);
    int r = session_query(s, question, &res, err);

    if (!r)
        r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 1, err);
    if (!r)
        r = document_open(&file, data_fd, name, to, err);
    if (!r)
        r = bytes_out_append(document_out(file), PQgetvalue(res, 0, 0),
                             (size_t)PQgetlength(res, 0, 0), err);
    if (!r)
        r = document_commit(file, f->documents[FACTS_ENVIRONMENT].sha256, err);
    f->documents[FACTS_ENVIRONMENT].present = !r;
    return r;
}
