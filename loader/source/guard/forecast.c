/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/forecast.h"

#include <stdio.h>

#include "loader/progress/quantity.h"

/* What is older than the span is forgotten, little by little. */
static void
read_wal(struct forecast *f, const struct vitals *v, uint64_t now_ms)
{
    uint64_t wal = v->value[VITAL_WAL], step_ms = now_ms - f->last_ms, span_ms;
    double rate;

    if (!vitals_know(v, VITAL_WAL))
        return;
    if (f->begun_ms == 0) {
        f->begun_ms = now_ms;
    } else if (step_ms == 0) {
        return;
    } else {
        span_ms = now_ms - f->begun_ms;
        if (span_ms > FORECAST_SPAN_MS)
            span_ms = FORECAST_SPAN_MS;
        rate = wal > f->last_wal ? (double)(wal - f->last_wal) / (double)step_ms
                                 : 0;
        f->wal_per_ms +=
            (rate - f->wal_per_ms) *
            (step_ms < span_ms ? (double)step_ms / (double)span_ms : 1);
    }
    f->last_ms = now_ms;
    f->last_wal = wal;
}

static uint64_t
until(uint64_t is, uint64_t max, double per_ms)
{
    double ms;

    if (is >= max)
        return 0;
    if (per_ms <= 0)
        return FORECAST_NEVER;
    ms = (double)(max - is) / per_ms;
    return ms < 1e15 ? (uint64_t)ms : FORECAST_NEVER;
}

static void
find_first(const struct forecast *f, const struct guard_limits *l,
           const struct vitals *v, struct forecast_verdict *ret)
{
    uint64_t ms;

    if (l->max[VITAL_SNAPSHOT_AGE] > 0 && vitals_know(v, VITAL_SNAPSHOT_AGE)) {
        ret->which = VITAL_SNAPSHOT_AGE;
        ret->limit_ms =
            until(v->value[VITAL_SNAPSHOT_AGE], l->max[VITAL_SNAPSHOT_AGE], 1);
    }
    if (l->max[VITAL_WAL] == 0 || !vitals_know(v, VITAL_WAL))
        return;
    ms = until(v->value[VITAL_WAL], l->max[VITAL_WAL], f->wal_per_ms);
    if (ms < ret->limit_ms) {
        ret->which = VITAL_WAL;
        ret->limit_ms = ms;
    }
}

/* A tenth more or less is none of our knowledge. */
static int
looks_bad(const struct forecast *f, uint64_t limit_ms, uint64_t left_ms)
{
    if (limit_ms == FORECAST_NEVER || left_ms == FORECAST_NEVER)
        return f->told && left_ms == FORECAST_NEVER;
    return f->told ? left_ms > limit_ms - limit_ms / 10
                   : left_ms > limit_ms + limit_ms / 10;
}

struct forecast_verdict
forecast_step(struct forecast *f, const struct guard_limits *l,
              const struct vitals *v, uint64_t left_ms, uint64_t now_ms)
{
    struct forecast_verdict ret = {.limit_ms = FORECAST_NEVER};
    char limit[QUANTITY_SIZE], left[QUANTITY_SIZE];
    int was = f->told;

    read_wal(f, v, now_ms);
    find_first(f, l, v, &ret);
    if (!looks_bad(f, ret.limit_ms, left_ms))
        f->since_ms = 0;
    else if (f->since_ms == 0)
        f->since_ms = now_ms;
    f->told =
        f->since_ms > 0 && (was || now_ms - f->since_ms >= FORECAST_LASTS_MS);
    ret.is_news = f->told != was;
    if (f->told && left_ms != FORECAST_NEVER)
        snprintf(ret.words, sizeof ret.words,
                 "at this rate the limit on %s is reached in %s, and %s is "
                 "needed",
                 guard_name(ret.which), quantity_duration(limit, ret.limit_ms),
                 quantity_duration(left, left_ms));
    return ret;
}
