/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Forecast: will a limit that ends the run be reached before the run is done?
 * A pure function of what was measured and of the time.
 *
 * It is said when it has been so for a while, and unsaid when there is room to
 * spare again: rates go up and down.
 */

#include "loader/source/guard/guard.h"

enum {
    FORECAST_LASTS_MS = 5000, /* before it is said */
    FORECAST_SPAN_MS = 60000, /* WAL: the rate is about that of a minute */
    FORECAST_WORDS = 256,
};

#define FORECAST_NEVER UINT64_MAX

struct forecast { /* begins as {0} */
    uint64_t begun_ms, last_ms, last_wal;
    double wal_per_ms;
    uint64_t since_ms; /* since when it looks bad; 0: it does not */
    int told;
};

struct forecast_verdict {
    uint64_t limit_ms; /* until the first limit; NEVER */
    enum vital which;
    int is_news;
    /* "at this rate the limit on WAL is reached in 03:10:00, and 04:20:00 is
       needed"; "" when it will do. */
    char words[FORECAST_WORDS];
};

/* left_ms: what the run needs; NEVER when nobody knows. */
struct forecast_verdict forecast_step(struct forecast *f,
                                      const struct guard_limits *l,
                                      const struct vitals *v, uint64_t left_ms,
                                      uint64_t now_ms);
