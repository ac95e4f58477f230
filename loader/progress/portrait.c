/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/portrait.h"

#include "io/printable.h"

/* Of these, those that the version has. */
static const char settings[] =
    "SELECT name, pg_catalog.current_setting(name)"
    " FROM pg_catalog.pg_settings WHERE name IN ('autovacuum',"
    " 'checkpoint_timeout', 'data_checksums', 'default_toast_compression',"
    " 'effective_cache_size', 'fsync', 'full_page_writes',"
    " 'maintenance_work_mem', 'max_connections',"
    " 'max_parallel_maintenance_workers', 'max_wal_size', 'server_encoding',"
    " 'server_version', 'shared_buffers', 'synchronous_commit', 'wal_level')"
    " ORDER BY name";

static json_t *
text_json(const char *text)
{
    char shown[PRINTABLE_SIZE(256)];

    return json_string(printable(shown, sizeof shown, text ? text : ""));
}

int
portrait_log(struct events *e, const char *side, struct session *s,
             struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const PGconn *c = session_conn(s);
    json_t *o, *list;
    int r;

    if (!e)
        return 0;
    r = session_query(s, settings, &res, err);
    if (r)
        return r;
    o = json_object();
    json_object_set_new(o, "host", text_json(PQhost(c)));
    json_object_set_new(o, "port", text_json(PQport(c)));
    json_object_set_new(o, "database", text_json(PQdb(c)));
    json_object_set_new(o, "user", text_json(PQuser(c)));
    list = json_object();
    for (int i = 0; i < PQntuples(res); i++)
        json_object_set_new(list, PQgetvalue(res, i, 0),
                            text_json(PQgetvalue(res, i, 1)));
    json_object_set_new(o, "settings", list);
    events_server(e, side, o);
    return 0;
}
