/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/chart.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/progress/quantity.h"
#include "loader/report/html.h"

enum {
    /* In units of the drawing, which are pixels on a wide screen. */
    WIDTH = 960,
    LEFT = 88,
    RIGHT = 8,
    PLOT = WIDTH - LEFT - RIGHT,
    PHASE_HEIGHT = 16,
    ROW_HEIGHT = 10,
    ROW_STEP = 12,
    HEAD_STEP = 16, /* a lane's heading */
    FLOW_HEIGHT = 64,
    AXIS_HEIGHT = 20,
    GAP = 10,
    /* Bounds of what is drawn. */
    ROWS = 16, /* workers of a lane */
    BUCKETS = 172,
    NAMED = 160,   /* tasks that are big enough for their name */
    POINTED = 500, /* or for saying it when pointed at */
};

/* A task narrower than this lies in one block with its neighbours. */
static const double NARROW = 2.0, NAMED_WIDTH = 60, POINTED_WIDTH = 8;

enum shade { DONE, BUILT, WRONG, N_SHADES };
static const char *const shades[N_SHADES] = {"done", "built", "wrong"};

struct row {
    FILE *text; /* what is drawn so far, but for the open block */
    char *data;
    size_t len;
    int is_open;
    enum shade shade;
    double from, to;
    uint64_t n_tasks;
};

struct lane {
    const struct history_lane *sum;
    struct row rows[ROWS];
    uint64_t busy_ms;
    double raw[BUCKETS], stored[BUCKETS]; /* bytes */
};

struct chart {
    FILE *to;
    const struct history_command *command;
    uint64_t from, ms; /* what the width stands for */
    struct lane lanes[HISTORY_LANES];
    unsigned n_named, n_pointed;
    double y;
};

static double
x_of(const struct chart *c, uint64_t at)
{
    if (at < c->from)
        return 0;
    if (at - c->from > c->ms)
        return PLOT;
    return (double)(at - c->from) * PLOT / (double)c->ms;
}

/* ---- blocks ---- */

static void
close_block(struct row *row)
{
    /* A hair's breadth between neighbours. */
    double width = row->to - row->from;
    double end = width > 2 * NARROW ? row->to - 0.6 : row->to;

    if (row->is_open)
        fprintf(row->text, "<path class=\"%s\" d=\"M%.1f 0H%.1fv%dH%.1fz\"/>",
                shades[row->shade], row->from,
                end > row->from + 0.4 ? end : row->from + 0.4, ROW_HEIGHT,
                row->from);
    row->is_open = 0;
}

/* A block of its own: what it is can be read, or pointed at. */
static void
draw_alone(struct chart *c, struct row *row, const json_t *task,
           enum shade shade, double from, double to)
{
    char bytes[QUANTITY_SIZE], time[QUANTITY_SIZE];

    close_block(row);
    fprintf(row->text,
            "<g><rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"%d\"/>",
            shades[shade], from, to - from - 0.6, ROW_HEIGHT);
    if (to - from >= NAMED_WIDTH && c->n_named < NAMED) {
        c->n_named++;
        fprintf(row->text,
                "<svg x=\"%.1f\" width=\"%.1f\" height=\"%d\"><text x=\"3\" "
                "y=\"8\">",
                from, to - from - 2, ROW_HEIGHT);
        html_attribute(row->text, lines_text(task, "label"));
        fputs("</text></svg>", row->text);
    }
    fputs("<title>", row->text);
    html_attribute(row->text, lines_text(task, "label"));
    fprintf(row->text, ": %s, %s",
            quantity_duration(time, lines_u64(task, "ms")),
            quantity_bytes(bytes, lines_u64(task, "bytes")));
    if (shade == WRONG) {
        fputs(", ", row->text);
        html_attribute(row->text, lines_text(task, "why"));
    }
    fputs("</title></g>", row->text);
}

static void
draw_task(struct chart *c, struct row *row, const json_t *task,
          enum shade shade)
{
    uint64_t at = lines_u64(task, "at");
    double to = x_of(c, at), from = x_of(c, at - lines_u64(task, "ms"));

    row->n_tasks++;
    if (to - from >= POINTED_WIDTH && c->n_pointed < POINTED) {
        c->n_pointed++;
        draw_alone(c, row, task, shade, from, to);
    } else if (row->is_open && row->shade == shade && from - row->to < NARROW &&
               (to - from < NARROW || row->to - row->from < NARROW ||
                c->n_pointed == POINTED)) {
        row->to = to > row->to ? to : row->to;
    } else {
        close_block(row);
        row->is_open = 1;
        row->shade = shade;
        row->from = from;
        row->to = to;
    }
}

