/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/page.h"

#include <inttypes.h>
#include <string.h>

#include "loader/progress/events.h"
#include "loader/report/chart.h"
#include "loader/report/lines.h"

enum { SAME = 2, SLOWEST = 12, COMMANDS = 20 };

/* ---- charts of the last commands that moved something ---- */

/*
 * Of those that moved something the last few of each kind, since it may have
 * been interrupted and gone on; of verifications the last.
 */
static int
is_drawn(const struct history *h, unsigned i)
{
    const struct history_command *k = &h->commands[i];
    unsigned n_later = 0;

    if (k->n_lanes == 0 || k->last_at <= k->at)
        return 0;
    for (unsigned j = i + 1; j < h->n; j++)
        n_later += h->commands[j].n_lanes > 0 &&
                   strcmp(h->commands[j].name, k->name) == 0;
    return n_later < (strcmp(k->name, "verify") == 0 ? 1 : SAME);
}

static void
put_heading(struct page *p, const struct history_command *k)
{
    fputs("<h3>", p->to);
    html_text(p->to, k->name);
    fputs(" <span class=\"d\">&nbsp;", p->to);
    html_duration(p->to, history_ms(k));
    fputs(", from ", p->to);
    html_time(p->to, k->at);
    fputs(" UTC</span></h3>\n", p->to);
}

static void
put_key(struct page *p)
{
    fputs("<div class=\"key\"><span class=\"s1\"><i></i>export</span>"
          "<span class=\"s2\"><i></i>load</span>"
          "<span class=\"s2\"><i class=\"half\"></i>indexes, keys, "
          "statistics</span>"
          "<span class=\"s3\"><i></i>verify</span>"
          "<span><i class=\"bad\"></i>failed, or tried again</span>"
          "<span><i class=\"line\"></i>bytes of COPY a second</span>"
          "<span><i class=\"line dash\"></i>bytes of staged files</span>"
          "</div>\n",
          p->to);
}

int
page_charts(struct page *p, struct err *err)
{
    const struct history *h = &p->r->history;
    unsigned n = 0;
    cleanup_(lines_freep) struct lines *log = NULL;
    int r;

    for (unsigned i = 0; i < h->n; i++)
        n += is_drawn(h, i);
    if (n == 0)
        return 0;
    r = lines_open(&log, run_dir_fd(p->r->params.dir), EVENTS_FILE, err);
    if (r)
        return r == LINES_E_NONE ? 0 : r;
    page_begin(p, "time", "Where the time went");
    put_key(p);
    for (unsigned i = 0; !r && i < h->n; i++) {
        if (!is_drawn(h, i))
            continue;
        put_heading(p, &h->commands[i]);
        r = chart_write(p->to, log, &h->commands[i], i, err);
    }
    page_end(p);
    return r;
}

/* ---- the slowest tables ---- */

struct slowest {
    FILE *to;
    uint64_t longest;
};

static void
put_bar(const struct slowest *s, const char *class, const char *half,
        uint64_t ms)
{
    double percent = 100.0 * (double)ms / (double)s->longest;

    if (percent >= 0.3)
        fprintf(s->to, "<i class=\"%s%s\" style=\"width:%.1f%%\"></i>", class,
                half, percent);
}

static void
put_ms(FILE *to, uint64_t ms)
{
    fputs("<td class=\"n\">", to);
    if (ms)
        html_duration(to, ms);
    fputs("</td>", to);
}

static int
put_slow(void *arg, const struct report_table *t, struct err *err)
{
    struct slowest *s = arg;
    uint64_t all = t->export_ms + t->load_ms + t->build_ms + t->verify_ms;

    (void)err;
    if (s->longest == 0)
        s->longest = all;
    fputs("<tr><th scope=\"row\">", s->to);
    html_name(s->to, t->schema, t->name);
    fputs("</th>", s->to);
    put_ms(s->to, t->export_ms);
    put_ms(s->to, t->load_ms);
    put_ms(s->to, t->build_ms);
    put_ms(s->to, t->verify_ms);
    fputs("<td class=\"wide\"><div class=\"bar\" aria-hidden=\"true\">", s->to);
    put_bar(s, "s1", "", t->export_ms);
    put_bar(s, "s2", "", t->load_ms);
    put_bar(s, "s2", " half", t->build_ms);
    put_bar(s, "s3", "", t->verify_ms);
    fputs("</div></td></tr>\n", s->to);
    return 0;
}

