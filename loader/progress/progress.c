/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/progress.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/printable.h"
#include "loader/progress/meter.h"
#include "loader/progress/progress_text.h"
#include "loader/progress/screen.h"

enum {
    LABEL_SIZE = 256,
    NOTE_SIZE = 2048,
    FIRST_FRAME_MS = 200, /* what is over sooner needs no drawing */
    FRAME_MS = 150,
    FIRST_LINE_MS = 1000,
    LINE_MS = 5000,
    LEFT_MAX_MS = 100 * 3600 * 1000, /* 99:59:59 is the last that we say */
};

enum look { MOVING, PLAIN, QUIET };

enum cell_state {
    UNUSED,  /* until the first begin(): has no line */
    BUSY,    /* entered by begin() */
    WAITING, /* entered by end(): keeps its line, so that nothing jumps */
};

struct progress_cell {
    pthread_mutex_t lock; /* held for a copy of these: */
    enum cell_state state;
    char label[LABEL_SIZE];
    uint64_t expected;
    uint64_t n_bytes_past, n_rows_past; /* of earlier tasks */
    uint64_t done_past;                 /* their estimates, of those done */
    struct events_task last;            /* without lane, worker and label */
    int has_ended;                      /* last has not been asked for */
    /* The worker's, at any time; the current task's: */
    _Atomic uint64_t n_bytes, n_rows;
    uint64_t n_stored;
};

/* A copy of a cell to draw. */
struct glimpse {
    enum cell_state state;
    char label[LABEL_SIZE];
    uint64_t expected, n_bytes;
    uint64_t done, n_bytes_all, n_rows_all;
};

struct lane {
    char *name;
    uint64_t total, done; /* as the lane began */
    struct progress_cell *cells;
    unsigned n_cells;
    struct meter speed, headway; /* of bytes; of estimated bytes */
    char caption[LABEL_SIZE];
};

struct progress {
    struct events *events; /* or NULL */
    enum look look;
    struct lane *lanes;
    unsigned n_lanes;
    struct screen screen;
    uint64_t next_ms; /* when to draw */
};

static enum look
choose_look(enum progress_style style)
{
    const char *term = getenv("TERM");

    if (style == PROGRESS_QUIET)
        return QUIET;
    if (style == PROGRESS_AUTO && isatty(STDERR_FILENO) && term &&
        strcmp(term, "dumb") != 0)
        return MOVING;
    return PLAIN;
}

int
progress_new(struct progress **ret, enum progress_style style, struct err *err)
{
    struct progress *p = calloc(1, sizeof *p);

    if (!p)
        return err_nomem(err);
    p->look = choose_look(style);
    *ret = p;
    return 0;
}

static void
forget_lanes(struct progress *p)
{
    for (unsigned i = 0; i < p->n_lanes; i++) {
        struct lane *l = &p->lanes[i];

        for (unsigned j = 0; j < l->n_cells; j++)
            pthread_mutex_destroy(&l->cells[j].lock);
        free(l->cells);
        free(l->name);
    }
    free(p->lanes);
    p->lanes = NULL;
    p->n_lanes = 0;
}

struct progress *
progress_free(struct progress *p)
{
    if (!p)
        return NULL;
    progress_finish(p);
    free(p);
    return NULL;
}

/* ---- the log ---- */

void
progress_log(struct progress *p, struct events *events)
{
    p->events = events;
}

struct events *
progress_events(const struct progress *p)
{
    return p->events;
}

void
progress_phase_begin(struct progress *p, const char *name)
{
    events_phase_begin(p->events, name);
}

int
progress_phase_end(struct progress *p, int r, const struct err *err)
{
    events_phase_end(p->events, r < 0 ? err : NULL);
    return r;
}

int
progress_last(struct progress *p, unsigned lane, unsigned worker,
              struct events_task *ret)
{
    struct progress_cell *c = progress_cell(p, lane, worker);
    int r = -1;

