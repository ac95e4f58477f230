/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/selection_private.h"

/*
 * What pg_dump's RESET search_path leads to: the session has pinned another.
 * As SQL for an array; the settings' values are hostile, too.
 */
static int
read_path(struct session *session, char **ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(session_freememp) char *literal = NULL;
    int r;

    r = session_exec(session,
                     "SELECT pg_catalog.set_config('search_path', reset_val,"
                     " false) FROM pg_catalog.pg_settings"
                     " WHERE name = 'search_path'",
                     err);
    if (!r)
        r = session_query(session, "SELECT pg_catalog.current_schemas(false)",
                          &res, err);
    if (!r)
        r = session_exec(
            session, "SELECT pg_catalog.set_config('search_path', '', false)",
            err);
    if (r)
        return r;
    literal = session_literal(session, PQgetvalue(res, 0, 0));
    if (!literal || asprintf(ret, "%s::pg_catalog.name[]", literal) < 0)
        return err_nomem(err);
    return 0;
}

/* A query for the first thing that the rule matches. */
static char *
match_query(const struct rule *rule, struct session *session, char *path)
{
    struct selection_writing w = {.session = session, .path = path};
    char *sql = NULL;
    size_t len;

    w.f = open_memstream(&sql, &len);
    if (!w.f)
        return NULL;
    fputs(selection_is_about_schemas(rule->kind)
              ? "SELECT FROM pg_catalog.pg_namespace n WHERE "
              : "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace"
                " n ON n.oid = c.relnamespace WHERE c.relkind "
                "IN " SELECTION_RELATION_KINDS " AND ",
          w.f);
    selection_print_match(&w, rule);
    fputs(" LIMIT 1", w.f);
    if (fclose(w.f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
require_match(const struct rule *rule, struct session *session, char *path,
              struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = match_query(rule, session, path);
    int r;

    if (!sql)
        return err_nomem(err);
    r = session_query(session, sql, &res, err);
    if (r && strcmp(err->sqlstate, "2201B") == 0) { /* regular expression */
        err->class = ERR_USAGE;
        return err_detail(err, "The pattern is %s \"%s\".",
                          selection_option_of(rule), rule->text);
    }
    if (r || PQntuples(res) > 0)
        return r;
    err_set(err, ERR_REFUSED, "nothing at the source matches %s \"%s\"",
            selection_option_of(rule), rule->text);
    return err_hint(err,
                    "Names are in small letters unless the pattern has "
                    "them in double quotes%s.",
                    selection_is_about_schemas(rule->kind) ||
                            rule->pattern.has_schema
                        ? ""
                        : "; without a schema, only what the role's "
                          "search_path finds is meant");
}

static int
write_all(struct selection *s, struct session *session, const char *path,
          struct err *err)
{
    free(s->sql);
    free(s->where_sql);
    s->sql = selection_is_all(s) ? NULL : selection_write(s, session, path);
    s->where_sql = where_write(s, session, path);
    return (s->sql || selection_is_all(s)) && s->where_sql ? 0 : err_nomem(err);
}

int
selection_prepare(struct selection *s, struct session *session, struct err *err)
{
    cleanup_(freep) char *path = NULL;
    int r;

    if (!selection_is_all(s) || selection_has_where(s)) {
        r = read_path(session, &path, err);
        for (unsigned i = 0; i < s->n_rules && !r; i++)
            r = require_match(&s->rules[i], session, path, err);
        if (!r)
            r = write_all(s, session, path, err);
        return r ? r : where_prepare(s, session, err);
    }
    return 0;
}
