/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/silence.h"

#include <string.h>

enum { HAS_OPTION = 170000 }; /* event_triggers */

/* What only some roles may, and whether ours does. */
static int
set_where_allowed(struct session *s, const char *sql, int *ret, struct err *err)
{
    struct err refused;
    int r = session_exec(s, sql, &refused);

    *ret = r == 0;
    if (!r || strcmp(refused.sqlstate, "42501") == 0)
        return 0;
    *err = refused;
    return r;
}

int
silence_triggers(struct session *s, int *ret, struct err *err)
{
    return set_where_allowed(s, "SET session_replication_role = replica", ret,
                             err);
}

/* Asked beforehand: a refusal would end the transaction. */
int
silence_transaction(struct session *s, struct err *err)
{
    return session_exec(
        s,
        session_server_version(s) >= 150000
            ? "SELECT pg_catalog.set_config('session_replication_role',"
              " 'replica', true) WHERE pg_catalog.has_parameter_privilege("
              " 'session_replication_role', 'SET')"
            : "SELECT pg_catalog.set_config('session_replication_role',"
              " 'replica', true) WHERE"
              " pg_catalog.current_setting('is_superuser') = 'on'",
        err);
}

/* Are there some that the role of a replica would keep from firing? */
static int
has_ordinary(struct session *s, int *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r =
        session_query(s,
                      "SELECT EXISTS (SELECT FROM"
                      " pg_catalog.pg_event_trigger WHERE evtenabled = 'O')",
                      &res, err);

    if (!r)
        *ret = PQgetvalue(res, 0, 0)[0] == 't';
    return r;
}

int
silence_event_triggers(struct session *s, struct err *err)
{
    int there, done, r;

    if (session_server_version(s) >= HAS_OPTION)
        return set_where_allowed(s, "SET event_triggers = off", &done, err);
    r = has_ordinary(s, &there, err);
    return r || !there ? r : silence_triggers(s, &done, err);
}

int
silence_tell(struct session *s, struct progress *p, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(
        s,
        "SELECT evtname FROM pg_catalog.pg_event_trigger"
        " WHERE evtenabled IN ('A', CASE pg_catalog.current_setting("
        "  'session_replication_role') WHEN 'replica' THEN 'R'"
        "  ELSE 'O' END::\"char\") AND evtevent <> 'login'"
        " AND coalesce(pg_catalog.current_setting('event_triggers', true),"
        "  'on') <> 'off' ORDER BY evtname",
        &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++)
        progress_note(p,
                      "event trigger %s of the target fires at what the load "
                      "does: it is to fire always, or this role may not keep "
                      "it from that",
                      PQgetvalue(res, i, 0));
    return r;
}

int
silence_break(struct session *s, struct err *err)
{
    return session_exec(s,
                        "SELECT pg_catalog.set_config(name, reset_val, true)"
                        " FROM pg_catalog.pg_settings WHERE name IN"
                        " ('session_replication_role', 'event_triggers')"
                        " AND setting <> reset_val",
                        err);
}
