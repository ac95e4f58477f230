/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/guard.h"

#include <inttypes.h>
#include <stdio.h>

#include "loader/progress/quantity.h"

enum { VALUE_SIZE = 64 };

/* How a limit stands. */
enum level {
    FREE,  /* below it, by a fifth */
    CLOSE, /* neither: nothing is changed */
    OVER,
    BLIND, /* not measured for too long */
};

/* The one that decides. */
struct standing {
    enum level level;
    enum vital which;
};

unsigned
guard_set(const struct guard_limits *l)
{
    unsigned set = 0;

    for (unsigned i = 0; i < N_VITALS; i++)
        if (l->max[i] > 0)
            set |= 1u << i;
    return set;
}

void
guard_begin(struct guard *g, const struct guard_limits *l, unsigned n_workers,
            uint64_t now_ms)
{
    *g = (struct guard){
        .limits = l,
        .n_workers = n_workers,
        .n_allowed = n_workers,
        .seen_ms = now_ms,
        .raise_ms = now_ms,
    };
}

/* ---- words ---- */

const char *
guard_name(enum vital which)
{
    static const char *const names[N_VITALS] = {
        [VITAL_SNAPSHOT_AGE] = "snapshot age",
        [VITAL_XMIN_AGE] = "xmin age",
        [VITAL_WAL] = "WAL retained",
        [VITAL_REPLICAS] = "standbys",
        [VITAL_REPLICA_LAG] = "replica lag",
        [VITAL_REPLICA_BYTES] = "replica lag",
        [VITAL_SESSIONS] = "active sessions",
    };

    return names[which];
}

char *
guard_value(char to[64], enum vital which, uint64_t value)
{
    char text[QUANTITY_SIZE];

    if (which == VITAL_WAL || which == VITAL_REPLICA_BYTES)
        snprintf(to, VALUE_SIZE, "%s", quantity_bytes(text, value));
    else if (which != VITAL_REPLICA_LAG && which != VITAL_SNAPSHOT_AGE)
        snprintf(to, VALUE_SIZE, "%" PRIu64, value);
    else if (value >= 120000)
        snprintf(to, VALUE_SIZE, "%s", quantity_duration(text, value));
    else if (value >= 10000 || value % 1000 == 0)
        snprintf(to, VALUE_SIZE, "%" PRIu64 " s", value / 1000);
    else
        snprintf(to, VALUE_SIZE, "%" PRIu64 ".%" PRIu64 " s", value / 1000,
                 value % 1000 / 100);
    return to;
}

/* "replica lag 12 s > 10 s" */
static void
put_reason(char *to, size_t size, const struct guard *g, const struct vitals *v,
           const struct standing *s)
{
    char is[VALUE_SIZE], max[VALUE_SIZE];
    uint64_t value = v->value[s->which], limit = g->limits->max[s->which];

    if (s->level == BLIND)
        snprintf(to, size, "%s cannot be measured%s%.200s",
                 guard_name(s->which), v->trouble[0] ? ": " : "", v->trouble);
    else
        snprintf(to, size, "%s %s %s %s", guard_name(s->which),
                 guard_value(is, s->which, value),
                 value > limit ? ">" : "<=", guard_value(max, s->which, limit));
}

static void
put_words(struct guard_verdict *ret, const struct guard *g,
          const struct vitals *v, const struct standing *s)
{
    char reason[GUARD_WORDS - 64];

    put_reason(reason, sizeof reason, g, v, s);
    if (ret->end != GUARD_GO_ON)
        snprintf(ret->words, sizeof ret->words, "%s", reason);
    else if (g->n_allowed == 0)
        snprintf(ret->words, sizeof ret->words, "paused: %s", reason);
    else if (s->level >= OVER || g->n_allowed < g->n_workers)
        snprintf(ret->words, sizeof ret->words,
                 "slowed to %u of %u worker%s: %s", g->n_allowed, g->n_workers,
                 g->n_workers == 1 ? "" : "s", reason);
}

/* ---- how things stand ---- */

/* By a fifth below the limit, so that it does not go up and down; of few
   sessions the limit itself. */
