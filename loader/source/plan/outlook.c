/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/outlook.h"

#include <stdlib.h>
#include <string.h>

#include "loader/pg/snapshot.h"

uint64_t
outlook_disk(uint64_t table_bytes)
{
    return table_bytes / 2;
}

static int
count_sequences(struct outlook *o, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(o->catalog, &cursor, &q, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        o->n_sequences++;
    }
}

static int
find_largest(struct outlook *o, struct err *err)
{
    for (; o->n_largest < OUTLOOK_LARGEST; o->n_largest++) {
        struct outlook_table *t = &o->largest[o->n_largest];
        int r = catalog_largest_table(o->catalog, o->n_largest, &t->table,
                                      &t->cut, err);

        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        t->n_rows = -1;
    }
    return 0;
}

/* One that was never analyzed has less than 0 or, before PostgreSQL 14, 0. */
static int
visit_rows(void *arg, const PGresult *row, struct err *err)
{
    struct outlook *o = arg;
    uint32_t oid = (uint32_t)strtoul(PQgetvalue(row, 0, 0), NULL, 10);
    int64_t n =
        PQgetisnull(row, 0, 1) ? -1 : strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    uint64_t id;
    int r = catalog_table_by_oid(o->catalog, oid, &id, err);

    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    if (n < 0)
        o->n_uncounted++;
    else
        o->n_rows += (uint64_t)n;
    for (unsigned i = 0; i < o->n_largest; i++)
        if (o->largest[i].table->id == id)
            o->largest[i].n_rows = n;
    return 0;
}

static int
count_rows(struct outlook *o, struct session *s, struct err *err)
{
    return session_each(s,
                        "SELECT oid, CASE WHEN reltuples > 0 OR reltuples = 0"
                        "  AND relpages > 0 THEN reltuples::int8 END"
                        " FROM pg_catalog.pg_class WHERE relkind = 'r'"
                        " AND relnamespace <>"
                        "  'pg_catalog'::pg_catalog.regnamespace",
                        visit_rows, o, err);
}

/* The rate of one reader times the readers: the source and the network may
   have less for all of them. */
static void
estimate_time(struct outlook *o, unsigned jobs)
{
    double rate;

    if (o->sample.n_bytes < SAMPLE_MIN_BYTES)
        return;
    rate = (double)o->sample.n_bytes / (double)(o->sample.ms + 1) * jobs;
    o->ms = (uint64_t)((double)o->counts.planned_bytes / rate) + 1;
}

/* The largest chunk is what the export would begin with. */
static int
take_sample(struct outlook *o, struct session *s, unsigned jobs,
            struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r = catalog_take_to_export(o->catalog, &k, err);

    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    r = sample_read(s, k, &o->sample, err);
    if (r)
        return r;
    estimate_time(o, jobs);
    if (o->ms > 0)
        o->sampled = take(k->table);
    return 0;
}

static int
look(struct outlook *o, const struct outlook_params *p, struct session *s,
     struct err *err)
{
    struct planner_params plan = p->plan;
    int r = selection_prepare(p->selection, s, err);

    plan.selection = p->selection;
    if (!r)
        r = catalog_open_scratch(&o->catalog, err);
    if (!r)
        r = planner_run(&plan, s, o->catalog, err);
    if (!r)
        r = catalog_count(o->catalog, &o->counts, err);
    if (!r)
        r = count_sequences(o, err);
    if (!r)
        r = find_largest(o, err);
    if (!r)
        r = count_rows(o, s, err);
    if (r)
        return r;
    o->disk_bytes = outlook_disk(o->counts.planned_bytes);
    return take_sample(o, s, p->jobs, err);
}

int
outlook_take(struct outlook *ret, const struct outlook_params *p,
             struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    cleanup_(snapshot_freep) struct snapshot *n = NULL;
    const struct session_params session = {
        .conninfo = p->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "plan",
        .encoding = "UTF8",
        .stop = p->stop,
    };
    int r = session_open(&s, &session, err);

    /* Even the size of a table waits for who holds a stronger lock. */
    if (!r)
        r = session_exec(s, "SET lock_timeout = '2s'", err);
    if (!r)
        r = snapshot_take(&n, s, err);
    if (!r)
        r = look(ret, p, s, err);
    if (r && strcmp(err->sqlstate, "55P03") == 0) /* lock_not_available */
        err_hint(err, "Another session holds a stronger lock on a table: see "
                      "pg_locks at the source.  Try again when it is done, or "
                      "leave the table out.");
    return r;
}

void
outlook_clear(struct outlook *o)
{
    for (unsigned i = 0; i < o->n_largest; i++)
        catalog_table_free(o->largest[i].table);
    catalog_free(o->catalog);
    catalog_table_free(o->sampled);
    *o = (struct outlook){0};
}
