/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/sample.h"

#include <stdlib.h>

#include "io/clock.h"
#include "loader/catalog/copy_sql.h"
#include "loader/pg/copy_out.h"

static int
read_some(struct session *s, struct sample *ret, struct err *err)
{
    uint64_t begun = clock_ms();
    int r = 0;

    do {
        cleanup_(session_freememp) char *data = NULL;
        size_t len = 0;

        r = copy_out_next(s, &data, &len, err);
        if (!r)
            ret->n_bytes += len;
        ret->ms = clock_ms() - begun;
    } while (!r && ret->ms < SAMPLE_MS);
    if (r == 0)
        copy_out_abandon(s);
    return r == COPY_OUT_E_END ? 0 : r;
}

int
sample_read(struct session *s, const struct catalog_chunk *k,
            struct sample *ret, struct err *err)
{
    const struct copy_sql_range range = copy_sql_range(k);
    cleanup_(freep) char *sql = copy_sql_out(s, k->table, &range);
    int r;

    *ret = (struct sample){0};
    if (!sql)
        return err_nomem(err);
    /* What is cancelled ends its transaction: ours goes on behind. */
    r = session_exec(s, "SAVEPOINT pghaul_sample", err);
    if (!r)
        r = copy_out_begin(s, sql, err);
    if (!r)
        r = read_some(s, ret, err);
    return r ? r : session_exec(s, "ROLLBACK TO SAVEPOINT pghaul_sample", err);
}
