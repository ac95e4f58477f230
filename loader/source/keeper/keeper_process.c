/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/fd.h"
#include "loader/pg/snapshot.h"
#include "loader/source/keeper/keeper.h"
#include "loader/source/keeper/keeper_files.h"
#include "loader/source/keeper/keeper_slot.h"
#include "loader/source/keeper/keeper_vitals.h"
#include "loader/source/keeper/locks.h"

enum { BEAT_MS = 300 }; /* how soon a loss, or the word to end, is noticed */

struct holder {
    struct session *session;
    struct snapshot *snapshot; /* NULL: lost */
    struct err last;           /* what its server said last, unasked */
};

struct keeper {
    const struct keeper_params *params;
    const struct run_dir *dir;
    struct session_params session;
    struct keeper_slot *slot; /* NULL: there is none */
    struct selection *selection;
    struct holder holders[KEEPER_HOLDERS];
    int locker; /* the holder that has the locks */
    char origin[64];
    int64_t begun;
    struct err why; /* what was kept is lost; class 0: it is not */
    int slot_is_lost;
    struct vitals_origin measured_from;
    struct keeper_vitals *vitals;
};

/* ---- holders ---- */

static void
let_go(struct holder *h)
{
    h->snapshot = snapshot_free(h->snapshot);
    h->session = session_free(h->session);
}

/* While a session is idle, what its server says comes as a notice, also why
   it is ended. */
static void
hear(void *arg, const PGresult *res)
{
    struct holder *h = arg;

    session_fail(h->session, res, &h->last, "the session was ended");
}

static void
listen_to(struct holder *h)
{
    h->last = (struct err){0};
    PQsetNoticeReceiver(session_conn(h->session), hear, h);
}

/* A snapshot of its own, or the slot's. */
static int
take_snapshot(struct keeper *k, struct holder *h, struct err *err)
{
    int r;

    r = session_open(&h->session, &k->session, err);
    if (r || !k->slot)
        return r ? r : snapshot_take(&h->snapshot, h->session, err);
    r = keeper_slot_make(k->slot, h->session, err);
    if (!r)
        r = snapshot_join(&h->session, &k->session,
                          keeper_slot_snapshot(k->slot), err);
    if (!r)
        r = snapshot_share(&h->snapshot, h->session, err);
    keeper_slot_release(k->slot);
    return r;
}

/* The first: its snapshot is the one, and it has the locks. */
static int
take_first(struct keeper *k, struct err *err)
{
    struct holder *h = &k->holders[0];
    int r;

    r = take_snapshot(k, h, err);
    if (!r)
        r = vitals_begin(&k->measured_from, h->session, k->params->slot, err);
    if (!r)
        r = selection_prepare(k->selection, h->session, err);
    if (!r)
        r = locks_take(h->snapshot, k->selection, LOCKS_WAIT_S, err);
    if (!r)
        snprintf(k->origin, sizeof k->origin, "%s", snapshot_id(h->snapshot));
    if (!r)
        listen_to(h);
    return r;
}

static int
take_from(struct keeper *k, struct holder *h, const struct holder *other,
          struct err *err)
{
    int r;

    r = snapshot_join(&h->session, &k->session, snapshot_id(other->snapshot),
                      err);
    if (!r)
        r = snapshot_share(&h->snapshot, h->session, err);
    if (!r)
        listen_to(h);
    return r;
}

static struct holder *
one_alive(struct keeper *k)
{
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        if (k->holders[i].snapshot)
            return &k->holders[i];
    return NULL;
}

/* Replace what is lost from what is left; the locks come first, for until
   they are taken again a table could be changed.  1: something was done. */
static int
repair(struct keeper *k, struct err *err)
{
    struct holder *alive = one_alive(k);
    int r, done = 0;

    if (!k->holders[k->locker].snapshot) {
        r = locks_take(alive->snapshot, k->selection, LOCKS_WAIT_S, err);
        if (r)
            return r;
        k->locker = (int)(alive - k->holders);
    }
    for (int i = 0; i < KEEPER_HOLDERS; i++) {
        struct holder *h = &k->holders[i];

        if (h->snapshot)
            continue;
        r = take_from(k, h, alive, err);
        if (r) {
            let_go(h);
            return r;
        }
        done = 1;
    }
    return done;
}

/* libpq learns of a loss by reading; there is nothing else to read.  Asking
   whether it is busy makes it look at what it has read. */
static int
is_lost(struct holder *h)
{
    PGconn *conn = session_conn(h->session);
    int has_read = PQconsumeInput(conn);

    PQisBusy(conn);
    return !has_read || PQstatus(conn) != CONNECTION_OK;
}

static void
find_losses(struct keeper *k)
{
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        if (k->holders[i].snapshot && is_lost(&k->holders[i]))
            let_go(&k->holders[i]);
}

/* All at once, or one after the other faster than they could be replaced. */
static int
snapshot_is_lost(const struct keeper *k, struct err *err)
{
    const struct err *last = &k->holders[0].last;

    for (int i = 0; i < KEEPER_HOLDERS; i++)
        if (k->holders[i].last.class)
            last = &k->holders[i].last;
    err_set(err, ERR_REFUSED, "all sessions that held the snapshot were ended");
    if (last->class)
        err_detail(err, "%s", last->message);
    /* 40001 comes unasked from a standby that replays its primary's log. */
    if (strcmp(last->sqlstate, "40001") == 0)
        err_hint(err, "The standby had to remove rows that the snapshot still "
                      "sees: set hot_standby_feedback = on, or a longer "
                      "max_standby_streaming_delay there, and give "
                      "--start-over.");
    return -1;
}

