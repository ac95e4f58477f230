/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
list_tables(const struct counts *x, PGresult **ret, struct err *err)
{
    const char *const values[] = {x->publications};

    return session_query_params(
        x->source,
        "SELECT t.schemaname, t.tablename,"
        " coalesce(pg_catalog.to_jsonb(t) ->> 'rowfilter', 'true')"
        " FROM pg_catalog.pg_publication_tables t"
        " WHERE t.pubname = ANY ($1::text[]) ORDER BY 1, 2",
        1, values, ret, err);
}

/* A row of the list; the filter is SQL of the source's own. */
static int
send_count(struct session *s, const PGresult *tables, int i, struct err *err)
{
    cleanup_(session_freememp) char *table = session_qualified(
        s, PQgetvalue(tables, i, 0), PQgetvalue(tables, i, 1));
    cleanup_(freep) char *sql = NULL;

    if (!table || asprintf(&sql, "SELECT pg_catalog.count(*) FROM %s WHERE %s",
                           table, PQgetvalue(tables, i, 2)) < 0)
        return err_nomem(err);
    return session_send(s, sql, err);
}

static int
take_count(struct session *s, uint64_t *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_finish(s, &res, err);

    if (!r)
        *ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    return r;
}

/* What was sent to one is read, whatever the other says. */
static int
count_both(const struct counts *x, const PGresult *tables, int i,
           uint64_t ret[2], struct err *err)
{
    struct err ignored;
    int r = send_count(x->source, tables, i, err);

    if (r)
        return r;
    r = send_count(x->target, tables, i, err);
    if (r) {
        take_count(x->source, &ret[0], &ignored);
        return r;
    }
    r = take_count(x->source, &ret[0], err);
    return take_count(x->target, &ret[1], r ? &ignored : err) ? -1 : r;
}

static int
refuse(uint64_t n_differ, const char *names, struct err *err)
{
    err_set(err, ERR_DIFFERS,
            "%" PRIu64 " table%s not as many rows in the target as at the "
            "source",
            n_differ, n_differ == 1 ? " has" : "s have");
    err_detail(err, "%s.", names);
    return err_hint(err, "\"pghaul verify\" with --source and --target shows "
                         "the rows.");
}

int
counts_compare(const struct counts *x, uint64_t *ret_n, struct err *err)
{
    cleanup_(session_clearp) PGresult *tables = NULL;
    uint64_t n[2] = {0, 0}, n_differ = 0;
    char names[512] = "";
    int r = list_tables(x, &tables, err);

    for (int i = 0; !r && i < PQntuples(tables); i++) {
        const char *schema = PQgetvalue(tables, i, 0);
        const char *name = PQgetvalue(tables, i, 1);
        size_t len = strlen(names);

        if (x->stop && stop_level(x->stop) != STOP_RUN)
            return err_set(err, ERR_CANCELLED, "interrupted");
        r = count_both(x, tables, i, n, err);
        if (!r && n[0] != n[1] && n_differ++ < 3)
            snprintf(names + len, sizeof names - len,
                     "%s%s.%s: %" PRIu64 " at the source, %" PRIu64
                     " in the target",
                     len ? "; " : "", schema, name, n[0], n[1]);
    }
    if (r)
        return r;
    *ret_n = (uint64_t)PQntuples(tables);
    return n_differ ? refuse(n_differ, names, err) : 0;
}
