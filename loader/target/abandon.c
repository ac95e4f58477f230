/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/abandon.h"

#include <stdio.h>

#include "loader/pg/session.h"
#include "loader/target/aside.h"
#include "loader/target/ledger.h"
#include "loader/target/places.h"
#include "loader/target/silence.h"

static int
drop_data(const struct abandon_params *p, struct session *s, struct catalog *c,
          struct err *err)
{
    int silent, r;

    if (!p->drop_data)
        return 0;
    /* Best without the user's triggers; who may not must do with them. */
    r = silence_triggers(s, &silent, err);
    if (!r)
        r = places_list(s, c, err);
    if (!r)
        r = session_exec(s, "SET lock_timeout = '30s'", err);
    if (!r)
        r = session_exec(s, places_truncate, err);
    if (!r)
        p->tell(p->arg, "the run's tables in the target are empty");
    return r;
}

static int
put_back(const struct abandon_params *p, const struct ledger *l,
         struct session *s, struct err *err)
{
    char what[128];
    unsigned n;
    int r = aside_put_back(l, s, &n, err);

    if (r || n == 0)
        return r;
    snprintf(what, sizeof what,
             "%u trigger%s, keys or indexes of the target were put back", n,
             n > 1 ? "s" : "");
    p->tell(p->arg, what);
    return 0;
}

static int
drop_ledger(const struct abandon_params *p, const struct ledger *l,
            struct session *s, struct err *err)
{
    int r = ledger_drop(l, s, err);

    if (!r)
        p->tell(p->arg, "the target's ledger has forgotten this run");
    return r;
}

int
abandon_load(const struct abandon_params *p, struct catalog *c, struct err *err)
{
    const struct session_params session = {
        .conninfo = p->conninfo,
        .side = SESSION_TARGET,
        .purpose = "abort",
        .encoding = p->facts->encoding,
        .stop = p->stop,
    };
    const struct ledger l = {.schema = p->ledger_schema,
                             .run = p->facts->run_id};
    cleanup_(session_freep) struct session *s = NULL;
    int r;

    r = session_open(&s, &session, err);
    if (!r)
        r = ledger_find(&l, s, err);
    if (r)
        return r == LEDGER_E_NONE ? ABANDON_E_NONE : r;
    r = silence_event_triggers(s, err);
    if (!r)
        r = drop_data(p, s, c, err);
    if (!r)
        r = put_back(p, &l, s, err);
    return r ? r : drop_ledger(p, &l, s, err);
}
