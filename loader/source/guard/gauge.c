/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/gauge.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/clock.h"

enum { EVERY_MS = 1500 };

struct gauge {
    struct gauge_params params;
    struct vitals_origin origin;
    struct session *session; /* NULL: to be opened */
    struct vitals last;
    uint64_t next_ms;
};

/* An answer that takes long is worse than none. */
static int
open_session(struct gauge *g, struct err *err)
{
    const struct session_params p = {
        .conninfo = g->params.conninfo,
        .side = g->params.side,
        .purpose = "vitals",
        .stop = g->params.stop,
    };
    int r = session_open(&g->session, &p, err);

    return r ? r
             : session_exec(g->session, "SET statement_timeout = '5s'", err);
}

int
gauge_open(struct gauge **ret, const struct gauge_params *p, struct err *err)
{
    cleanup_(gauge_freep) struct gauge *g = calloc(1, sizeof *g);
    int r;

    if (!g)
        return err_nomem(err);
    g->params = *p;
    r = vitals_begin(&g->origin, p->in_snapshot, NULL, err);
    if (!r)
        r = open_session(g, err);
    if (!r)
        r = vitals_require(g->session, p->set, err);
    if (!r)
        *ret = take(g);
    return r;
}

struct gauge *
gauge_free(struct gauge *g)
{
    if (g)
        session_free(g->session);
    free(g);
    return NULL;
}

static int
measure(struct gauge *g, struct err *err)
{
    struct vitals now;
    int r = g->session ? 0 : open_session(g, err);

    if (!r)
        r = vitals_measure(&g->origin, g->session, &now, err);
    if (r)
        return r;
    now.n = g->last.n + 1;
    g->last = now;
    return 0;
}

void
gauge_look(void *gauge, struct vitals *ret)
{
    struct gauge *g = gauge;
    struct err why;

    if (clock_ms() >= g->next_ms) {
        if (measure(g, &why)) {
            snprintf(g->last.trouble, sizeof g->last.trouble, "%s",
                     why.message);
            g->session = session_free(g->session);
        }
        g->next_ms = clock_ms() + EVERY_MS;
    }
    *ret = g->last;
}