static enum level
level_of(const struct guard *g, const struct vitals *v, enum vital which,
         uint64_t now_ms)
{
    uint64_t max = g->limits->max[which], value = v->value[which];

    if (now_ms - g->seen_ms >= GUARD_BLIND_MS ||
        (g->n_seen > 0 && !vitals_know(v, which)))
        return BLIND;
    if (g->n_seen == 0)
        return CLOSE;
    if (value > max)
        return OVER;
    return value <= max - max / 5 ? FREE : CLOSE;
}

static int
is_of_being(enum vital which)
{
    return which == VITAL_SNAPSHOT_AGE || which == VITAL_WAL;
}

/* The worst of those that working less makes better. */
static struct standing
worst(const struct guard *g, const struct vitals *v, uint64_t now_ms)
{
    struct standing s = {FREE, VITAL_REPLICA_LAG};
    int found = 0;

    for (unsigned i = 0; i < N_VITALS; i++) {
        enum level level;

        if (g->limits->max[i] == 0 || is_of_being(i))
            continue;
        level = level_of(g, v, i, now_ms);
        if (!found || level > s.level)
            s = (struct standing){level, i};
        found = 1;
    }
    return s;
}

/* One that the run's mere being has reached; 0: none. */
static int
find_end(const struct guard *g, const struct vitals *v, struct standing *ret)
{
    for (unsigned i = 0; i < N_VITALS && g->n_seen > 0; i++) {
        if (g->limits->max[i] == 0 || !is_of_being(i) || !vitals_know(v, i) ||
            v->value[i] <= g->limits->max[i])
            continue;
        *ret = (struct standing){OVER, i};
        return 1;
    }
    return 0;
}

/* ---- what follows ---- */

static void
go_down(struct guard *g, uint64_t now_ms)
{
    g->raise_ms = now_ms;
    if (g->limits->choice == GUARD_PAUSE)
        g->n_allowed = 0;
    else if (g->limits->choice == GUARD_SLOW && g->n_allowed > 1 &&
             (g->cut_ms == 0 || now_ms - g->cut_ms >= GUARD_CUT_MS)) {
        g->n_allowed /= 2;
        g->cut_ms = now_ms;
    }
}

static void
go_up(struct guard *g, enum level level, uint64_t now_ms)
{
    if (level != FREE || g->n_allowed == g->n_workers) {
        g->raise_ms = now_ms;
    } else if (now_ms - g->raise_ms >= GUARD_RAISE_MS) {
        g->n_allowed++;
        g->raise_ms = now_ms;
    }
}

static void
decide(struct guard *g, struct guard_verdict *ret, enum level level,
       uint64_t now_ms)
{
    if (level < OVER) {
        g->over_ms = 0;
        go_up(g, level, now_ms);
        return;
    }
    if (g->over_ms == 0)
        g->over_ms = now_ms;
    if (g->limits->choice != GUARD_STOP)
        go_down(g, now_ms);
    else if (now_ms - g->over_ms >= GUARD_LASTS_MS)
        ret->end = GUARD_END;
}

/* It is told when the number changes, and when a limit is reached that cannot
   change it. */
static int
is_news(struct guard *g, enum level level)
{
    int held = level >= OVER && g->limits->choice != GUARD_STOP;
    unsigned now = (g->n_workers - g->n_allowed) * 2 +
                   (held && g->n_workers == 1 && g->n_allowed == 1);
    int is = now != g->told;

    g->told = now;
    return is;
}

struct guard_verdict
guard_step(struct guard *g, const struct vitals *v, uint64_t now_ms)
{
    struct guard_verdict ret = {.end = GUARD_GO_ON};
    struct standing s;

    if (v->n != g->n_seen) {
        g->n_seen = v->n;
        g->seen_ms = now_ms;
    }
    if (find_end(g, v, &s)) {
        ret.end = GUARD_LET_GO;
    } else {
        s = worst(g, v, now_ms);
        decide(g, &ret, s.level, now_ms);
    }
    ret.cause = s.which;
    ret.n_allowed = g->n_allowed;
    ret.is_news = is_news(g, s.level) || ret.end != GUARD_GO_ON;
    if (ret.end != GUARD_GO_ON || g->told)
        put_words(&ret, g, v, &s);
    return ret;
}
