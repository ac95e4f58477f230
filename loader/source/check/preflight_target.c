/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "loader/pg/encoding.h"
#include "loader/source/check/preflight.h"
#include "loader/source/check/question.h"
#include "loader/source/plan/relations.h"

enum { LEDGER_CONNECTION = 1 };

static const struct question about_target[] = {
    {
        .name = "target rows",
        .sql = "SELECT format('%I.%I', n.nspname, c.relname) " RELATIONS_FROM
            RELATIONS_BUT_EXTENSIONS
               "AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
               " UNION ALL (SELECT format('large object %s', oid)"
               "  FROM pg_largeobject_metadata ORDER BY oid LIMIT 1)",
        .none = "the database is empty",
        .what = "relations are there already",
        .one = "relation is there already",
        .level = FINDING_ERROR,
        .advice = "Load into an empty database.",
    },
    {
        .name = "target privileges",
        .sql = "SELECT CASE WHEN NOT mine THEN 2 WHEN super THEN 0 ELSE 1 END,"
               " CASE WHEN NOT mine THEN 'no CREATE on the database'"
               " WHEN super THEN 'a superuser'"
               " ELSE 'CREATE on the database, but no superuser' END"
               " FROM (SELECT"
               "  has_database_privilege(current_database(), 'CREATE') AS mine,"
               "  current_setting('is_superuser') = 'on' AS super) AS x",
        .advice = "Who is no superuser needs CREATE on the database, to be a "
                  "member of every owner (or --no-owner), and can neither "
                  "create untrusted extensions nor event triggers.",
    },
    {
        .name = "target event triggers",
        .sql = "SELECT evtname FROM pg_event_trigger WHERE evtevent <> 'login'"
               " AND (evtenabled IN ('O', 'A')"
               "   AND current_setting('is_superuser') = 'off'"
               "  OR evtenabled = 'A'"
               "   AND current_setting('server_version_num')::int < 170000)",
        .none = "none would fire",
        .what = "would fire at what a load does",
        .level = FINDING_WARNING,
        .advice = "ALTER EVENT TRIGGER ... DISABLE for the time of the load, "
                  "or load as a role that may keep them from firing.",
    },
    {
        .name = "target collations",
        .sql = "SELECT format('%I.%I', n.nspname, c.collname)"
               " FROM pg_collation c"
               " JOIN pg_namespace n ON n.oid = c.collnamespace"
               " WHERE c.collversion <> pg_collation_actual_version(c.oid)",
        .none = "are of the versions that were recorded",
        .what = "collations have another version now",
        .one = "collation has another version now",
        .level = FINDING_WARNING,
        .advice = "Run ALTER COLLATION ... REFRESH VERSION before the load, "
                  "while nothing is sorted by them.",
    },
    {
        .name = "target collation",
        .sql = QUESTION_COLLATION,
        .none = "is of the version that was recorded",
        .what = "has another version now",
        .level = FINDING_WARNING,
        .advice = "Run ALTER DATABASE ... REFRESH COLLATION VERSION before "
                  "the load, while nothing is sorted by it.",
        .min_version = 150000,
    },
};

/* What the source uses and the target must have. */
struct need {
    const char *used; /* a query for the names, at the source */
    struct question missing;
};

#define MISSING_FROM(table, column)                                            \
    "SELECT x FROM unnest($1::text[]) AS x WHERE NOT EXISTS"                   \
    " (SELECT FROM " table " AS t WHERE t." column " = x)"

static const struct need needs[] = {
    {
        "SELECT extname FROM pg_extension",
        {
            .name = "target extensions",
            .sql = MISSING_FROM("pg_available_extensions", "name"),
            .none = "all can be had",
            .what = "extensions are not installed",
            .one = "extension is not installed",
            .level = FINDING_ERROR,
            .advice = "Install their packages on the target's machine.",
        },
    },
    {
        "SELECT t.spcname FROM pg_tablespace t WHERE t.oid IN"
        " (SELECT c.reltablespace FROM pg_class c WHERE NOT c.relisshared)",
        {
            .name = "target tablespaces",
            .sql = MISSING_FROM("pg_tablespace", "spcname"),
            .none = "all are there",
            .what = "tablespaces are missing",
            .one = "tablespace is missing",
            .level = FINDING_ERROR,
            .advice = "Create them at the target (CREATE TABLESPACE).",
        },
    },
};

