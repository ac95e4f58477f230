/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/vigil.h"

#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/catalog/capture.h"
#include "loader/pg/place.h"
#include "loader/progress/quantity.h"
#include "loader/source/keeper/slot_watch.h"

enum {
    SPAN_MS = 60000,      /* a rate is that of a minute */
    SOON_MS = 3600 * 1000 /* is worth saying */
};

struct slot {
    const struct capture *capture;
    struct slot_watch *watch; /* NULL: a consumer has taken it over */
    uint64_t since_ms;        /* of the rate; 0: none yet */
    int64_t safe;             /* bytes of log, then */
    int told;
};

struct vigil {
    struct vigil_params params;
    struct session_params session;
    struct captures captures;
    struct slot *slots;
    unsigned n;
};

/* ---- begin and end ---- */

static int
require_source(const struct vigil *v, const struct capture *m, struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    struct place place;
    int r = session_open(&s, &v->session, err);

    if (!r)
        r = place_ask(&place, s, err);
    if (r || place_is(&place, m->system_id, m->database))
        return r;
    return err_set(err, ERR_REFUSED, "this is not the source of the run");
}

static int
watch_slot(struct vigil *v, const struct capture *m, struct err *err)
{
    const struct slot_watch_params p = {
        .session = &v->session,
        .slot = m->slot,
        .publication =
            strcmp(m->plugin, "pgoutput") == 0 ? m->publication : NULL,
        .lsn = m->lsn,
    };
    struct slot *x = &v->slots[v->n++];

    x->capture = m;
    return m->state == CAPTURE_MADE ? slot_watch_new(&x->watch, &p, err) : 0;
}

static int
watch_slots(struct vigil *v, struct err *err)
{
    const struct captures *all = &v->captures;
    int r = 0;

    if (all->n == 0)
        return 0;
    v->slots = calloc(all->n, sizeof *v->slots);
    if (!v->slots)
        return err_nomem(err);
    r = require_source(v, &all->list[0], err);
    for (unsigned i = 0; i < all->n && !r; i++)
        r = watch_slot(v, &all->list[i], err);
    return r;
}

int
vigil_begin(struct vigil **ret, const struct vigil_params *p, struct err *err)
{
    cleanup_(vigil_freep) struct vigil *v = calloc(1, sizeof *v);
    int r;

    if (!v)
        return err_nomem(err);
    v->params = *p;
    v->session = (struct session_params){
        .conninfo = p->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "slot watch",
        .stop = p->stop,
    };
    r = captures_read(&v->captures, p->catalog, err);
    if (!r)
        r = watch_slots(v, err);
    if (!r)
        *ret = take(v);
    return r;
}

struct vigil *
vigil_free(struct vigil *v)
{
    if (!v)
        return NULL;
    for (unsigned i = 0; i < v->n; i++)
        slot_watch_free(v->slots[i].watch);
    free(v->slots);
    captures_clear(&v->captures);
    free(v);
    return NULL;
}

/* ---- a look ---- */

static void
warn(struct vigil *v, struct slot *x, uint64_t left_ms)
{
    char left[QUANTITY_SIZE];

    progress_note(v->params.progress,
                  "at this rate replication slot \"%s\" is lost in %s: raise "
                  "max_slot_wal_keep_size at the source",
                  x->capture->slot, quantity_duration(left, left_ms));
    x->told = 1;
}

/* What was said is unsaid when there is room to spare again. */
static void
look_ahead(struct vigil *v, struct slot *x)
{
    int64_t safe = slot_watch_safe_wal(x->watch);
    uint64_t now = clock_ms(), left_ms = UINT64_MAX;

    if (safe < 0 || !x->since_ms) {
        x->since_ms = safe < 0 ? 0 : now;
        x->safe = safe;
        return;
    }
    if (now - x->since_ms < SPAN_MS)
        return;
    if (safe < x->safe)
        left_ms = (uint64_t)((double)safe * (double)(now - x->since_ms) /
                             (double)(x->safe - safe));
    x->since_ms = now;
    x->safe = safe;
    if (left_ms < SOON_MS && !x->told)
        warn(v, x, left_ms);
    else if (left_ms > 2 * SOON_MS)
        x->told = 0;
}

int
vigil_allow(void *vigil, unsigned *ret_n, struct err *err)
{
    struct vigil *v = vigil;

    (void)ret_n;
    for (unsigned i = 0; i < v->n; i++) {
        struct slot *x = &v->slots[i];
        int r = x->watch ? slot_watch_beat(x->watch, err) : 0;

        if (r < 0)
            return r;
        if (r == SLOT_WATCH_E_OVER)
            x->watch = slot_watch_free(x->watch);
        else if (x->watch)
            look_ahead(v, x);
    }
    return 0;
}