/* ---- flow ---- */

static void
add_flow(const struct chart *c, double *buckets, const json_t *task,
         double n_bytes)
{
    uint64_t at = lines_u64(task, "at");
    double to = x_of(c, at) * BUCKETS / PLOT;
    double from = x_of(c, at - lines_u64(task, "ms")) * BUCKETS / PLOT;

    /* What took no time is in the bucket where it was. */
    if (to - from < 1e-6)
        from = to - 1e-6;
    for (int i = from > 0 ? (int)from : 0; i < BUCKETS && i < to; i++) {
        double a = from > i ? from : i, b = to < i + 1 ? to : i + 1;

        if (b > a)
            buckets[i] += n_bytes * (b - a) / (to - from);
    }
}

/* ---- reading ---- */

static struct lane *
find_lane(struct chart *c, const char *name)
{
    for (unsigned i = 0; i < c->command->n_lanes; i++)
        if (strcmp(c->command->lanes[i].name, name) == 0)
            return &c->lanes[i];
    return NULL;
}

static enum shade
shade_of(const json_t *task)
{
    if (strcmp(lines_text(task, "outcome"), "done") != 0)
        return WRONG;
    return strcmp(lines_text(task, "lane"), "load") == 0 &&
                   !lines_u64(task, "chunk")
               ? BUILT
               : DONE;
}

static void
see(struct chart *c, const json_t *o)
{
    struct lane *lane = find_lane(c, lines_text(o, "lane"));
    uint64_t worker = lines_u64(o, "worker");
    enum shade shade = shade_of(o);

    if (strcmp(lines_text(o, "event"), "task") != 0 || !lane)
        return;
    lane->busy_ms += lines_u64(o, "ms");
    if (shade != WRONG) {
        add_flow(c, lane->raw, o, (double)lines_u64(o, "bytes"));
        add_flow(c, lane->stored, o, (double)lines_u64(o, "stored"));
    }
    if (worker >= 1 && worker <= ROWS)
        draw_task(c, &lane->rows[worker - 1], o, shade);
}

static int
read_command(struct chart *c, struct lines *log, struct err *err)
{
    uint64_t offset = c->command->offset;
    json_t *o;
    int r;

    lines_seek(log, offset);
    while ((r = lines_next(log, &o, &offset, err)) == 0) {
        int is_over = offset >= c->command->end;

        if (!is_over)
            see(c, o);
        json_decref(o);
        if (is_over)
            return 0;
    }
    return r == LINES_E_END ? 0 : r;
}

/* ---- drawing ---- */

static unsigned
shown_rows(const struct lane *lane)
{
    return lane->sum->n_workers < ROWS ? lane->sum->n_workers : ROWS;
}

static void
draw_phases(struct chart *c)
{
    double end = -1;

    fprintf(c->to, "<text class=\"l\" x=\"%d\" y=\"%.0f\">phases</text>",
            LEFT - 8, c->y + 12);
    for (unsigned i = 0; i < c->command->n_phases; i++) {
        const struct history_phase *p = &c->command->phases[i];
        uint64_t ms = p->ms == HISTORY_OPEN ? c->from + c->ms - p->at : p->ms;
        double from = x_of(c, p->at), to = x_of(c, p->at + ms);
        double width = to - from < 1 ? 1 : to - from - 0.6;

        if (from < end - 0.5) /* within another */
            continue;
        end = to;
        fprintf(c->to,
                "<svg x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\">"
                "<rect class=\"phase%s\" width=\"%.1f\" height=\"%d\"/>",
                LEFT + from, c->y, width, PHASE_HEIGHT,
                p->failed ? " wrong" : "", width, PHASE_HEIGHT);
        if (width > 7 * (double)strlen(p->name) + 6) {
            fputs("<text class=\"p\" x=\"5\" y=\"11.5\">", c->to);
            html_attribute(c->to, p->name);
            fputs("</text>", c->to);
        }
        fputs("<title>", c->to);
        html_attribute(c->to, p->name);
        fputs(": ", c->to);
        html_duration(c->to, ms);
        fputs("</title></svg>", c->to);
    }
    c->y += PHASE_HEIGHT + GAP;
}

static const char *
colour_of(const struct lane *lane)
{
    static const char *const names[] = {"export", "load", "verify"};
    static const char *const classes[] = {"s1", "s2", "s3"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(lane->sum->name, names[i]) == 0)
            return classes[i];
    return "s4";
}

