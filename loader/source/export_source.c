/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "loader/pg/conninfo.h"
#include "loader/progress/portrait.h"
#include "loader/source/export_private.h"

struct session_params
export_session_params(const struct export *x)
{
    return (struct session_params){
        .conninfo = x->params.conninfo,
        .side = SESSION_SOURCE,
        .purpose = "plan",
        .stop = x->params.stop,
    };
}

static int
copy_value(char **ret, const PGresult *res, int column, struct err *err)
{
    *ret = strdup(PQgetvalue(res, 0, column));
    return *ret ? 0 : err_nomem(err);
}

/* Identity, and a fresh id for the run, from the source itself. */
int
export_learn(struct export *x, struct facts *f, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(x->session,
                      "SELECT (SELECT system_identifier"
                      "  FROM pg_catalog.pg_control_system()),"
                      " pg_catalog.current_database(),"
                      " pg_catalog.gen_random_uuid()",
                      &res, err);
    if (!r)
        r = copy_value(&f->system_id, res, 0, err);
    if (!r)
        r = copy_value(&f->database, res, 1, err);
    if (!r)
        r = copy_value(&f->run_id, res, 2, err);
    if (!r)
        r = conninfo_display(&f->source, x->params.conninfo, err);
    if (!r)
        r = portrait_log(progress_events(x->params.progress), "source",
                         x->session, err);
    if (r)
        return r;
    if (x->params.recipients) {
        f->recipients = age_recipients_text(x->params.recipients);
        if (!f->recipients)
            return err_nomem(err);
    }
    f->version = session_server_version(x->session);
    f->encoding = strdup(session_encoding(x->session));
    if (!f->encoding)
        return err_nomem(err);
    if (selection_is_all(x->params.selection) &&
        !selection_has_where(x->params.selection))
        return 0;
    f->selection = selection_text(x->params.selection);
    return f->selection ? 0 : err_nomem(err);
}

/* A directory belongs to one database of one cluster. */
int
export_require_same_source(struct export *x, const struct facts *now,
                           struct err *err)
{
    const struct facts *was = &x->facts;

    if (was->state == FACTS_NEW ||
        (strcmp(was->system_id, now->system_id) == 0 &&
         strcmp(was->database, now->database) == 0))
        return 0;
    err_set(err, ERR_REFUSED, "run directory \"%s\" is of another source",
            run_dir_path(x->dir));
    err_detail(err,
               "It holds database \"%s\" of cluster %s; this is \"%s\" of "
               "%s.",
               was->database, was->system_id, now->database, now->system_id);
    return err_hint(err, "Give each source a directory of its own.");
}
