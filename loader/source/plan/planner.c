/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/planner.h"

#include "loader/catalog/large_objects.h"
#include "loader/source/plan/left_out.h"
#include "loader/source/plan/plan_large_objects.h"
#include "loader/source/plan/planner_private.h"

int
planner_is_staged(struct planner *p, uint32_t oid, struct err *err)
{
    uint64_t id;
    int r;

    if (p->params->epoch <= 1)
        return 0;
    r = catalog_table_by_oid(p->catalog, oid, &id, err);
    return r == CATALOG_E_NONE ? 0 : r ? r : PLANNER_E_STAGED;
}

/* All large objects are of one epoch. */
static int
plan_objects(struct planner *p, struct err *err)
{
    int r = planner_is_staged(p, LARGE_OBJECTS_OID, err);

    if (r)
        return r == PLANNER_E_STAGED ? 0 : r;
    return p->params->no_large_objects
               ? plan_no_large_objects(p->session, p->catalog, err)
               : plan_large_objects(p->params->epoch, p->params->chunk_size,
                                    p->session, p->catalog, err);
}

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
        r = plan_objects(&p, err);
    if (r || params->only_rows)
        return r ? r : catalog_commit(c, err);
    r = left_out_record(params->selection, s, c, err);
    if (!r)
        r = planner_skips(&p, err);
    if (!r)
        r = planner_sequences(&p, err);
    return r ? r : catalog_commit(c, err);
}
