/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/slot_watch.h"

#include <stdlib.h>

#include "io/clock.h"
#include "loader/source/keeper/slot.h"

enum {
    LOOK_MS = 1000,
    LOST_MS = 15000, /* a server that cannot be reached is given so long */
    TOUCHES = 4,     /* in the time that a slot may be idle */
};

struct slot_watch {
    struct slot_watch_params params;
    struct session *session;
    uint64_t look_ms, touch_ms; /* when next */
    unsigned idle_s;
    int64_t safe;
};

struct slot_watch *
slot_watch_free(struct slot_watch *w)
{
    if (!w)
        return NULL;
    session_free(w->session);
    free(w);
    return NULL;
}

int
slot_watch_new(struct slot_watch **ret, const struct slot_watch_params *p,
               struct err *err)
{
    struct slot_watch *w = calloc(1, sizeof *w);

    if (!w)
        return err_nomem(err);
    w->params = *p;
    w->safe = -1;
    *ret = w;
    return 0;
}

int64_t
slot_watch_safe_wal(const struct slot_watch *w)
{
    return w->safe;
}

int
slot_watch_idle_limit(struct session *s, unsigned *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(
        s,
        "SELECT setting::bigint * CASE unit WHEN 'min' THEN 60 ELSE 1 END"
        " FROM pg_catalog.pg_settings"
        " WHERE name = 'idle_replication_slot_timeout'",
        &res, err);

    if (!r)
        *ret = PQntuples(res) == 0
                   ? 0
                   : (unsigned)strtoul(PQgetvalue(res, 0, 0), NULL, 10);
    return r;
}

/* ---- one look ---- */

static int
lost(const struct slot_watch *w, const char *why, struct err *err)
{
    err_set(err, ERR_REFUSED, "replication slot \"%s\" is lost: %s",
            w->params.slot, why);
    return err_hint(err, "What is staged is kept, but no change can follow "
                         "it.  Raise max_slot_wal_keep_size at the source, "
                         "and give --start-over.");
}

static int
look(struct slot_watch *w, struct err *err)
{
    struct slot_look seen;
    struct err failed;
    int r = slot_look(w->session, w->params.slot, &seen, &failed);

    if (r == SLOT_E_NONE)
        return lost(w, "it was dropped", err);
    if (r)
        return 0; /* asked again with the next beat */
    if (seen.lost[0])
        return lost(w, seen.lost, err);
    w->safe = seen.safe_wal_size;
    if (seen.confirmed && seen.confirmed != w->params.lsn)
        return SLOT_WATCH_E_OVER;
    return 0;
}

/* The limit is asked for each time: it can be changed while the server runs.
   A slot that is in use now need not be touched. */
static void
touch(struct slot_watch *w)
{
    struct err ignored;
    uint64_t wait_ms = 60000;

    if (!slot_watch_idle_limit(w->session, &w->idle_s, &ignored) &&
        w->idle_s > 0) {
        slot_touch(w->session, w->params.slot, w->params.publication, &ignored);
        wait_ms = w->idle_s * UINT64_C(1000) / TOUCHES;
    }
    w->touch_ms = clock_ms() + (wait_ms < 60000 ? wait_ms : 60000);
}

static int
connected(struct slot_watch *w)
{
    struct err ignored;

    if (!w->session)
        return session_open(&w->session, w->params.session, &ignored) == 0;
    return PQstatus(session_conn(w->session)) == CONNECTION_OK ||
           session_reopen(w->session, &ignored) == 0;
}

int
slot_watch_beat(struct slot_watch *w, struct err *err)
{
    int r;

    if (clock_ms() < w->look_ms)
        return 0;
    w->look_ms = clock_ms() + LOOK_MS;
    if (!connected(w)) {
        w->look_ms = clock_ms() + LOST_MS;
        return 0;
    }
    r = look(w, err);
    if (!r && clock_ms() >= w->touch_ms)
        touch(w);
    return r;
}
