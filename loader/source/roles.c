/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/bytes.h"
#include "io/dir.h"
#include "io/fd.h"
#include "loader/bag/document.h"

/*
 * Each query gives statements, a column of one.  A statement is a DO whose
 * body is a literal, so that no name can end it.  In a body, %1$I is the
 * role's name as an identifier, %1$L as a literal.
 */
#define DO(format, ...)                                                        \
    "'DO ' || pg_catalog.quote_literal(pg_catalog.format($f$" format           \
    "$f$, " __VA_ARGS__ ")) || ';'"

#define IS_NEW(role)                                                           \
    "EXISTS (SELECT FROM pg_temp.pghaul_roles WHERE name = " role              \
    " AND NOT existed)"

#define OURS(role) role ".rolname !~ '^pg_'"

static const char new_roles[] = "SELECT " DO(
    "BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE "
    "rolname = "
    "%1$L) THEN INSERT INTO pg_temp.pghaul_roles VALUES (%1$L, "
    "true); "
    "ELSE CREATE ROLE %1$I WITH %2$s; "
    "INSERT INTO pg_temp.pghaul_roles VALUES (%1$L, false); END "
    "IF; "
    "EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'role \"%%\": "
    "%%', %1$L, "
    "SQLERRM USING ERRCODE = SQLSTATE; END",
    "r.rolname, pg_catalog.concat_ws(' ',"
    " CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,"
    " CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,"
    " CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE "
    "'NOCREATEROLE' END,"
    " CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,"
    " CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,"
    " CASE WHEN rolreplication THEN 'REPLICATION' ELSE "
    "'NOREPLICATION'"
    "  END,"
    " CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' "
    "END,"
    " 'CONNECTION LIMIT ' || rolconnlimit,"
    " 'VALID UNTIL ' || "
    "pg_catalog.quote_literal(rolvaliduntil::text))") " FROM "
                                                      "pg_catalog."
                                                      "pg_roles r "
                                                      "WHERE"
                                                      " " OURS("r") " ORDER BY "
                                                                    "r.rolname";

/* The setting as SET wants it: of these the value is a list, whose elements
   may be quoted. */
#define SET_CLAUSE                                                             \
    "pg_catalog.format('SET %I TO %s', v.name, CASE WHEN v.name IN ("          \
    "'local_preload_libraries', 'search_path', 'session_preload_libraries',"   \
    " 'shared_preload_libraries', 'temp_tablespaces',"                         \
    " 'unix_socket_directories') THEN coalesce((SELECT pg_catalog.string_agg(" \
    "pg_catalog.quote_literal(coalesce(pg_catalog.replace(m[1], '\"\"', '\"')" \
    ", m[2])), ', ') FROM pg_catalog.regexp_matches(v.value,"                  \
    " '\"((?:[^\"]|\"\")*)\"|([^\",[:space:]][^,[:space:]]*)', 'g') AS m),"    \
    " '''''') ELSE pg_catalog.quote_literal(v.value) END)"

#define SETTINGS                                                               \
    " FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL"              \
    " (SELECT pg_catalog.split_part(c, '=', 1) AS name,"                       \
    "   pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value, n"       \
    "  FROM pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c (c, n)) AS v"  \
    " LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole"

#define THIS                                                                   \
    "(SELECT oid FROM pg_catalog.pg_database"                                  \
    " WHERE datname = pg_catalog.current_database())"

static const char role_settings[] =
    "SELECT " DO("BEGIN IF " IS_NEW("%1$L") " THEN ALTER ROLE %1$I %2$s; "
                                            "END IF; END",
                 "r.rolname, " SET_CLAUSE) SETTINGS
    " WHERE s.setdatabase = 0 AND " OURS("r") " ORDER BY r.rolname, v.n";

static const char role_comments[] = "SELECT " DO(
    "BEGIN IF " IS_NEW("%1$L") " THEN COMMENT ON ROLE %1$I IS "
                               "%2$L; END IF; END",
    "r.rolname, d.description") " FROM pg_catalog.pg_roles AS r JOIN "
                                "pg_catalog.pg_shdescription AS d"
                                " ON d.objoid = r.oid AND d.classoid = "
                                "'pg_catalog.pg_authid'::regclass"
                                " WHERE " OURS("r") " ORDER BY r.rolname";

