/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/report_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loader/progress/quantity.h"
#include "loader/report/lines.h"

const char *
report_verdict_name(enum report_verdict v)
{
    static const char *const names[REPORT_N_VERDICTS] = {
        [REPORT_EQUAL] = "equal",
        [REPORT_DIFFERS] = "differs",
        [REPORT_INCOMPLETE] = "incomplete",
        [REPORT_UNVERIFIED] = "unverified",
    };

    return names[v];
}

static void set(struct report *r, enum report_verdict verdict, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));

static void
set(struct report *r, enum report_verdict verdict, const char *fmt, ...)
{
    va_list ap;

    r->verdict = verdict;
    va_start(ap, fmt);
    vsnprintf(r->because, sizeof r->because, fmt, ap);
    va_end(ap);
}

/* ---- is the proof about what is there now? ---- */

static int
changes_the_copy(const struct history_command *k)
{
    if (strcmp(k->name, "abort") == 0)
        return json_object_get(k->options, "target") != NULL &&
               json_object_get(k->options, "yes") != NULL;
    for (unsigned i = 0; i < k->n_lanes; i++)
        if (strcmp(k->lanes[i].name, "verify") != 0)
            return 1;
    return 0;
}

static int
is_stale(const struct report *r)
{
    const struct history *h = &r->history;
    const char *run = r->params.facts->run_id;

    for (unsigned i = 0; i < h->n; i++)
        if (h->commands[i].last_at > proved_begun_at(&r->proved) &&
            changes_the_copy(&h->commands[i]))
            return 1;
    return strcmp(lines_text(r->proved.head, "run"), run ? run : "") != 0;
}

/* ---- with a proof ---- */

static void
say_what_differs(struct report *r)
{
    const struct proved *p = &r->proved;
    uint64_t n_tables =
        p->n_tables[PROVED_DIFFERS] + p->n_tables[PROVED_MISSING];
    uint64_t n_findings =
        p->n_findings[PROVED_DIFFERS] + p->n_findings[PROVED_MISSING];
    uint64_t n_all = 0;
    char also[96] = "";

    for (int i = 0; i < PROVED_N_RANKS; i++)
        n_all += p->n_tables[i];
    if (n_findings && n_tables)
        snprintf(also, sizeof also,
                 ", and %" PRIu64 " finding%s besides the rows", n_findings,
                 n_findings == 1 ? "" : "s");
    if (n_tables)
        set(r, REPORT_DIFFERS,
            "%" PRIu64 " of %" PRIu64 " tables %s not the same on both "
            "sides%s.",
            n_tables, n_all, n_tables == 1 ? "is" : "are", also);
    else
        set(r, REPORT_DIFFERS,
            "All rows are the same, but %" PRIu64
            " other thing%s not the same on both sides.",
            n_findings, n_findings == 1 ? " is" : "s are");
}

static void
say_equal(struct report *r)
{
    const struct proved *p = &r->proved;
    uint64_t n_accepted =
        p->n_tables[PROVED_ACCEPTED] + p->n_findings[PROVED_ACCEPTED];
    uint64_t n_tables =
        p->n_tables[PROVED_EQUAL] + p->n_tables[PROVED_ACCEPTED];
    char rows[QUANTITY_SIZE];

    quantity_rows(rows, p->n_rows);
    if (n_accepted)
        set(r, REPORT_EQUAL,
            "%s in %" PRIu64 " tables were compared; %" PRIu64
            " difference%s within what was accepted beforehand.",
            rows, n_tables, n_accepted, n_accepted == 1 ? " is" : "s are");
    else if (p->is_sample)
        set(r, REPORT_EQUAL,
            "Every row of a sample, %s of %" PRIu64
            " tables, is the same on both sides.",
            rows, n_tables);
    else
        set(r, REPORT_EQUAL,
            "Every row of every table, %s in %" PRIu64
            " table%s, is the same on both sides.",
            rows, n_tables, n_tables == 1 ? "" : "s");
}

