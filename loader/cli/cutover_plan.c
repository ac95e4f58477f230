/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/cutover_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "formats/manifest.h"
#include "loader/progress/quantity.h"

enum { UNKNOWN = 0, STEP_WIDTH = 12, TIME_WIDTH = 10 };

static void line(const char *step, uint64_t ms, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
line(const char *step, uint64_t ms, const char *fmt, ...)
{
    char time[32] = "";
    va_list ap;

    if (ms != UNKNOWN)
        snprintf(time, sizeof time, "%.1f s", (double)ms / 1000);
    printf("  %-*s%-*s", STEP_WIDTH, step, TIME_WIDTH, time);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static uint64_t
read_only_ms(const struct survey_estimate *e)
{
    return e->drain_ms + e->sequences_ms + e->verify_ms + e->turn_ms;
}

static const char *
fate_of_writers(const struct options *o)
{
    static const char *const fates[] = {
        [OPTION_WRITERS_WAIT] = "they are waited for",
        [OPTION_WRITERS_TERMINATE] = "they are ended, busy ones after a while",
        [OPTION_WRITERS_REFUSE] = "there must be none",
    };

    return fates[o->writers];
}

void
cutover_plan_print(const struct options *o, const struct survey_estimate *e)
{
    char lag[QUANTITY_SIZE], limit[QUANTITY_SIZE], timeout[QUANTITY_SIZE];

    puts("the plan, and about how long each step takes:");
    line("lag", e->drain_ms, "%s behind now; at most %s",
         quantity_bytes(lag, e->lag), quantity_bytes(limit, o->max_lag));
    if (o->no_reverse)
        line("reverse", UNKNOWN, "none: there is no way back");
    else
        line("reverse", e->turn_ms, "prepare the way back, %" PRIu64 " tables",
             e->n_tables);
    line("read-only", UNKNOWN,
         "the source; %" PRIu64 " sessions, %" PRIu64 " busy: %s, %s at most",
         e->n_sessions, e->n_busy, fate_of_writers(o),
         quantity_duration(timeout, o->writers_timeout));
    line("drain", e->drain_ms, "until the target has all");
    line("sequences", e->sequences_ms, "%" PRIu64, e->n_sequences);
    line("verify", e->verify_ms, "%" PRIu64 " tables of both", e->n_tables);
    line("turn", e->turn_ms, "%s",
         o->no_reverse ? "the target follows no more"
                       : "the source follows the target");
    line("switch", UNKNOWN, "%s",
         o->hook ? o->hook : "by you: you are asked when it is done");
    printf("nobody can write for about %.1f s, and as long as sessions and the "
           "switch take\n",
           (double)read_only_ms(e) / 1000);
}

json_t *
cutover_plan_json(const struct survey_estimate *e)
{
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o,s:o},s:o}", "lag_bytes",
        manifest_u64_json(e->lag), "sessions", manifest_u64_json(e->n_sessions),
        "sessions_busy", manifest_u64_json(e->n_busy), "tables",
        manifest_u64_json(e->n_tables), "sequences",
        manifest_u64_json(e->n_sequences), "estimated_ms", "drain",
        manifest_u64_json(e->drain_ms), "sequences",
        manifest_u64_json(e->sequences_ms), "verify",
        manifest_u64_json(e->verify_ms), "turn", manifest_u64_json(e->turn_ms),
        "read_only_ms", manifest_u64_json(read_only_ms(e)));
}
