/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/check/question.h"

#include <stdio.h>
#include <stdlib.h>

#include "loader/pg/headroom.h"

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

int
question_connections(struct session *s, const char *name, unsigned needed,
                     struct findings *f, struct err *err)
{
    char seen[160];
    struct finding found = {name, FINDING_OK, seen,
                            "Give a smaller --jobs, or raise max_connections, "
                            "or the CONNECTION LIMIT that is named."};
    struct headroom left;

    if (headroom_ask(s, 1, &left, err))
        return question_failed(f, name, FINDING_WARNING, err);
    if (needed >= left.n)
        found.level = needed > left.n ? FINDING_ERROR : FINDING_WARNING;
    snprintf(seen, sizeof seen, "%u of %ld would be used%s%s", needed, left.n,
             headroom_is_personal(&left) ? ": " : "",
             headroom_is_personal(&left) ? left.limit : "");
    return findings_add(f, &found, err);
}