/* ---- what others see of it ---- */

static int
publish(const struct keeper *k, struct err *err)
{
    struct keeper_look look = {.pid = getpid(), .begun = k->begun};

    memcpy(look.origin, k->origin, sizeof look.origin);
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        if (k->holders[i].snapshot)
            snprintf(look.snapshots[i], sizeof look.snapshots[i], "%s",
                     snapshot_id(k->holders[i].snapshot));
    if (k->slot)
        look.lsn = keeper_slot_lsn(k->slot);
    if (k->why.class) {
        look.in_vain = k->slot_is_lost;
        snprintf(look.lost, sizeof look.lost, "%.200s%s%.190s", k->why.message,
                 k->why.detail[0] ? ": " : "", k->why.detail);
        snprintf(look.hint, sizeof look.hint, "%.299s", k->why.hint);
    }
    return keeper_files_write(k->dir, &look, err);
}

/* ---- its life ---- */

static int
should_end(const struct keeper *k, uint64_t end_ms)
{
    return stop_level(k->params->stop) != STOP_RUN || clock_ms() >= end_ms ||
           !keeper_files_exist(k->dir) || keeper_vitals_want_end(k->vitals);
}

static void
wait_a_beat(const struct keeper *k)
{
    struct pollfd fds[KEEPER_HOLDERS];
    nfds_t n = 0;

    for (int i = 0; i < KEEPER_HOLDERS; i++)
        if (k->holders[i].snapshot)
            fds[n++] = (struct pollfd){
                .fd = PQsocket(session_conn(k->holders[i].session)),
                .events = POLLIN,
            };
    poll(fds, n, BEAT_MS);
}

/* What is lost is known to all before we end. */
static int
lose(struct keeper *k, struct err *err)
{
    struct err ignored;

    k->why = *err;
    publish(k, &ignored);
    return -1;
}

static int
hold_snapshot(struct keeper *k, struct err *err)
{
    struct err ignored;

    wait_a_beat(k);
    find_losses(k);
    if (!one_alive(k))
        return snapshot_is_lost(k, err);
    /* What fails is tried again with the next beat. */
    if (repair(k, &ignored) > 0)
        publish(k, &ignored);
    return 0;
}

/* 1: it is over. */
static int
beat(struct keeper *k, struct err *err)
{
    int r = 0;

    if (keeper_slot_is_alone(k->slot)) {
        clock_nap_us(BEAT_MS * 1000);
        return keeper_slot_beat(k->slot, err);
    }
    r = hold_snapshot(k, err);
    if (!r && k->slot && keeper_slot_beat(k->slot, err) < 0) {
        k->slot_is_lost = 1;
        r = -1;
    }
    return r;
}

static int
hold(struct keeper *k, struct err *err)
{
    uint64_t end_ms = clock_ms() + k->params->hours * UINT64_C(3600000);
    int r = 0;

    while (!r && !should_end(k, end_ms))
        r = beat(k, err);
    /* A limit says that the log is not to be kept, either. */
    if (!r && k->slot && keeper_vitals_want_end(k->vitals))
        keeper_slot_undo(k->slot);
    return r < 0 ? lose(k, err) : 0;
}

/* Whoever started us reads our standard output until we have something to
   say, then neither it nor a terminal is ours any more.  If it is gone
   already, nobody knows of the snapshot. */
static int
leave_the_starter(struct err *err)
{
    int null;

    if (puts("{\"keeping\": true}") < 0 || fflush(stdout) != 0)
        return err_sys(err, errno, "could not answer");
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    return 0;
}

static int
take_both(struct keeper *k, struct err *err)
{
    int r;

    r = take_first(k, err);
    if (!r)
        r = take_from(k, &k->holders[1], &k->holders[0], err);
    return r ? r
             : keeper_vitals_start(&k->vitals, k->dir, k->session.conninfo,
                                   &k->measured_from, err);
}

static int
begin(struct keeper *k, struct err *err)
{
    int r = 0;

    k->begun = (int64_t)time(NULL);
    if (k->params->slot)
        r = keeper_slot_new(&k->slot, k->params, &k->session, err);
    if (!r && !keeper_slot_is_alone(k->slot))
        r = take_both(k, err);
    return r ? r : publish(k, err);
}

int
keeper_run(const struct run_dir *dir, const struct keeper_params *p,
           struct err *err)
{
    struct keeper k = {
        .params = p,
        .dir = dir,
        .session = {.conninfo = p->conninfo,
                    .side = SESSION_SOURCE,
                    .purpose = "keeper",
                    .stop = p->stop},
        .selection = p->selection,
    };
    cleanup_(fd_closep) int lock_fd = -1;
    int r;

    r = keeper_files_lock(dir, &lock_fd, err);
    if (r)
        return r;
    r = begin(&k, err);
    if (!r)
        r = leave_the_starter(err);
    if (r && k.slot) /* nobody knows of it */
        keeper_slot_undo(k.slot);
    if (!r)
        r = hold(&k, err);
    keeper_vitals_free(k.vitals);
    if (!k.why.class)
        keeper_files_remove(dir);
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        let_go(&k.holders[i]);
    keeper_slot_free(k.slot);
    return r;
}
