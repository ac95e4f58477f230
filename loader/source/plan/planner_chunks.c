/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/planner_private.h"

static int
add_block_ranges(struct planner *p, const struct planner_cut *cut,
                 uint64_t n_chunks, struct err *err)
{
    const struct catalog_table *t = cut->table;
    uint64_t step;
    int r;

    if (n_chunks > cut->n_blocks)
        n_chunks = cut->n_blocks ? cut->n_blocks : 1;
    step = (cut->n_blocks + n_chunks - 1) / n_chunks;

    for (uint64_t lo = 0, i = 0; i < n_chunks; i++, lo += step) {
        struct catalog_chunk k = {.lo = lo, .hi = lo + step};

        if (i + 1 == n_chunks || k.hi >= cut->n_blocks)
            k.hi = CATALOG_OPEN_END;
        k.n_bytes = t->n_bytes / n_chunks;
        r = catalog_add_chunk(p->catalog, t->id, &k, err);
        if (r)
            return r;
        if (k.hi == CATALOG_OPEN_END)
            break;
    }
    return 0;
}

int
planner_chunks(struct planner *p, const struct planner_cut *cut,
               struct err *err)
{
    uint64_t n_chunks = cut->table->n_bytes / p->params->chunk_size + 1;

    return cut->by_block ? add_block_ranges(p, cut, n_chunks, err)
                         : planner_key_ranges(p, cut->table, n_chunks, err);
}