static int
check_need(const struct need *need, struct session *source,
           struct session *target, struct findings *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL;

    if (asprintf(&sql,
                 "SELECT coalesce(array_agg(x.name::text), '{}')"
                 " FROM (%s) AS x (name)",
                 need->used) < 0)
        return err_nomem(err);
    if (session_query(source, sql, &res, err))
        return question_failed(f, need->missing.name, FINDING_WARNING, err);
    return question_ask(&need->missing, target, PQgetvalue(res, 0, 0), f, err);
}

/*
 * Owners, grantees, and whom policies are for: the last are needed even where
 * owners and privileges are left out.
 */
static int
check_roles(const struct preflight_params *p, struct session *source,
            struct session *target, struct findings *f, struct err *err)
{
    struct need roles = {
        .missing = {
            .name = "target roles",
            .sql = MISSING_FROM("pg_roles", "rolname"),
            .none = "every role that is needed is there",
            .what = "roles are missing",
            .one = "role is missing",
            .level = FINDING_ERROR,
            .advice = "Export and load with --roles, create them (pg_dumpall "
                      "--roles-only), or load with --no-owner and --no-acl.",
        }};
    cleanup_(freep) char *sql = NULL;

    if (p->roles) {
        roles.missing.level = FINDING_OK;
        roles.missing.what = roles.missing.one = "would be made (--roles)";
    }
    if (asprintf(&sql,
                 "SELECT r.rolname FROM pg_shdepend d"
                 " JOIN pg_roles r ON r.oid = d.refobjid"
                 " WHERE d.refclassid = 'pg_authid'::regclass"
                 " AND d.deptype IN ('r'%s%s) AND d.dbid = (SELECT oid"
                 "  FROM pg_database WHERE datname = current_database())"
                 " UNION SELECT pg_get_userbyid(c.relowner) " RELATIONS_FROM
                 "AND %s",
                 p->no_owner ? "" : ", 'o'", p->no_acl ? "" : ", 'a'",
                 p->no_owner ? "false" : "true") < 0)
        return err_nomem(err);
    roles.used = sql;
    return check_need(&roles, source, target, f, err);
}

static int
check_version(struct session *source, struct session *target,
              struct findings *f, struct err *err)
{
    int from = session_server_version(source) / 10000;
    int to = session_server_version(target) / 10000;
    char seen[64];
    struct finding found = {"target server",
                            to < from ? FINDING_ERROR : FINDING_OK, seen,
                            "Load into a server that is not older than the "
                            "source."};

    snprintf(seen, sizeof seen, "PostgreSQL %d, the source has %d", to, from);
    return findings_add(f, &found, err);
}

static int
check_encoding(struct session *source, struct session *target,
               struct findings *f, struct err *err)
{
    const char *from = session_encoding(source);
    const char *to = session_encoding(target);
    char seen[200];
    struct finding found = {"target encoding", FINDING_OK, seen,
                            "Make the target database with the encoding of "
                            "the source, or UTF8."};

    if (!encoding_holds(to, from))
        found.level = FINDING_ERROR;
    snprintf(seen, sizeof seen, "%s, the source has %s", to, from);
    return findings_add(f, &found, err);
}

static int
ask_target(const struct preflight_params *p, struct session *target,
           struct findings *f, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < sizeof about_target / sizeof *about_target && !r;
         i++)
        r = question_ask(&about_target[i], target, NULL, f, err);
    return r ? r
             : question_connections(target, "target connections",
                                    p->jobs + LEDGER_CONNECTION, f, err);
}

int
preflight_target(const struct preflight_params *p, struct session *source,
                 struct findings *f, struct err *err)
{
    cleanup_(session_freep) struct session *target = NULL;
    const struct session_params params = {
        .conninfo = p->target,
        .side = SESSION_TARGET,
        .purpose = "check",
        .encoding = "UTF8",
        .stop = p->stop,
    };
    int r = session_open(&target, &params, err);

    if (!r)
        r = session_exec(target, PREFLIGHT_PATIENCE, err);
    if (!r)
        r = check_version(source, target, f, err);
    if (!r)
        r = check_encoding(source, target, f, err);
    if (!r)
        r = ask_target(p, target, f, err);
    if (!r)
        r = check_roles(p, source, target, f, err);
    for (unsigned i = 0; i < sizeof needs / sizeof *needs && !r; i++)
        r = check_need(&needs[i], source, target, f, err);
    return r;
}