    pthread_mutex_lock(&c->lock);
    if (c->has_ended && c->state == WAITING) {
        c->has_ended = r = 0;
        *ret = c->last;
        ret->lane = p->lanes[lane].name;
        ret->worker = worker + 1;
        ret->label = c->label;
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* ---- lanes ---- */

int
progress_lane(struct progress *p, const char *name, unsigned n_workers,
              uint64_t total, uint64_t done, struct err *err)
{
    struct lane *lanes, l = {.total = total, .done = done};
    uint64_t now_ms;

    lanes = realloc(p->lanes, (p->n_lanes + 1) * sizeof *lanes);
    if (!lanes)
        return err_nomem(err);
    p->lanes = lanes;

    l.name = strdup(name);
    l.cells = calloc(n_workers, sizeof *l.cells);
    if (!l.name || (!l.cells && n_workers > 0)) {
        free(l.name);
        free(l.cells);
        return err_nomem(err);
    }
    for (; l.n_cells < n_workers; l.n_cells++)
        pthread_mutex_init(&l.cells[l.n_cells].lock, NULL);

    now_ms = clock_ms();
    meter_read(&l.speed, now_ms, 0);
    meter_read(&l.headway, now_ms, done);
    if (p->n_lanes == 0)
        p->next_ms =
            now_ms + (p->look == MOVING ? FIRST_FRAME_MS : FIRST_LINE_MS);
    lanes[p->n_lanes++] = l;
    return 0;
}

struct progress_cell *
progress_cell(struct progress *p, unsigned lane, unsigned worker)
{
    assert(lane < p->n_lanes && worker < p->lanes[lane].n_cells);
    return &p->lanes[lane].cells[worker];
}

/* ---- the worker's side ---- */

void
progress_begin(struct progress_cell *c, const char *label, uint64_t expected)
{
    pthread_mutex_lock(&c->lock);
    assert(c->state != BUSY);
    c->state = BUSY;
    snprintf(c->label, sizeof c->label, "%s", label);
    c->expected = expected;
    c->last = (struct events_task){.begun_ms = clock_ms()};
    c->has_ended = 0;
    pthread_mutex_unlock(&c->lock);
}

void
progress_of(struct progress_cell *c, uint64_t table, uint64_t chunk)
{
    c->last.table = table;
    c->last.chunk = chunk;
}

void
progress_at(struct progress_cell *c, uint64_t bytes, uint64_t rows)
{
    atomic_store_explicit(&c->n_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&c->n_rows, rows, memory_order_relaxed);
}

void
progress_stored(struct progress_cell *c, uint64_t bytes)
{
    c->n_stored = bytes;
}

static void
keep_account(struct progress_cell *c)
{
    c->last.ended_ms = clock_ms();
    c->last.n_rows = c->n_rows;
    c->last.n_bytes = c->n_bytes;
    c->last.n_stored = c->n_stored;
    c->n_stored = 0;
    c->has_ended = 1;
}

void
progress_end(struct progress_cell *c, int ok)
{
    pthread_mutex_lock(&c->lock);
    assert(c->state == BUSY);
    c->state = WAITING;
    keep_account(c);
    c->last.outcome = ok ? "done" : "redo";
    c->n_bytes_past += c->n_bytes;
    if (ok) {
        c->n_rows_past += c->n_rows;
        c->done_past += c->expected;
    }
    progress_at(c, 0, 0);
    pthread_mutex_unlock(&c->lock);
}

/* ---- what there is to draw ---- */

static void
look_at(struct progress_cell *c, struct glimpse *g)
{
    pthread_mutex_lock(&c->lock);
    g->state = c->state;
    memcpy(g->label, c->label, sizeof g->label);
    g->expected = c->expected;
    g->n_bytes = atomic_load_explicit(&c->n_bytes, memory_order_relaxed);
    g->n_bytes_all = c->n_bytes_past + g->n_bytes;
    g->n_rows_all =
        c->n_rows_past + atomic_load_explicit(&c->n_rows, memory_order_relaxed);
    g->done = c->done_past;
    if (c->state == BUSY)
        g->done += g->n_bytes < c->expected ? g->n_bytes : c->expected;
    pthread_mutex_unlock(&c->lock);
}

static uint64_t
left_ms(const struct progress_sum *s, uint64_t headway_per_s)
{
    double ms;

    if (s->total == 0 || headway_per_s == 0)
        return PROGRESS_NO_END;
    ms = (double)(s->total - s->done) * 1000 / (double)headway_per_s;
    /* A lane that has hardly begun gives no measure. */
    return ms < LEFT_MAX_MS ? (uint64_t)ms : PROGRESS_NO_END;
}

static void
add_up(struct lane *l, uint64_t now_ms, struct progress_sum *s)
{
    *s = (struct progress_sum){
        .name = l->name,
        .total = l->total,
        .done = l->done,
    };
    for (unsigned i = 0; i < l->n_cells; i++) {
        struct glimpse g;

        look_at(&l->cells[i], &g);
        s->done += g.done;
        s->n_bytes += g.n_bytes_all;
        s->n_rows += g.n_rows_all;
    }
    if (s->done > s->total)
        s->done = s->total;
    meter_read(&l->speed, now_ms, s->n_bytes);
    meter_read(&l->headway, now_ms, s->done);
    s->bytes_per_s = meter_per_s(&l->speed);
    s->left_ms = left_ms(s, meter_per_s(&l->headway));
}

/* ---- drawing ---- */

static void
draw_tasks(struct progress *p, struct lane *l)
{
    char line[PROGRESS_TEXT_SIZE];
    struct glimpse g;

    for (unsigned i = 0; i < l->n_cells; i++) {
        look_at(&l->cells[i], &g);
        if (g.state == UNUSED)
            continue;
        progress_text_task(line, &(struct progress_task){
                                     .number = i + 1,
                                     .label = g.state == BUSY ? g.label : NULL,
                                     .n_bytes = g.n_bytes,
                                     .expected = g.expected,
                                 });
        screen_line(&p->screen, line);
    }
}

static void
draw_caption(struct progress *p, const struct lane *l)
{
    char line[PROGRESS_TEXT_SIZE];

    if (!l->caption[0])
        return;
    progress_text_caption(line, l->caption);
    screen_line(&p->screen, line);
}

static void
draw_moving(struct progress *p, uint64_t now_ms)
{
    char line[PROGRESS_TEXT_SIZE];
    struct progress_sum sum;

    for (unsigned i = 0; i < p->n_lanes; i++) {
        add_up(&p->lanes[i], now_ms, &sum);
        progress_text_sum(line, &sum);
        screen_line(&p->screen, line);
        draw_caption(p, &p->lanes[i]);
        draw_tasks(p, &p->lanes[i]);
    }
    p->next_ms = now_ms + FRAME_MS;
}

static void
draw_plain(struct progress *p, uint64_t now_ms)
{
    char line[PROGRESS_TEXT_SIZE];
    struct progress_sum sum;

    for (unsigned i = 0; i < p->n_lanes; i++) {
        add_up(&p->lanes[i], now_ms, &sum);
        progress_text_plain(line, &sum);
        screen_note(&p->screen, line);
    }
    p->next_ms = now_ms + LINE_MS;
}

void
progress_draw(struct progress *p)
{
    uint64_t now_ms;

    if (p->look == QUIET || p->n_lanes == 0)
        return;
    now_ms = clock_ms();
    if (now_ms < p->next_ms || screen_is_halted() ||
        screen_begin(&p->screen) < 0)
        return;
    if (p->look == MOVING)
        draw_moving(p, now_ms);
    else
        draw_plain(p, now_ms);
    screen_end(&p->screen);
}

void
progress_look(struct progress *p, unsigned lane, struct progress_sum *ret)
{
    assert(lane < p->n_lanes);
    add_up(&p->lanes[lane], clock_ms(), ret);
}

void
progress_caption(struct progress *p, unsigned lane, const char *text)
{
    assert(lane < p->n_lanes);
    snprintf(p->lanes[lane].caption, sizeof p->lanes[lane].caption, "%s", text);
}

void
progress_note(struct progress *p, const char *fmt, ...)
{
    char note[NOTE_SIZE], shown[PRINTABLE_SIZE(NOTE_SIZE)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(note, sizeof note, fmt, ap);
    va_end(ap);
    events_note(p->events, note);
    if (screen_begin(&p->screen) < 0)
        return;
    screen_note(&p->screen, printable(shown, sizeof shown, note));
    if (p->screen.n_lines > 0)
        draw_moving(p, clock_ms());
    screen_end(&p->screen);
}

void
progress_finish(struct progress *p)
{
    if (p->screen.n_lines > 0 && screen_begin(&p->screen) == 0)
        screen_end(&p->screen);
    forget_lanes(p);
}
