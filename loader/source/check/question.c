/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/check/question.h"

#include <stdio.h>
#include <stdlib.h>

int
question_failed(struct findings *f, const char *name, enum finding_level level,
                struct err *err)
{
    char seen[sizeof err->message + sizeof err->detail + 2];
    struct err why = *err;

    if (why.class != ERR_REFUSED &&
        (why.class != ERR_SERVER ||
         session_retry_class(&why) == SESSION_RETRY_RECONNECT))
        return -1;
    snprintf(seen, sizeof seen, "%s%s%s", why.message, *why.detail ? ": " : "",
             why.detail);
    return findings_add(f, &(struct finding){name, level, seen, why.hint}, err);
}

/* The number, and the first few, of what a query lists. */
#define FIRST_OF                                                               \
    "SELECT count(*), array_to_string((array_agg(x.name ORDER BY x.name))"     \
    "[1:3], ', ') || CASE WHEN count(*) > 3 THEN ', ...' ELSE '' END"          \
    " FROM (%s) AS x (name)"

static int
query(struct session *s, const char *sql, const char *parameter, PGresult **ret,
      struct err *err)
{
    return session_query_params(s, sql, parameter != NULL, &parameter, ret,
                                err);
}

static int
ask_list(const struct question *q, struct session *s, const char *parameter,
         struct findings *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL, *seen = NULL;
    struct finding found = {q->name, q->level, q->none, q->advice};
    const char *what = q->what;

    if (asprintf(&sql, FIRST_OF, q->sql) < 0)
        return err_nomem(err);
    if (query(s, sql, parameter, &res, err))
        return question_failed(f, q->name, FINDING_WARNING, err);
    if (atoll(PQgetvalue(res, 0, 0)) == 0) {
        found.level = FINDING_OK;
        return findings_add(f, &found, err);
    }
    if (q->one && atoll(PQgetvalue(res, 0, 0)) == 1)
        what = q->one;
    if (asprintf(&seen, "%s %s: %s", PQgetvalue(res, 0, 0), what,
                 PQgetvalue(res, 0, 1)) < 0)
        return err_nomem(err);
    found.seen = seen;
    return findings_add(f, &found, err);
}

static int
ask_value(const struct question *q, struct session *s, const char *parameter,
          struct findings *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int level;

    if (query(s, q->sql, parameter, &res, err))
        return question_failed(f, q->name, FINDING_WARNING, err);
    level = atoi(PQgetvalue(res, 0, 0));
    return findings_add(f,
                        &(struct finding){q->name, (enum finding_level)level,
                                          PQgetvalue(res, 0, 1), q->advice},
                        err);
}

int
question_ask(const struct question *q, struct session *s, const char *parameter,
             struct findings *f, struct err *err)
{
    if (session_server_version(s) < q->min_version)
        return 0;
    return q->none ? ask_list(q, s, parameter, f, err)
                   : ask_value(q, s, parameter, f, err);
}

#define OTHERS                                                                 \
    "FROM pg_stat_activity a WHERE backend_type = 'client backend'"            \
    " AND application_name <> 'pghaul: check'"

int
question_connections(struct session *s, const char *name, unsigned needed,
                     struct findings *f, struct err *err)
{
    const struct question q = {
        .name = name,
        .sql = "SELECT CASE WHEN $1::int > n THEN 2 WHEN $1::int = n THEN 1"
               " ELSE 0 END, format('%s of %s would be used%s', $1::int, n,"
               "  whose) FROM (SELECT current_setting('max_connections')::int"
               "  - current_setting('superuser_reserved_connections')::int"
               "  - coalesce(current_setting('reserved_connections', true),"
               "             '0')::int - (SELECT count(*) " OTHERS ") AS n,"
               "  '' AS whose"
               " UNION ALL SELECT datconnlimit - (SELECT count(*) " OTHERS
               "   AND a.datid = d.oid), ': CONNECTION LIMIT of the database'"
               "  FROM pg_database d WHERE datname = current_database()"
               "  AND datconnlimit >= 0"
               "  AND current_setting('is_superuser') = 'off'"
               " UNION ALL SELECT rolconnlimit - (SELECT count(*) " OTHERS
               "   AND a.usesysid = r.oid), ': CONNECTION LIMIT of the role'"
               "  FROM pg_roles r WHERE rolname = session_user"
               "  AND rolconnlimit >= 0 AND NOT rolsuper"
               " ORDER BY n LIMIT 1) AS x",
        .advice = "Give a smaller --jobs, or raise max_connections, or the "
                  "CONNECTION LIMIT that is named.",
    };
    char parameter[16];

    snprintf(parameter, sizeof parameter, "%u", needed);
    return question_ask(&q, s, parameter, f, err);
}
