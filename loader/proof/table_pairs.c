/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/table_pairs.h"

#include <stdlib.h>
#include <string.h>

struct table_pairs {
    const struct proof_pair *pair;
    uint64_t last[PROOF_ENDS]; /* number of the table that came last */
    int left_is_over;
    unsigned char *seen; /* a bit a table of the right side */
    uint64_t n_seen;     /* bits that there are */
};

void
table_pair_clear(struct table_pair *p)
{
    for (int end = 0; end < PROOF_ENDS; end++)
        catalog_table_free(p->at[end]);
    *p = (struct table_pair){0};
}

int
table_pairs_new(struct table_pairs **ret, const struct proof_pair *pair,
                struct err *err)
{
    struct table_pairs *p = calloc(1, sizeof *p);

    if (!p)
        return err_nomem(err);
    p->pair = pair;
    *ret = p;
    return 0;
}

struct table_pairs *
table_pairs_free(struct table_pairs *p)
{
    if (p)
        free(p->seen);
    free(p);
    return NULL;
}

static struct catalog *
catalog_of(const struct table_pairs *p, enum proof_end end)
{
    return proof_side_catalog(p->pair->at[end]);
}

/* ---- what was asked for ---- */

static int
see(struct table_pairs *p, uint64_t table, struct err *err)
{
    uint64_t n = (table / 8 + 1) * 2; /* bytes */
    unsigned char *seen = p->seen;

    if (table >= p->n_seen) {
        seen = realloc(p->seen, n);
        if (!seen)
            return err_nomem(err);
        memset(seen + p->n_seen / 8, 0, n - p->n_seen / 8);
        p->seen = seen;
        p->n_seen = n * 8;
    }
    seen[table / 8] |= (unsigned char)(1u << table % 8);
    return 0;
}

static int
is_seen(const struct table_pairs *p, uint64_t table)
{
    return table < p->n_seen && p->seen[table / 8] >> table % 8 & 1;
}

/* ---- the partner of a table of the left side ---- */

/* All partitions that the right side has below the root, whatever it thinks
   of them. */
static int
see_leaves(struct table_pairs *p, const struct catalog_table *t,
           struct err *err)
{
    const char *const name[] = {t->root_schema, t->root_name};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query_params(
        proof_side_session(p->pair->at[PROOF_RIGHT]),
        "SELECT t.relid::pg_catalog.oid FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
        " pg_catalog.pg_partition_tree(c.oid) t"
        " WHERE n.nspname = $1 AND c.relname = $2 AND t.isleaf",
        2, name, &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++) {
        uint64_t id;

        r = catalog_table_by_oid(
            catalog_of(p, PROOF_RIGHT),
            (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10), &id, err);
        if (!r)
            r = see(p, id, err);
        else if (r == CATALOG_E_NONE)
            r = 0;
    }
    return r;
}

static int
find_family(struct table_pairs *p, struct table_pair *pair, struct err *err)
{
    const struct catalog_table *t = pair->at[PROOF_LEFT];
    struct catalog *c = catalog_of(p, PROOF_RIGHT);
    uint64_t first = 0, id = 0;
    int r;

    while ((r = catalog_next_of_family(c, t, id, &id, err)) == 0) {
        first = first ? first : id;
        r = see(p, id, err);
        if (r)
            return r;
    }
    if (r != CATALOG_E_NONE)
        return r;
    if (first)
        return catalog_find_table(c, first, &pair->at[PROOF_RIGHT], err);
    pair->through_root = proof_side_is_server(p->pair->at[PROOF_RIGHT]);
    return pair->through_root ? see_leaves(p, t, err) : 0;
}

static int
find_partner(struct table_pairs *p, struct table_pair *pair, struct err *err)
{
    const struct catalog_table *t = pair->at[PROOF_LEFT];
    int r;

    if (t->root_name)
        return find_family(p, pair, err);
    r = catalog_table_by_name(catalog_of(p, PROOF_RIGHT), t->schema, t->name,
                              &pair->at[PROOF_RIGHT], err);
    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    return see(p, pair->at[PROOF_RIGHT]->id, err);
}

/* ---- one after the other ---- */

/* Of a family the first alone; of large objects the contents. */
static int
is_one_of_ours(const struct table_pairs *p, enum proof_end end,
               const struct catalog_table *t, int *ret, struct err *err)
{
    uint64_t first = t->id;
    int r = 0;

    if (t->root_name)
        r = catalog_next_of_family(catalog_of(p, end), t, 0, &first, err);
    *ret = first == t->id && t->kind != CATALOG_LARGE_OBJECT_METADATA &&
           (end == PROOF_LEFT || !is_seen(p, t->id));
    return r;
}

static int
next_of(struct table_pairs *p, enum proof_end end, struct catalog_table **ret,
        struct err *err)
{
    int ours = 0, r;

    do {
        *ret = catalog_table_free(*ret);
        r = catalog_next_table(catalog_of(p, end), p->last[end], ret, err);
        if (r)
            return r;
        p->last[end] = (*ret)->id;
        r = is_one_of_ours(p, end, *ret, &ours, err);
    } while (!r && !ours);
    return r;
}

static int
next_of_right(struct table_pairs *p, struct table_pair *pair, struct err *err)
{
    if (p->pair->is_partial)
        return CATALOG_E_NONE;
    return next_of(p, PROOF_RIGHT, &pair->at[PROOF_RIGHT], err);
}

static int
next_pair(struct table_pairs *p, struct table_pair *pair, struct err *err)
{
    int r;

    if (!p->left_is_over) {
        r = next_of(p, PROOF_LEFT, &pair->at[PROOF_LEFT], err);
        if (r != CATALOG_E_NONE)
            return r ? r : find_partner(p, pair, err);
        p->left_is_over = 1;
    }
    return next_of_right(p, pair, err);
}

int
table_pairs_next(struct table_pairs *p, struct table_pair *ret, struct err *err)
{
    struct table_pair pair = {0};
    int r = next_pair(p, &pair, err);

    if (!r) {
        *ret = pair;
        return 0;
    }
    table_pair_clear(&pair);
    return r == CATALOG_E_NONE ? TABLE_PAIRS_E_NONE : r;
}
