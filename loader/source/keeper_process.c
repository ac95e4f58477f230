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
#include "loader/source/keeper.h"
#include "loader/source/keeper_files.h"
#include "loader/source/keeper_vitals.h"
#include "loader/source/locks.h"

enum { BEAT_MS = 300 }; /* how soon a loss, or the word to end, is noticed */

struct holder {
    struct session *session;
    struct snapshot *snapshot; /* NULL: lost */
};

struct keeper {
    const struct run_dir *dir;
    struct session_params session;
    struct holder holders[KEEPER_HOLDERS];
    int locker; /* the holder that has the locks */
    char origin[64];
    int64_t begun;
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

/* The first: its snapshot is the one, and it has the locks. */
static int
take_first(struct keeper *k, struct err *err)
{
    struct holder *h = &k->holders[0];
    int r;

    r = session_open(&h->session, &k->session, err);
    if (!r)
        r = snapshot_take(&h->snapshot, h->session, err);
    if (!r)
        r = vitals_begin(&k->measured_from, h->session, NULL, err);
    if (!r)
        r = locks_take(h->snapshot, LOCKS_WAIT_S, err);
    if (!r)
        snprintf(k->origin, sizeof k->origin, "%s", snapshot_id(h->snapshot));
    return r;
}

static int
take_from(struct keeper *k, struct holder *h, const struct holder *other,
          struct err *err)
{
    int r;

    r = snapshot_join(&h->session, &k->session, snapshot_id(other->snapshot),
                      err);
    return r ? r : snapshot_share(&h->snapshot, h->session, err);
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
        r = locks_take(alive->snapshot, LOCKS_WAIT_S, err);
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

/* libpq learns of a loss by reading; there is nothing else to read. */
static void
find_losses(struct keeper *k)
{
    for (int i = 0; i < KEEPER_HOLDERS; i++) {
        struct holder *h = &k->holders[i];
        PGconn *conn;

        if (!h->snapshot)
            continue;
        conn = session_conn(h->session);
        if (!PQconsumeInput(conn) || PQstatus(conn) != CONNECTION_OK)
            let_go(h);
    }
}

/* ---- what others see of it ---- */

static int
publish(const struct keeper *k, struct err *err)
{
    struct keeper_look look = {.pid = getpid(), .begun = k->begun};

    memcpy(look.origin, k->origin, sizeof look.origin);
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        snprintf(look.snapshots[i], sizeof look.snapshots[i], "%s",
                 snapshot_id(k->holders[i].snapshot));
    return keeper_files_write(k->dir, &look, err);
}

/* ---- its life ---- */

static int
should_end(const struct keeper *k, const struct stop *stop, uint64_t end_ms)
{
    return stop_level(stop) != STOP_RUN || clock_ms() >= end_ms ||
           !keeper_files_exist(k->dir);
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

static int
hold(struct keeper *k, const struct stop *stop, struct err *err)
{
    uint64_t end_ms = clock_ms() + KEEPER_HOURS * UINT64_C(3600000);
    struct err ignored;

    while (!should_end(k, stop, end_ms)) {
        wait_a_beat(k);
        find_losses(k);
        if (!one_alive(k)) {
            err_set(err, ERR_REFUSED, "the snapshot is lost");
            return err_detail(err, "All sessions that held it have ended.");
        }
        /* What fails is tried again with the next beat. */
        if (repair(k, &ignored) > 0 && publish(k, &ignored))
            continue;
    }
    return 0;
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
begin(struct keeper *k, struct err *err)
{
    int r;

    k->begun = (int64_t)time(NULL);
    r = take_first(k, err);
    if (!r)
        r = take_from(k, &k->holders[1], &k->holders[0], err);
    if (!r)
        r = publish(k, err);
    return r ? r
             : keeper_vitals_start(&k->vitals, k->dir, k->session.conninfo,
                                   &k->measured_from, err);
}

int
keeper_run(const struct run_dir *dir, const char *conninfo,
           const struct stop *stop, struct err *err)
{
    struct keeper k = {
        .dir = dir,
        .session = {.conninfo = conninfo,
                    .side = SESSION_SOURCE,
                    .purpose = "keeper",
                    .stop = stop},
    };
    cleanup_(fd_closep) int lock_fd = -1;
    int r;

    r = keeper_files_lock(dir, &lock_fd, err);
    if (!r)
        r = begin(&k, err);
    if (!r)
        r = leave_the_starter(err);
    if (!r)
        r = hold(&k, stop, err);
    keeper_files_remove(dir);
    keeper_vitals_free(k.vitals);
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        let_go(&k.holders[i]);
    return r;
}
