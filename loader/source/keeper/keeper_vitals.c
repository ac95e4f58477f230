/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/keeper_vitals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/clock.h"
#include "io/stop.h"
#include "loader/source/guard/pace.h"
#include "loader/source/keeper/keeper_files.h"

enum {
    EVERY_MS = 1000,
    GRACE_MS = 20000, /* for the exporter to end by itself */
};

/* A source that is busy has better things to do. */
#define NOT_FOR_LONG                                                           \
    "SET statement_timeout = '5s'; SET lock_timeout = '1s';"                   \
    " SET default_transaction_read_only = on"

struct keeper_vitals {
    const struct run_dir *dir;
    struct vitals_origin origin;
    struct session_params params;
    struct stop *stop; /* at once, by free */
    int is_running;
    pthread_t thread;
    /* The thread's own: */
    struct session *session; /* NULL: not connected */
    struct vitals last;
    int has_written;
    uint64_t over_ms; /* since when a limit is reached; 0: none is */
    /* Set by the thread, once: */
    atomic_int want_end;
};

static int
connect_session(struct keeper_vitals *v, struct err *err)
{
    int r = 0;

    if (!v->session)
        r = session_open(&v->session, &v->params, err);
    else if (PQstatus(session_conn(v->session)) != CONNECTION_OK)
        r = session_reopen(v->session, err);
    else
        return 0;
    return r ? r : session_exec(v->session, NOT_FOR_LONG, err);
}

/* Who removes the run directory shall not find a new file in it. */
static void
write_down(struct keeper_vitals *v)
{
    struct err ignored;

    if (stop_level(v->stop) != STOP_RUN || !keeper_files_exist(v->dir) ||
        (v->has_written && !vitals_are_written(v->dir)))
        return;
    v->has_written = vitals_write(v->dir, &v->last, &ignored) == 0;
}

static void
measure(struct keeper_vitals *v)
{
    struct vitals now;
    struct err err;
    int r = connect_session(v, &err);

    if (!r)
        r = vitals_measure(&v->origin, v->session, &now, &err);
    if (r) {
        /* Whatever state it is in, the next one is a new one. */
        v->session = session_free(v->session);
        snprintf(v->last.trouble, sizeof v->last.trouble, "%s", err.message);
    } else {
        now.n = v->last.n + 1;
        v->last = now;
    }
    write_down(v);
}

/* The guard's own decision, about its one kind of limit. */
static void
enforce(struct keeper_vitals *v)
{
    struct guard_verdict verdict;
    struct guard guard;
    struct pace pace;
    struct err ignored;

    if (v->last.n == 0 || pace_read(v->dir, &pace, &ignored))
        return;
    guard_begin(&guard, &pace.limits, 1, clock_ms());
    verdict = guard_step(&guard, &v->last, clock_ms());
    if (verdict.end != GUARD_LET_GO) {
        v->over_ms = 0;
    } else if (v->over_ms == 0) {
        v->over_ms = clock_ms();
    } else if (clock_ms() - v->over_ms >= GRACE_MS && !v->want_end) {
        pace_write_end(v->dir, verdict.words);
        v->want_end = 1;
    }
}

static void *
live(void *arg)
{
    struct keeper_vitals *v = arg;
    struct pollfd end = {.fd = stop_fd(v->stop), .events = POLLIN};

    while (stop_level(v->stop) == STOP_RUN) {
        measure(v);
        enforce(v);
        poll(&end, 1, EVERY_MS);
    }
    return NULL;
}

/* Signals are the main thread's. */
static int
start_thread(struct keeper_vitals *v, struct err *err)
{
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&v->thread, NULL, live, v);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r)
        return err_sys(err, r, "could not start a thread");
    v->is_running = 1;
    return 0;
}

int
keeper_vitals_start(struct keeper_vitals **ret, const struct run_dir *dir,
                    const char *conninfo, const struct vitals_origin *origin,
                    struct err *err)
{
    cleanup_(keeper_vitals_freep) struct keeper_vitals *v = NULL;
    int r;

    v = calloc(1, sizeof *v);
    if (!v)
        return err_nomem(err);
    v->dir = dir;
    v->origin = *origin;
    r = stop_new(&v->stop, err);
    if (r)
        return r;
    v->params = (struct session_params){
        .conninfo = conninfo,
        .side = SESSION_SOURCE,
        .purpose = "vitals",
        .stop = v->stop,
    };
    r = start_thread(v, err);
    if (!r)
        *ret = take(v);
    return r;
}

int
keeper_vitals_want_end(const struct keeper_vitals *v)
{
    return v && v->want_end;
}

struct keeper_vitals *
keeper_vitals_free(struct keeper_vitals *v)
{
    if (!v)
        return NULL;
    if (v->is_running) {
        stop_now(v->stop);
        pthread_join(v->thread, NULL);
    }
    session_free(v->session);
    stop_free(v->stop);
    vitals_remove(v->dir);
    free(v);
    return NULL;
}
