/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/locks.h"

#include "loader/source/relations.h"

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

int
locks_take(struct snapshot *n, unsigned wait_s, struct err *err)
{
    struct locks l = {n, wait_s};

    return relations_each_page(snapshot_session(n), "{r,p}", lock_page, &l,
                               err);
}
