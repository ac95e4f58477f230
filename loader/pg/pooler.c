/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/pooler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often one is asked again: a pooler that goes round its server processes
   would have changed it. */
enum { TRIES = 8 };

struct at {
    int pid;
    char server[96]; /* the same only for the same server */
};

static int
look(struct session *s, struct at *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(s,
                      "SELECT pg_catalog.pg_backend_pid(),"
                      " pg_catalog.date_part('epoch',"
                      "  pg_catalog.pg_postmaster_start_time())",
                      &res, err);
    if (r)
        return r;
    ret->pid = atoi(PQgetvalue(res, 0, 0));
    snprintf(ret->server, sizeof ret->server, "%s", PQgetvalue(res, 0, 1));
    return 0;
}

static int
is_between(struct session *s, const struct at *at)
{
    return PQbackendPID(session_conn(s)) != at->pid;
}

/* a is between two transactions, b in one: is a's server process lent to b? */
static int
is_lent(struct session *a, const struct at *before, struct session *b, int *ret,
        struct err *err)
{
    struct at now, of_b;
    int r = session_exec(b, "BEGIN", err);

    *ret = 0;
    if (!r)
        r = look(b, &of_b, err);
    if (!r && of_b.pid == before->pid)
        *ret = 1;
    for (int i = 0; i < TRIES && !r && !*ret; i++) {
        r = look(a, &now, err);
        *ret = !r && now.pid != before->pid;
    }
    return r;
}

static int
refuse(const struct session_params *p, const char *what, struct err *err)
{
    err_set(err, ERR_REFUSED, "the connection to the %s does not lead to it",
            p->side == SESSION_SOURCE ? "source" : "target");
    err_detail(err, "%s", what);
    return err_hint(err, "Connect to the server itself, past any pooler or "
                         "load balancer, or through one that pools sessions.");
}

int
pooler_require_none(const struct session_params *params, struct err *err)
{
    cleanup_(session_freep) struct session *a = NULL;
    cleanup_(session_freep) struct session *b = NULL;
    struct session_params p = *params;
    struct at at, other;
    int r, lent = 0;

    p.bare = 1;
    r = session_open(&a, &p, err);
    if (!r)
        r = session_open(&b, &p, err);
    if (!r)
        r = look(a, &at, err);
    if (!r)
        r = look(b, &other, err);
    if (r)
        return r;
    if (strcmp(at.server, other.server) != 0)
        return refuse(params,
                      "Two connections reached two servers, which began at "
                      "different times: there is a load balancer in between.",
                      err);
    if (is_between(a, &at))
        r = is_lent(a, &at, b, &lent, err);
    return lent ? refuse(params,
                         "A pooler changes the server process from one "
                         "transaction to the next.",
                         err)
                : r;
}