int
page_slowest(struct page *p, struct err *err)
{
    struct slowest s = {.to = p->to};
    int r;

    if (p->r->history.n == 0 || p->r->sums.n_lines < 2 || page_is_comparison(p))
        return 0;
    page_begin(p, "slowest", "Tables that took longest");
    fputs(
        "<p class=\"note\">Time of workers: with several at one table it is "
        "more than passed.</p>\n<div class=\"scroll\"><table><thead><tr>"
        "<th scope=\"col\">Table</th><th scope=\"col\" class=\"n\">Export</th>"
        "<th scope=\"col\" class=\"n\">Load</th>"
        "<th scope=\"col\" class=\"n\">Indexes</th>"
        "<th scope=\"col\" class=\"n\">Verify</th>"
        "<td></td></tr></thead>\n<tbody>\n",
        p->to);
    r = report_each_table(p->r, REPORT_SLOWEST, SLOWEST, put_slow, &s, err);
    fputs("</tbody></table></div>\n", p->to);
    page_end(p);
    return r;
}

/* ---- all commands ---- */

static void
put_options(FILE *to, json_t *options)
{
    const char *name;
    json_t *v, *one;
    size_t i;

    fputs("<code>", to);
    json_object_foreach(options, name, v)
    {
        fputs(" --", to);
        html_text(to, name);
        fputs(" ", to);
        if (json_is_string(v))
            html_text(to, json_string_value(v));
        json_array_foreach(v, i, one)
        {
            fputs(i ? ", " : "", to);
            html_text(to, json_string_value(one) ? json_string_value(one) : "");
        }
    }
    fputs("</code>", to);
}

static void
put_end(struct page *p, const struct history_command *k, int is_last)
{
    if (!k->has_ended) {
        fprintf(p->to, "<span class=\"v part\">%s</span>",
                is_last && p->r->params.at_work ? "at work" : "was killed");
        return;
    }
    fprintf(p->to, "<span class=\"v %s\">%u</span>",
            k->status == 0 ? "none" : "bad", k->status);
    if (k->status) {
        fputs("<small>", p->to);
        html_text(p->to, k->why);
        fputs("</small>", p->to);
    }
}

static void
put_command(struct page *p, const struct history_command *k, int is_last)
{
    uint64_t n_bytes = 0;

    for (unsigned i = 0; i < k->n_lanes; i++)
        n_bytes += k->lanes[i].n_bytes;
    fputs("<tr><td>", p->to);
    html_time(p->to, k->at);
    fputs("</td><th scope=\"row\">", p->to);
    html_text(p->to, k->name);
    fputs("</th><td class=\"w\">", p->to);
    put_options(p->to, k->options);
    fputs("</td><td class=\"n\">", p->to);
    html_duration(p->to, history_ms(k));
    fputs("</td><td class=\"n\">", p->to);
    if (n_bytes)
        html_bytes(p->to, n_bytes);
    fputs("</td><td class=\"w\">", p->to);
    put_end(p, k, is_last);
    fputs("</td></tr>\n", p->to);
}

int
page_commands(struct page *p, struct err *err)
{
    const struct history *h = &p->r->history;
    unsigned first = h->n > COMMANDS ? h->n - COMMANDS : 0;

    (void)err;
    if (h->n == 0)
        return 0;
    page_begin(p, "commands", "Commands");
    if (h->n_all > h->n - first) {
        fputs("<p class=\"note\">The last of ", p->to);
        html_number(p->to, h->n_all);
        fputs(".</p>\n", p->to);
    }
    fputs("<div class=\"scroll\"><table><thead><tr>"
          "<th scope=\"col\">Begun, UTC</th><th scope=\"col\">Command</th>"
          "<th scope=\"col\">Options</th>"
          "<th scope=\"col\" class=\"n\">Time</th>"
          "<th scope=\"col\" class=\"n\">Moved</th>"
          "<th scope=\"col\">Exit status</th></tr></thead>\n<tbody>\n",
          p->to);
    for (unsigned i = first; i < h->n; i++)
        put_command(p, &h->commands[i], i + 1 == h->n);
    fputs("</tbody></table></div>\n", p->to);
    page_end(p);
    return 0;
}
