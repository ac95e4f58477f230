/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/planner.h"

#include "loader/source/plan/left_out.h"
#include "loader/source/plan/plan_large_objects.h"
#include "loader/source/plan/planner_private.h"

int
planner_run(const struct planner_params *params, struct session *s,
            struct catalog *c, struct err *err)
{
    struct planner p = {.params = params, .session = s, .catalog = c};
    int r;

    r = catalog_begin(c, err);
    if (!r)
        r = planner_tables(&p, err);
    if (!r)
        r = params->no_large_objects
                ? plan_no_large_objects(s, c, err)
                : plan_large_objects(params->chunk_size, s, c, err);
    if (r || params->only_rows)
        return r ? r : catalog_commit(c, err);
    r = left_out_record(params->selection, s, c, err);
    if (!r)
        r = planner_skips(&p, err);
    if (!r)
        r = planner_sequences(&p, err);
    return r ? r : catalog_commit(c, err);
}
