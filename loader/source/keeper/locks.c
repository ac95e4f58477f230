/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/locks.h"

#include <string.h>

#include "loader/source/plan/relations.h"

struct locks {
    struct snapshot *snapshot;
    unsigned wait_s;
};

static int
lock_page(void *arg, const PGresult *page, struct err *err)
{
    const struct locks *l = arg;
    struct session *s = snapshot_session(l->snapshot);
    char *names[RELATIONS_PAGE] = {0};
    int n_names = PQntuples(page), r = 0;

    for (int i = 0; i < n_names && !r; i++) {
        names[i] = session_qualified(s, PQgetvalue(page, i, 1),
                                     PQgetvalue(page, i, 2));
        if (!names[i])
            r = err_nomem(err);
    }
    if (!r)
        r = snapshot_lock(l->snapshot, (const char *const *)names,
                          (unsigned)n_names, l->wait_s, err);
    for (int i = 0; i < n_names; i++)
        session_freemem(names[i]);
    return r;
}

/*
 * How many, what is set and what would do: room for twice as many, since
 * others lock tables too.  It is asked first, for when the table is full no
 * more can be asked.
 */
static int
count_tables(const struct relations *tables, PGresult **ret, struct err *err)
{
    static const char count[] =
        "SELECT n, pg_catalog.current_setting('max_locks_per_transaction'),"
        " greatest(64, pg_catalog.ceil(2.0 * n"
        "  / (pg_catalog.current_setting('max_connections')::int"
        "   + pg_catalog.current_setting('max_prepared_transactions')::int)))"
        " FROM (SELECT pg_catalog.count(*) AS n " RELATIONS_FROM
        "  AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'"
        "  AND" SELECTION_KEEPS ") AS x";
    cleanup_(freep) char *sql = selection_query(tables->selection, count);

    return sql ? session_query(tables->session, sql, ret, err) : err_nomem(err);
}

static int
refuse_full(const PGresult *count, struct err *err)
{
    err_set(err, ERR_REFUSED, "the lock table of the source is full");
    err_detail(err,
               "Every table is locked for the time of the export: there are "
               "%s, and max_locks_per_transaction is %s.",
               PQgetvalue(count, 0, 0), PQgetvalue(count, 0, 1));
    return err_hint(err,
                    "Set max_locks_per_transaction = %s at the source, and "
                    "restart it.",
                    PQgetvalue(count, 0, 2));
}

int
locks_take(struct snapshot *n, const struct selection *selection,
           unsigned wait_s, struct err *err)
{
    cleanup_(session_clearp) PGresult *count = NULL;
    struct locks l = {n, wait_s};
    const struct relations tables = {snapshot_session(n), selection, "{r,p}"};
    int r;

    r = count_tables(&tables, &count, err);
    if (!r)
        r = relations_each_page(&tables, lock_page, &l, err);
    /* out_of_memory: of a lock statement, that is the lock table */
    return r && count && strcmp(err->sqlstate, "53200") == 0
               ? refuse_full(count, err)
               : r;
}