static void
draw_head(struct chart *c, const struct lane *lane)
{
    const struct history_lane *s = lane->sum;
    uint64_t ms = s->ended_at - s->begun_at;
    char rate[QUANTITY_SIZE];

    fprintf(c->to, "<text class=\"h\" x=\"%d\" y=\"%.0f\"><tspan class=\"b\">",
            LEFT, c->y + 11);
    html_attribute(c->to, s->name);
    fprintf(c->to, "</tspan>  %u worker%s", s->n_workers,
            s->n_workers == 1 ? "" : "s");
    if (ms > 0)
        fprintf(c->to, ", %.0f %% busy, %s",
                100.0 * (double)lane->busy_ms / (double)ms /
                    (s->n_workers ? s->n_workers : 1),
                quantity_rate(rate, s->n_bytes * 1000 / ms));
    if (s->n_workers > ROWS)
        fprintf(c->to, " (the first %d are drawn)", ROWS);
    fputs("</text>", c->to);
    c->y += HEAD_STEP;
}

static void
draw_lane(struct chart *c, struct lane *lane)
{
    draw_head(c, lane);
    fprintf(c->to, "<g class=\"lane %s\">", colour_of(lane));
    for (unsigned i = 0; i < shown_rows(lane); i++) {
        struct row *row = &lane->rows[i];

        close_block(row);
        fflush(row->text);
        fprintf(c->to,
                "<text class=\"l\" x=\"%d\" y=\"%.0f\">%u</text>"
                "<g transform=\"translate(%d %.0f)\">"
                "<rect class=\"bed\" width=\"%d\" height=\"%d\"/>",
                LEFT - 8, c->y + 8.5, i + 1, LEFT, c->y, PLOT, ROW_HEIGHT);
        fwrite(row->data, 1, row->len, c->to);
        fputs("</g>", c->to);
        c->y += ROW_STEP;
    }
    fputs("</g>", c->to);
    c->y += GAP - 2;
}

/* ---- bytes a second ---- */

static double
highest(const struct chart *c)
{
    double max = 1;

    for (unsigned i = 0; i < c->command->n_lanes; i++)
        for (unsigned j = 0; j < BUCKETS; j++)
            if (c->lanes[i].raw[j] > max)
                max = c->lanes[i].raw[j];
    return max;
}

static void
draw_line(const struct chart *c, const double *buckets, double max,
          const char *class, int is_area)
{
    fprintf(c->to, "<path class=\"%s\" d=\"M0 %d", class, FLOW_HEIGHT);
    for (unsigned i = 0; i < BUCKETS; i++)
        fprintf(c->to, "L%.1f %.1f", (i + 0.5) * PLOT / BUCKETS,
                FLOW_HEIGHT - FLOW_HEIGHT * buckets[i] / max);
    fprintf(c->to, "L%d %d%s\"/>", PLOT, FLOW_HEIGHT, is_area ? "z" : "");
}

static int
has_any(const double *buckets)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        if (buckets[i] > 0)
            return 1;
    return 0;
}

static void
draw_flow(struct chart *c)
{
    double max = highest(c);
    uint64_t per_s =
        (uint64_t)(max * 1000 * BUCKETS / (double)(c->ms ? c->ms : 1));
    char rate[QUANTITY_SIZE];

    fprintf(c->to,
            "<text class=\"l\" x=\"%d\" y=\"%.0f\">%s</text>"
            "<text class=\"l\" x=\"%d\" y=\"%.0f\">0</text>"
            "<g transform=\"translate(%d %.0f)\"><path class=\"grid\" "
            "d=\"M0 0H%dM0 %dH%dM0 %dH%d\"/>",
            LEFT - 8, c->y + 4, quantity_rate(rate, per_s), LEFT - 8,
            c->y + FLOW_HEIGHT + 3, LEFT, c->y, PLOT, FLOW_HEIGHT / 2, PLOT,
            FLOW_HEIGHT, PLOT);
    for (unsigned i = 0; i < c->command->n_lanes; i++) {
        const struct lane *lane = &c->lanes[i];

        fprintf(c->to, "<g class=\"lane %s\">", colour_of(lane));
        if (has_any(lane->raw)) {
            draw_line(c, lane->raw, max, "area", 1);
            draw_line(c, lane->raw, max, "raw", 0);
        }
        if (has_any(lane->stored))
            draw_line(c, lane->stored, max, "stored", 0);
        fputs("</g>", c->to);
    }
    fputs("</g>", c->to);
    c->y += FLOW_HEIGHT + 2;
}

