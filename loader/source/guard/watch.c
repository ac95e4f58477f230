/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/watch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/source/guard/forecast.h"
#include "loader/source/guard/pace.h"

enum { EVERY_MS = 500, WRITE_MS = 2000 };

struct watch {
    struct watch_params params;
    struct throttle *throttle;
    struct stalls *stalls;
    struct guard guard;
    struct forecast forecast;
    struct vitals vitals;
    struct guard_verdict verdict; /* the last one */
    uint64_t next_ms, write_ms;
    uint64_t n_standbys; /* when last looked at */
};

int
watch_new(struct watch **ret, const struct watch_params *p, struct err *err)
{
    cleanup_(watch_freep) struct watch *w = calloc(1, sizeof *w);
    int r = 0;

    if (!w)
        return err_nomem(err);
    w->params = *p;
    w->verdict.n_allowed = p->n_workers;
    guard_begin(&w->guard, p->limits, p->n_workers, clock_ms());
    r = stalls_new(&w->stalls, p->n_workers, err);
    if (!r && (p->max_rate > 0 || guard_set(p->limits)))
        r = throttle_new(&w->throttle, p->max_rate, p->stop, err);
    if (!r)
        *ret = take(w);
    return r;
}

struct watch *
watch_free(struct watch *w)
{
    if (!w)
        return NULL;
    throttle_free(w->throttle);
    stalls_free(w->stalls);
    free(w);
    return NULL;
}

struct throttle *
watch_throttle(struct watch *w)
{
    return w->throttle;
}

struct stalls *
watch_stalls(struct watch *w)
{
    return w->stalls;
}

/* ---- what is said ---- */

/* Nothing to go by is not the same as no lag. */
static void
note_standbys(struct watch *w)
{
    uint64_t n = w->vitals.value[VITAL_REPLICAS];

    if (!w->params.limits->max[VITAL_REPLICA_LAG] || w->vitals.n == 0 ||
        !vitals_know(&w->vitals, VITAL_REPLICAS))
        return;
    if (w->guard.n_seen == 0 && n == 0)
        progress_note(w->params.progress,
                      "no standby is connected to the source: "
                      "--max-replica-lag has nothing to go by");
    else if (n < w->n_standbys)
        progress_note(w->params.progress,
                      "a standby is not connected any more: its lag is not "
                      "seen by --max-replica-lag");
    w->n_standbys = n;
}

static void
note_change(struct watch *w)
{
    const struct guard_verdict *v = &w->verdict;

    if (v->words[0])
        progress_note(w->params.progress, "%s", v->words);
    else
        progress_note(w->params.progress, "no limit is reached: %u worker%s",
                      v->n_allowed, v->n_allowed == 1 ? "" : "s");
}

/* ---- the end ---- */

static int
end(const struct watch *w, struct err *err)
{
    static const char *const options[N_VITALS] = {
        [VITAL_SNAPSHOT_AGE] = "--max-snapshot-age",
        [VITAL_WAL] = "--max-wal-retained",
        [VITAL_REPLICA_LAG] = "--max-replica-lag",
        [VITAL_SESSIONS] = "--max-active-sessions",
    };

    const struct watch_words *words = w->params.words;
    int lets_go = w->verdict.end == GUARD_LET_GO;

    err_set(err, ERR_REFUSED, "limit %s is reached: %s",
            options[w->verdict.cause], w->verdict.words);
    err_detail(err, "%s", words->detail[lets_go]);
    return err_hint(err, "%s", words->hint[lets_go]);
}

int
watch_must_let_go(const struct watch *w, const char **why)
{
    if (why)
        *why = w->verdict.words;
    return w->verdict.end == GUARD_LET_GO;
}

/* ---- a turn ---- */

static void
write_pace(struct watch *w, const struct progress_sum *sum,
           const struct forecast_verdict *f)
{
    struct pace p = {
        .pid = getpid(),
        .total = sum->total,
        .done = sum->done,
        .bytes_per_s = sum->bytes_per_s,
        .left_ms = sum->left_ms,
        .n_allowed = w->verdict.n_allowed,
        .n_workers = w->params.n_workers,
        .limits = *w->params.limits,
    };
    struct err ignored; /* only status is poorer */

    stalls_look(w->stalls, p.stall);
    memcpy(p.limit, w->verdict.words, sizeof p.limit);
    memcpy(p.forecast, f->words, sizeof p.forecast);
    if (w->params.pace)
        pace_write(w->params.pace, &p, &ignored);
}

static void
look_ahead(struct watch *w, uint64_t now_ms)
{
    struct progress_sum sum;
    struct forecast_verdict f;

    progress_look(w->params.progress, w->params.lane, &sum);
    f = forecast_step(&w->forecast, w->params.limits, &w->vitals, sum.left_ms,
                      now_ms);
    if (f.is_news && f.words[0])
        progress_note(w->params.progress,
                      "%s: raise --jobs or the limit, or stop now", f.words);
    else if (f.is_news)
        progress_note(w->params.progress,
                      "at this rate no limit is reached before the end");
    if (now_ms >= w->write_ms || w->verdict.is_news) {
        write_pace(w, &sum, &f);
        w->write_ms = now_ms + WRITE_MS;
    }
}

/* A limit's words go before a stall's. */
static void
show(struct watch *w)
{
    char stall[STALL_WORDS];

    while (stalls_news(w->stalls, stall))
        progress_note(w->params.progress, "%s", stall);
    stalls_look(w->stalls, stall);
    progress_caption(w->params.progress, w->params.lane,
                     w->verdict.words[0] ? w->verdict.words : stall);
}

static void
look(struct watch *w, uint64_t now_ms)
{
    if (guard_set(w->params.limits))
        w->params.look(w->params.look_arg, &w->vitals);
    note_standbys(w);
    w->verdict = guard_step(&w->guard, &w->vitals, now_ms);
    look_ahead(w, now_ms);
    show(w);
}

int
watch_allow(void *watch, unsigned *ret_n, struct err *err)
{
    struct watch *w = watch;
    uint64_t now_ms = clock_ms();
    int is_end;

    if (now_ms < w->next_ms)
        return 0;
    w->next_ms = now_ms + EVERY_MS;
    look(w, now_ms);
    is_end = w->verdict.end != GUARD_GO_ON;
    /* At the end what is in hand may finish. */
    if (w->throttle)
        throttle_allow(w->throttle,
                       is_end ? w->params.n_workers : w->verdict.n_allowed);
    if (is_end)
        return end(w, err);
    if (w->verdict.is_news)
        note_change(w);
    *ret_n = w->verdict.n_allowed;
    return 0;
}