/* Who granted it is not carried.  Since 16 there are three options. */
#define MEMBERSHIPS(options)                                                   \
    "SELECT " DO(                                                              \
        "BEGIN IF " IS_NEW("%1$L") " OR " IS_NEW(                              \
            "%2$L") " THEN GRANT %1$I TO %2$I%3$s; END IF; END",               \
        "r.rolname, m.rolname, " options) " FROM pg_catalog.pg_auth_members "  \
                                          "AS a"                               \
                                          " JOIN pg_catalog.pg_roles AS r ON " \
                                          "r.oid = a.roleid"                   \
                                          " JOIN pg_catalog.pg_roles AS m ON " \
                                          "m.oid = a.member"                   \
                                          " GROUP BY r.rolname, m.rolname "    \
                                          "ORDER BY r.rolname, m.rolname"

static const char memberships[] =
    MEMBERSHIPS("CASE WHEN pg_catalog.bool_or(a.admin_option)"
                " THEN ' WITH ADMIN OPTION' END");
static const char memberships_since_16[] = MEMBERSHIPS(
    "pg_catalog.format(' WITH ADMIN %s, INHERIT %s, SET %s',"
    " pg_catalog.bool_or(a.admin_option), pg_catalog.bool_or(a.inherit_option),"
    " pg_catalog.bool_or(a.set_option))");

/*
 * A statement about the current database, %I in the command, unless the
 * session's setting says that such are left out.
 */
#define ABOUT_DATABASE(unless, command)                                        \
    "SELECT " DO(                                                              \
        "BEGIN IF pg_catalog.current_setting(%1$L, true) IS DISTINCT "         \
        "FROM 'on' THEN EXECUTE pg_catalog.format(%2$L, "                      \
        "pg_catalog.current_database()); END IF; END",                         \
        "'pghaul." unless "', " command)

/* For format(). */
#define PERCENT(text) "pg_catalog.replace(" text ", '%', '%%')"
#define ROLE(oid)                                                              \
    "CASE WHEN " oid " = 0 THEN 'PUBLIC' ELSE " PERCENT(                       \
        "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(" oid "))") " END"

/* A comment, and so a line. */
static const char database_made[] =
    "SELECT pg_catalog.regexp_replace(pg_catalog.format("
    "'-- It was made with ENCODING %L LC_COLLATE %L LC_CTYPE %L.',"
    " pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype),"
    " '[[:cntrl:]]', ' ', 'g')"
    " FROM pg_catalog.pg_database AS d WHERE d.oid = " THIS;

static const char database_settings[] = ABOUT_DATABASE(
    "no_settings",
    "CASE WHEN r.oid IS NULL THEN 'ALTER DATABASE %I '"
    " ELSE 'ALTER ROLE ' || " PERCENT(
        "pg_catalog.quote_ident(r.rolname)") " ||"
                                             " ' IN DATABASE %I ' END "
                                             "|| " PERCENT(SET_CLAUSE)) SETTINGS
    " WHERE s.setdatabase = " THIS " ORDER BY s.setrole, v.n";

static const char database_limit[] =
    ABOUT_DATABASE("no_settings",
                   "'ALTER DATABASE %I CONNECTION LIMIT ' || "
                   "d.datconnlimit") " FROM pg_catalog.pg_database AS d "
                                     "WHERE d.oid = " THIS
                                     " AND d.datconnlimit >= 0";

static const char database_comment[] = ABOUT_DATABASE(
    "no_settings",
    "'COMMENT ON DATABASE %I IS ' ||" PERCENT(
        "pg_catalog.quote_literal(d.description)")) " FROM "
                                                    "pg_catalog.pg_"
                                                    "shdescription AS d WHERE "
                                                    "d.objoid = " THIS
                                                    " AND d.classoid = "
                                                    "'pg_catalog.pg_database'::"
                                                    "regclass";

static const char database_owner[] = ABOUT_DATABASE(
    "no_owner",
    "'ALTER DATABASE %I OWNER TO ' || " ROLE(
        "d.datdba")) " FROM pg_catalog.pg_database AS d WHERE d.oid = " THIS;

