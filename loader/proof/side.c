/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/side.h"

#include <stdlib.h>

#include "loader/pg/pooler.h"
#include "loader/pg/snapshot.h"
#include "loader/source/keeper/keeper.h"

struct proof_side {
    struct proof_side_params params;
    struct session *session;   /* NULL of a bag */
    struct snapshot *snapshot; /* NULL where a keeper holds it */
    struct catalog *plan;      /* NULL of a bag */
};

static struct session_params
session_params(const struct proof_side *s)
{
    return (struct session_params){
        .conninfo = s->params.conninfo,
        .side = s->params.side,
        .purpose = "verify",
        .encoding = s->params.encoding,
        .stop = s->params.stop,
    };
}

static int
see_snapshot(struct proof_side *s, struct err *err)
{
    const struct session_params p = session_params(s);
    int r;

    if (s->params.keeper)
        return keeper_join(s->params.keeper, s->params.origin, &s->session, &p,
                           err);
    r = session_open(&s->session, &p, err);
    return r ? r : snapshot_take(&s->snapshot, s->session, err);
}

static int
plan(struct proof_side *s, struct err *err)
{
    struct planner_params p = s->params.plan;
    int r;

    p.selection = s->params.selection;
    p.only_rows = 1;
    r = catalog_open_scratch(&s->plan, err);
    if (!r)
        r = selection_prepare(s->params.selection, s->session, err);
    return r || s->params.no_plan ? r
                                  : planner_run(&p, s->session, s->plan, err);
}

static int
open_server(struct proof_side *s, struct err *err)
{
    const struct session_params p = session_params(s);
    int r;

    r = pooler_require_none(&p, err);
    if (!r)
        r = see_snapshot(s, err);
    return r ? r : plan(s, err);
}

int
proof_side_open(struct proof_side **ret, const struct proof_side_params *p,
                struct err *err)
{
    cleanup_(proof_side_freep) struct proof_side *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    s->params = *p;
    r = p->conninfo ? open_server(s, err) : facts_require_staged(p->facts, err);
    if (!r)
        *ret = take(s);
    return r;
}

struct proof_side *
proof_side_free(struct proof_side *s)
{
    if (!s)
        return NULL;
    catalog_free(s->plan);
    snapshot_free(s->snapshot);
    session_free(s->session);
    free(s);
    return NULL;
}

const char *
proof_side_name(const struct proof_side *s)
{
    return s->params.name;
}

int
proof_side_is_source(const struct proof_side *s)
{
    return s->params.conninfo && s->params.side == SESSION_SOURCE;
}

int
proof_side_is_server(const struct proof_side *s)
{
    return s->params.conninfo != NULL;
}

struct catalog *
proof_side_catalog(const struct proof_side *s)
{
    return s->plan ? s->plan : s->params.catalog;
}

struct session *
proof_side_session(const struct proof_side *s)
{
    return s->session;
}

const char *
proof_side_encoding(const struct proof_side *s)
{
    if (!s->session)
        return s->params.facts->encoding;
    return s->params.encoding ? s->params.encoding
                              : session_encoding(s->session);
}

int
proof_side_join(const struct proof_side *s, struct session **ret,
                struct err *err)
{
    const struct session_params p = session_params(s);

    if (*ret && snapshot_is_joined(*ret))
        return 0;
    return s->params.keeper
               ? keeper_join(s->params.keeper, s->params.origin, ret, &p, err)
               : snapshot_join(ret, &p, snapshot_id(s->snapshot), err);
}

struct selection *
proof_side_selection(const struct proof_side *s)
{
    return s->params.selection;
}

const struct run_dir *
proof_side_dir(const struct proof_side *s)
{
    return s->params.dir;
}

const struct age_identities *
proof_side_identities(const struct proof_side *s)
{
    return s->params.identities;
}

const struct facts *
proof_side_facts(const struct proof_side *s)
{
    return s->params.facts;
}

enum proof_end
proof_guarded(const struct proof_pair *p)
{
    return proof_side_is_server(p->at[PROOF_LEFT]) ? PROOF_LEFT : PROOF_RIGHT;
}