/* ---- time ---- */

static uint64_t
step_of(uint64_t ms)
{
    static const uint64_t steps[] = {
        100,     200,         500,         1000,         2000,
        5000,    10000,       15000,       30000,        60000,
        120000,  300000,      600000,      900000,       1800000,
        3600000, 2 * 3600000, 6 * 3600000, 12 * 3600000, 24 * 3600000,
    };
    unsigned i = 0;

    while (i + 1 < sizeof steps / sizeof *steps && ms / steps[i] > 9)
        i++;
    return steps[i] > ms / 20 ? steps[i] : ms / 8;
}

static void
put_tick(FILE *to, uint64_t ms, uint64_t whole)
{
    if (whole < 10000)
        fprintf(to, "%.1f s", (double)ms / 1000);
    else if (whole < 180000)
        fprintf(to, "%" PRIu64 " s", ms / 1000);
    else if (whole < 2 * 3600000)
        fprintf(to, "%" PRIu64 ":%02" PRIu64 " min", ms / 60000,
                ms / 1000 % 60);
    else
        fprintf(to, "%" PRIu64 ":%02" PRIu64 " h", ms / 3600000,
                ms / 60000 % 60);
}

static void
draw_axis(struct chart *c)
{
    uint64_t step = step_of(c->ms);

    for (uint64_t ms = 0; ms <= c->ms; ms += step) {
        double x = LEFT + x_of(c, c->from + ms);

        fprintf(c->to,
                "<path class=\"tick\" d=\"M%.1f %.0fv4\"/>"
                "<text class=\"t%s\" x=\"%.1f\" y=\"%.0f\">",
                x, c->y, x > WIDTH - 40 ? " e" : "", x, c->y + 15);
        put_tick(c->to, ms, c->ms);
        fputs("</text>", c->to);
    }
    c->y += AXIS_HEIGHT;
}

/* ---- all ---- */

static double
height(const struct chart *c)
{
    double h = PHASE_HEIGHT + GAP + 4 + FLOW_HEIGHT + 2 + AXIS_HEIGHT;

    for (unsigned i = 0; i < c->command->n_lanes; i++)
        h += HEAD_STEP + shown_rows(&c->lanes[i]) * ROW_STEP + GAP - 2;
    return h;
}

static void
draw(struct chart *c, unsigned number)
{
    fprintf(c->to,
            "<svg class=\"chart\" viewBox=\"0 0 %d %.0f\" role=\"img\" "
            "aria-labelledby=\"c%u-t c%u-d\"><title id=\"c%u-t\">",
            WIDTH, height(c), number, number, number);
    html_attribute(c->to, c->command->name);
    fprintf(c->to, " over time</title><desc id=\"c%u-d\">It took ", number);
    html_duration(c->to, c->ms);
    fputs(". Bars show when its phases and its workers were busy, lines how "
          "many bytes a second came through.</desc>",
          c->to);
    draw_phases(c);
    for (unsigned i = 0; i < c->command->n_lanes; i++)
        draw_lane(c, &c->lanes[i]);
    c->y += 4;
    draw_flow(c);
    draw_axis(c);
    fputs("</svg>\n", c->to);
}

static void
clear(struct chart *c)
{
    for (unsigned i = 0; i < HISTORY_LANES; i++) {
        for (unsigned j = 0; j < ROWS; j++) {
            struct row *row = &c->lanes[i].rows[j];

            if (row->text)
                fclose(row->text);
            free(row->data);
        }
    }
    free(c);
}

static int
open_rows(struct chart *c, struct err *err)
{
    for (unsigned i = 0; i < c->command->n_lanes; i++) {
        c->lanes[i].sum = &c->command->lanes[i];
        for (unsigned j = 0; j < ROWS; j++) {
            struct row *row = &c->lanes[i].rows[j];

            row->text = open_memstream(&row->data, &row->len);
            if (!row->text)
                return err_nomem(err);
        }
    }
    return 0;
}

int
chart_write(FILE *to, struct lines *log, const struct history_command *k,
            unsigned number, struct err *err)
{
    struct chart *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return err_nomem(err);
    c->to = to;
    c->command = k;
    c->from = k->at;
    c->ms = k->last_at > k->at ? k->last_at - k->at : 1;
    r = open_rows(c, err);
    if (!r)
        r = read_command(c, log, err);
    if (!r)
        draw(c, number);
    clear(c);
    return r;
}