/* A part of them may have been asked for. */
static uint64_t
count_compared(const struct proved *p)
{
    return p->n_tables[PROVED_EQUAL] + p->n_tables[PROVED_ACCEPTED];
}

static void
judge_proof(struct report *r)
{
    const struct proved *p = &r->proved;
    uint64_t n_failed =
        p->n_tables[PROVED_FAILED] + p->n_findings[PROVED_FAILED];

    if (p->n_tables[PROVED_DIFFERS] + p->n_tables[PROVED_MISSING] +
        p->n_findings[PROVED_DIFFERS] + p->n_findings[PROVED_MISSING])
        say_what_differs(r);
    else if (n_failed)
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " table%s or other thing%s could not be compared, which "
            "proves nothing about %s.",
            n_failed, n_failed == 1 ? "" : "s", n_failed == 1 ? "" : "s",
            n_failed == 1 ? "it" : "them");
    else if (lines_u64(p->end, "status"))
        set(r,
            lines_u64(p->end, "status") == ERR_DIFFERS ? REPORT_DIFFERS
                                                       : REPORT_INCOMPLETE,
            "%s", lines_text(p->end, "why"));
    else if (count_compared(p) < r->counts.n_tables)
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " of %" PRIu64 " tables were compared, and are equal.",
            count_compared(p), r->counts.n_tables);
    else if (r->counts.n_skipped_harmful)
        set(r, REPORT_INCOMPLETE,
            "What was copied is equal, but %" PRIu64
            " object%s of the source %s not copied.",
            r->counts.n_skipped_harmful,
            r->counts.n_skipped_harmful == 1 ? "" : "s",
            r->counts.n_skipped_harmful == 1 ? "was" : "were");
    else
        say_equal(r);
}

/* ---- without ---- */

static int
judge_copy(struct report *r)
{
    const struct catalog_counts *n = &r->counts;

    if (r->params.facts->state == FACTS_NEW)
        set(r, REPORT_INCOMPLETE, "Nothing is exported yet.");
    else if (n->n_tables_failed + n->n_entries_failed)
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " tables and %" PRIu64
            " parts of the schema have failed.",
            n->n_tables_failed, n->n_entries_failed);
    else if (n->n_chunks_staged < n->n_chunks)
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " of %" PRIu64 " chunks are exported.",
            n->n_chunks_staged, n->n_chunks);
    else if (n->n_chunks_loaded && (n->n_chunks_loaded < n->n_chunks ||
                                    n->n_entries_done < n->n_entries))
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " of %" PRIu64 " chunks and %" PRIu64 " of %" PRIu64
            " parts of the schema are loaded.",
            n->n_chunks_loaded, n->n_chunks, n->n_entries_done, n->n_entries);
    else if (n->n_skipped_harmful)
        set(r, REPORT_INCOMPLETE,
            "%" PRIu64 " object%s of the source %s not copied.",
            n->n_skipped_harmful, n->n_skipped_harmful == 1 ? "" : "s",
            n->n_skipped_harmful == 1 ? "was" : "were");
    else
        return 0;
    return 1;
}

static void
say_unverified(struct report *r)
{
    const struct history_command *k = history_last(&r->history, "verify");

    if (r->proved.is_there)
        set(r, REPORT_UNVERIFIED,
            "Rows were copied after the last verification: verify again.");
    else if (k && k->has_ended && k->status)
        set(r, REPORT_UNVERIFIED,
            "The last verification did not come to its end: %s.", k->why);
    else
        set(r, REPORT_UNVERIFIED,
            "Nothing has been compared yet: run \"pghaul verify\".");
}

void
report_judge(struct report *r)
{
    r->is_stale = r->proved.is_there && is_stale(r);
    if (r->proved.is_there && !r->is_stale)
        judge_proof(r);
    else if (!judge_copy(r))
        say_unverified(r);
}
