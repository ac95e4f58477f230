/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/proof_record.h"

#include <time.h>

#include "loader/catalog/proven.h"
#include "loader/pg/place.h"

static int
ask_target(struct workplace *w, struct place *ret, struct err *err)
{
    const struct session_params p = {
        .conninfo = w->ctx->options->target,
        .side = SESSION_TARGET,
        .purpose = "verify",
        .stop = w->ctx->stop,
    };
    cleanup_(session_freep) struct session *s = NULL;
    int r = session_open(&s, &p, err);

    return r ? r : place_ask(ret, s, err);
}

int
proof_record(struct workplace *w, int equal, uint64_t n_tables, uint64_t n_rows,
             struct err *err)
{
    struct place target;
    int r = ask_target(w, &target, err);
    const struct proven p = {
        .equal = equal,
        .at = (int64_t)time(NULL),
        .system_id = target.system_id,
        .database = target.database,
        .n_tables = n_tables,
        .n_rows = n_rows,
    };

    return r ? r : proven_write(&p, w->catalog, err);
}
