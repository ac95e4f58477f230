/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/guarding.h"

#include "loader/cli/copying.h"

static const char again[] =
    "Repeat the command when there is less to do there, "
    "or raise the limit.";

static const struct watch_words words = {
    {"The verification has come to no verdict.",
     "The verification has come to no verdict, and holds no snapshot any "
     "more."},
    {again, again},
};

static int
open_gauge(struct guarding *g, const struct workplace *w,
           const struct proof_side *side, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct gauge_params p = {
        .conninfo = proof_side_is_source(side) ? o->source : o->target,
        .side = proof_side_is_source(side) ? SESSION_SOURCE : SESSION_TARGET,
        .stop = w->ctx->stop,
        .in_snapshot = proof_side_session(side),
        .set = guard_set(&g->limits),
    };

    return p.set ? gauge_open(&g->gauge, &p, err) : 0;
}

int
guarding_begin(struct guarding *g, const struct workplace *w,
               const struct proof_pair *pair, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct proof_side *side = pair->at[proof_guarded(pair)];
    struct watch_params p = {
        .look = gauge_look,
        .words = &words,
        .limits = &g->limits,
        .max_rate = o->max_rate,
        .n_workers = o->jobs,
        .progress = w->progress,
        .stop = w->ctx->stop,
    };
    int r;

    g->limits = copying_guard_limits(o);
    if (!o->max_rate && !guard_set(&g->limits))
        return 0;
    if (!proof_side_is_server(side))
        return err_set(err, ERR_USAGE,
                       "there is no server to be read, which limits could be "
                       "on");
    r = open_gauge(g, w, side, err);
    p.look_arg = g->gauge;
    return r ? r : watch_new(&g->watch, &p, err);
}

void
guarding_end(struct guarding *g)
{
    watch_free(g->watch);
    gauge_free(g->gauge);
    *g = (struct guarding){0};
}