static const char database_revokes[] = ABOUT_DATABASE(
    "no_acl",
    "'REVOKE ALL ON DATABASE %I FROM PUBLIC, ' || " ROLE(
        "d.datdba")) " FROM pg_catalog.pg_database AS d WHERE d.oid = " THIS
                     " AND d.datacl IS NOT NULL";

static const char database_grants[] = ABOUT_DATABASE(
    "no_acl", "'GRANT ' || a.privilege_type || ' ON DATABASE %I TO '"
              " || " ROLE("a.grantee") " || CASE WHEN a.is_grantable"
                                       " THEN ' WITH GRANT OPTION' ELSE '' "
                                       "END") " FROM pg_catalog.pg_database "
                                              "AS d, "
                                              "pg_catalog.aclexplode(d.datacl)"
                                              "  WITH ORDINALITY AS a "
                                              "(grantor, grantee, "
                                              "privilege_type, is_grantable, "
                                              "n)"
                                              " WHERE d.oid = " THIS
                                              " ORDER BY a.n";

/* ---- the files ---- */

static const char roles_head[] =
    "-- Roles, their settings and memberships; no passwords.  Those that "
    "exist\n"
    "-- are left as they are: see pg_temp.pghaul_roles afterwards.\n"
    "-- psql -X -1 -v ON_ERROR_STOP=1 -f roles.sql\n";

static const char notes[] =
    "SELECT 'CREATE TEMPORARY TABLE pghaul_roles"
    " (name name PRIMARY KEY, existed boolean NOT NULL);'";

static const char database_head[] =
    "-- What belongs to the database as a whole, for the one that this is run\n"
    "-- in, when its rows are there.\n"
    "-- psql -X -1 -v ON_ERROR_STOP=1 -d DATABASE -f database.sql\n";

static int
visit(void *arg, const PGresult *row, struct err *err)
{
    const struct bytes_out *out = arg;
    int r = bytes_out_append(out, PQgetvalue(row, 0, 0),
                             (size_t)PQgetlength(row, 0, 0), err);

    return r ? r : bytes_out_append(out, "\n", 1, err);
}

/* queries ends in NULL. */
static int
write_script(struct session *s, const char *head, const char *const *queries,
             const struct bytes_out *out, struct err *err)
{
    char encoding[64];
    int r;

    snprintf(encoding, sizeof encoding, "SET client_encoding = '%s';\n",
             session_encoding(s));
    r = bytes_out_append(out, head, strlen(head), err);
    if (!r)
        r = bytes_out_append(out, encoding, strlen(encoding), err);
    for (; *queries && !r; queries++)
        r = session_each(s, *queries, visit, (void *)out, err);
    return r;
}

struct text {
    enum facts_document document;
    const char *head;
    const char *const *queries;
};

static int
write_text(int data_fd, struct session *s, const struct text *text,
           const struct age_recipients *to, struct facts *f, struct err *err)
{
    cleanup_(document_freep) struct document *file = NULL;
    unsigned char *sha256 = f->documents[text->document].sha256;
    int r;

    r = document_open(&file, data_fd, facts_document_file(f, text->document),
                      to, err);
    if (!r)
        r = write_script(s, text->head, text->queries, document_out(file), err);
    if (!r)
        r = document_commit(file, sha256, err);
    f->documents[text->document].present = !r;
    return r;
}

int
roles_write(const struct run_dir *dir, struct session *s,
            const struct age_recipients *to, struct facts *f, struct err *err)
{
    int since_16 = session_server_version(s) >= 160000;
    const char *const of_roles[] = {notes,
                                    new_roles,
                                    role_settings,
                                    role_comments,
                                    since_16 ? memberships_since_16
                                             : memberships,
                                    NULL};
    const char *const of_database[] = {
        database_made,  database_settings, database_limit,  database_comment,
        database_owner, database_revokes,  database_grants, NULL};
    const struct text texts[] = {
        {FACTS_ROLES, roles_head, of_roles},
        {FACTS_DATABASE, database_head, of_database},
    };
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 1, err);
    for (unsigned i = 0; i < 2 && !r; i++)
        r = write_text(data_fd, s, &texts[i], to, f, err);
    return r;
}
