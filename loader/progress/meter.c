/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/meter.h"

static const struct meter_reading *
oldest(const struct meter *m)
{
    return &m->kept[m->n_kept < METER_SAMPLES ? 0 : m->n_kept % METER_SAMPLES];
}

void
meter_read(struct meter *m, uint64_t now_ms, uint64_t n)
{
    unsigned previous = (m->n_kept - 1) % METER_SAMPLES;

    m->last = (struct meter_reading){.ms = now_ms, .n = n};
    if (m->n_kept == 0 || now_ms - m->kept[previous].ms >= METER_STEP_MS)
        m->kept[m->n_kept++ % METER_SAMPLES] = m->last;
}

uint64_t
meter_per_s(const struct meter *m)
{
    const struct meter_reading *from = oldest(m);

    if (m->last.n <= from->n || m->last.ms <= from->ms)
        return 0;
    return (uint64_t)((double)(m->last.n - from->n) * 1000 /
                      (double)(m->last.ms - from->ms));
}
