/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "loader/catalog/capture.h"
#include "loader/handoff/subscription.h"
#include "loader/source/keeper/slot.h"

enum {
    FREE_WAIT_MS = 30000,
    BEAT_US = 100000,
    TELL_MS = 2000,
    AGAIN_US = 500000, /* after a server was not to be reached */
};

int
subscription_end_of_log(struct session *publisher, uint64_t *ret,
                        struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(publisher,
                          "SELECT CASE WHEN pg_catalog.pg_is_in_recovery()"
                          " THEN pg_catalog.pg_last_wal_replay_lsn()"
                          " ELSE pg_catalog.pg_current_wal_lsn() END",
                          &res, err);

    if (!r && capture_parse_lsn(PQgetvalue(res, 0, 0), ret))
        r = err_set(err, ERR_SERVER,
                    "the server does not say how far its log "
                    "is");
    return r;
}

/* What was confirmed, of a slot that is of use. */
static int
confirmed(struct session *publisher, const char *slot, uint64_t *ret,
          struct err *err)
{
    struct slot_look look;
    int r = slot_look(publisher, slot, &look, err);

    if (r == SLOT_E_NONE)
        return err_set(err, ERR_REFUSED, "replication slot \"%s\" is not there",
                       slot);
    if (!r && look.lost[0])
        r = err_set(err, ERR_REFUSED, "replication slot \"%s\" is lost: %s",
                    slot, look.lost);
    if (!r)
        *ret = look.confirmed;
    return r;
}

/* The end of the log is asked for first: what is confirmed of it can only be
   more by the time of the second question. */
int
subscription_lag(struct session *publisher, const char *slot, uint64_t *ret,
                 struct err *err)
{
    uint64_t end, done;
    int r = subscription_end_of_log(publisher, &end, err);

    if (!r)
        r = confirmed(publisher, slot, &done, err);
    if (!r)
        *ret = end > done ? end - done : 0;
    return r;
}

int
subscription_slot_is_free(struct session *publisher, const char *slot,
                          struct err *err)
{
    uint64_t deadline = clock_ms() + FREE_WAIT_MS;
    struct slot_look look;
    int r;

    while (!(r = slot_look(publisher, slot, &look, err)) && look.active_pid) {
        if (clock_ms() >= deadline)
            return err_set(err, ERR_SERVER,
                           "replication slot \"%s\" is still in use by "
                           "process %d",
                           slot, look.active_pid);
        clock_nap_us(BEAT_US);
    }
    return r == SLOT_E_NONE ? 0 : r;
}

/* ---- wait ---- */

static int
refuse_disabled(const struct subscription *x, struct err *err)
{
    err_set(err, ERR_REFUSED, "subscription \"%s\" is disabled", x->name);
    return err_hint(err, "The log of the subscriber's server says why: after "
                         "what is in the way is mended, run this again.");
}

/* 1: it is as far as it was to be. */
static int
look_once(const struct subscription_wait *w, const struct subscription *x,
          uint64_t *ret_lag, struct err *err)
{
    struct subscription_look look;
    uint64_t end = w->lsn, done;
    int r = 0;

    if (!end)
        r = subscription_end_of_log(w->publisher, &end, err);
    if (!r)
        r = confirmed(w->publisher, x->slot, &done, err);
    if (!r)
        *ret_lag = end > done ? end - done : 0;
    if (!r)
        r = subscription_look(w->subscriber, x, &look, err);
    if (r)
        return r;
    if (look.state != SUBSCRIPTION_ENABLED)
        return refuse_disabled(x, err);
    return look.worker_pid && *ret_lag <= (w->lsn ? 0 : w->max_lag);
}

/* A server that went away: sessions are opened again, as soon as that can be
   done. */
static int
come_back(const struct subscription_wait *w, struct err *err)
{
    struct session *const both[] = {w->publisher, w->subscriber};
    struct err ignored;

    if (err->class != ERR_SERVER ||
        session_retry_class(err) != SESSION_RETRY_RECONNECT)
        return -1;
    clock_nap_us(AGAIN_US);
    for (unsigned i = 0; i < 2; i++)
        if (PQstatus(session_conn(both[i])) != CONNECTION_OK)
            session_reopen(both[i], &ignored);
    return 0;
}

static int
may_go_on(const struct subscription_wait *w, struct err *err)
{
    return w->stop && stop_level(w->stop) != STOP_RUN
               ? err_set(err, ERR_CANCELLED, "interrupted")
               : 0;
}

int
subscription_wait(const struct subscription_wait *w,
                  const struct subscription *x, uint64_t *ret_lag,
                  struct err *err)
{
    uint64_t deadline = clock_ms() + w->seconds * UINT64_C(1000);
    uint64_t tell_ms = clock_ms() + TELL_MS;
    int r;

    *ret_lag = UINT64_MAX;
    while ((r = look_once(w, x, ret_lag, err)) <= 0) {
        if (r < 0 && come_back(w, err) < 0)
            return -1;
        if (may_go_on(w, err))
            return -1;
        if (clock_ms() >= deadline)
            return r < 0 ? r : SUBSCRIPTION_E_LATE;
        if (w->tell && r == 0 && clock_ms() >= tell_ms) {
            w->tell(w->arg, *ret_lag);
            tell_ms = clock_ms() + TELL_MS;
        }
        clock_nap_us(BEAT_US);
    }
    return 0;
}
