/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/plan_large_objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/catalog/large_objects.h"

enum {
    OBJECTS_MAX = 100000,  /* in a chunk, however small they are */
    GROUP = 1000,          /* objects that are counted as one */
    METADATA_BYTES = 64,   /* of an object; an estimate */
    OBJECT_OVERHEAD = 100, /* what an empty one costs, about */
};

/* Object by object: oid, 1, bytes. */
static const char measured[] =
    "SELECT x.oid, 1, x.size FROM" LARGE_OBJECTS_SIZES("true");

/* Groups: their first oid, how many, bytes. */
static const char counted[] =
    "SELECT oid, %" PRIu64 ", %" PRIu64 " FROM (SELECT oid,"
    "  pg_catalog.row_number() OVER (ORDER BY oid) AS n"
    "  FROM pg_catalog.pg_largeobject_metadata) AS x"
    " WHERE n %% %" PRIu64 " = 1 ORDER BY oid";

struct all {
    uint64_t n;
    uint64_t n_bytes;
};

static int
count_all(struct session *s, struct all *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(s,
                      "SELECT pg_catalog.count(*), pg_catalog.pg_relation_size("
                      "'pg_catalog.pg_largeobject')"
                      " FROM pg_catalog.pg_largeobject_metadata",
                      &res, err);
    if (r)
        return r;
    ret->n = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    ret->n_bytes = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
    return 0;
}

/* ---- cutting ---- */

struct cut {
    struct catalog *catalog;
    unsigned epoch;
    uint64_t table;
    uint64_t chunk_size;
    uint64_t n_max; /* objects of a chunk */
    /* The chunk that is growing: from lo on. */
    uint64_t lo, n, n_bytes;
};

static int
end_chunk(struct cut *c, uint64_t hi, struct err *err)
{
    struct catalog_chunk k = {.lo = c->lo, .hi = hi, .n_bytes = c->n_bytes};

    c->lo = hi;
    c->n = 0;
    c->n_bytes = 0;
    return catalog_add_chunk(c->catalog, c->table, &k, err);
}

static int
visit(void *arg, const PGresult *row, struct err *err)
{
    struct cut *c = arg;
    uint64_t oid = strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    uint64_t n = strtoull(PQgetvalue(row, 0, 1), NULL, 10);
    uint64_t n_bytes = strtoull(PQgetvalue(row, 0, 2), NULL, 10);
    int r = 0;

    n_bytes += n * OBJECT_OVERHEAD;
    if (c->n > 0 &&
        (c->n + n > c->n_max || c->n_bytes + n_bytes > c->chunk_size))
        r = end_chunk(c, oid, err);
    c->n += n;
    c->n_bytes += n_bytes;
    return r;
}

static int
plan_kind(struct catalog_table *t, struct session *s, struct cut *cut,
          const char *sql, struct err *err)
{
    int r;

    t->epoch = cut->epoch;
    r = catalog_add_table(cut->catalog, t, err);
    cut->table = t->id;
    if (!r)
        r = session_each(s, sql, visit, cut, err);
    return r ? r : end_chunk(cut, CATALOG_OPEN_END, err);
}

static int
plan_contents(const struct all *all, struct session *s, struct cut cut,
              struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    char sql[512];
    int r;

    r = large_objects_table(CATALOG_LARGE_OBJECTS, &t, err);
    if (r)
        return r;
    t->n_bytes = all->n_bytes;
    cut.n_max = OBJECTS_MAX;
    if (all->n <= PLAN_LARGE_OBJECTS_MEASURED)
        return plan_kind(t, s, &cut, measured, err);
    snprintf(sql, sizeof sql, counted, (uint64_t)GROUP,
             all->n_bytes / all->n * GROUP, (uint64_t)GROUP);
    return plan_kind(t, s, &cut, sql, err);
}

/* Small, so that it is exported last: it is loaded last. */
static int
plan_metadata(const struct all *all, struct session *s, struct cut cut,
              struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    char sql[512];
    int r;

    r = large_objects_table(CATALOG_LARGE_OBJECT_METADATA, &t, err);
    if (r)
        return r;
    t->n_bytes = all->n * METADATA_BYTES;
    cut.n_max = OBJECTS_MAX;
    cut.chunk_size = UINT64_MAX;
    snprintf(sql, sizeof sql, counted, (uint64_t)GROUP,
             (uint64_t)METADATA_BYTES * GROUP, (uint64_t)GROUP);
    return plan_kind(t, s, &cut, sql, err);
}

int
plan_large_objects(unsigned epoch, uint64_t chunk_size, struct session *s,
                   struct catalog *c, struct err *err)
{
    const struct cut cut = {
        .catalog = c, .epoch = epoch, .chunk_size = chunk_size};
    struct all all;
    int r = count_all(s, &all, err);

    if (r || all.n == 0)
        return r;
    r = plan_contents(&all, s, cut, err);
    return r ? r : plan_metadata(&all, s, cut, err);
}

int
plan_no_large_objects(struct session *s, struct catalog *c, struct err *err)
{
    char kind[] = "large objects", schema[] = "", name[24];
    char reason[] = "left out as you asked";
    const struct catalog_skip skip = {
        .kind = kind,
        .schema = schema,
        .name = name,
        .reason = reason,
        .harmless = 1,
    };
    struct all all;
    int r = count_all(s, &all, err);

    if (r || all.n == 0)
        return r;
    snprintf(name, sizeof name, "%" PRIu64, all.n);
    return catalog_add_skip(c, &skip, err);
}
