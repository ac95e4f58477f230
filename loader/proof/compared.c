/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/compared.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compared *
compared_free(struct compared *c)
{
    if (!c)
        return NULL;
    sampling_clear(&c->sampling);
    for (int end = 0; end < PROOF_ENDS; end++)
        aggregates_free(c->aggregates[end]);
    table_pair_clear(&c->pair);
    free(c->reason);
    free(c);
    return NULL;
}

int
compared_conclude(struct compared *c, enum proof_verdict verdict,
                  struct err *err, const char *fmt, ...)
{
    va_list args;
    int n;

    for (int end = 0; end < PROOF_ENDS; end++)
        c->cut[end].is_over = 1;
    if (c->reason) /* the first counts */
        return 0;
    va_start(args, fmt);
    n = vasprintf(&c->reason, fmt, args);
    va_end(args);
    if (n < 0) {
        c->reason = NULL;
        return err_nomem(err);
    }
    c->result.verdict = verdict;
    c->result.reason = c->reason;
    return 0;
}

/* ---- do they fit together? ---- */

static const struct catalog_column *
find_column(const struct catalog_table *t, const char *name)
{
    for (unsigned i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    return NULL;
}

/* A column of a that b does not have. */
static const char *
find_lacking(const struct catalog_table *a, const struct catalog_table *b)
{
    for (unsigned i = 0; i < a->n_columns; i++)
        if (!find_column(b, a->columns[i].name))
            return a->columns[i].name;
    return NULL;
}

static int
conclude_column(struct compared *c, const char *column,
                const struct proof_side *lacking, struct err *err)
{
    return compared_conclude(c, PROOF_DIFFERS, err,
                             "column \"%s\" is missing in the %s", column,
                             proof_side_name(lacking));
}

/* What was copied says nothing of further columns. */
static int
check_columns(struct compared *c, const struct proof_pair *sides,
              struct err *err)
{
    const struct catalog_table *left = c->pair.at[PROOF_LEFT];
    const struct catalog_table *right = c->pair.at[PROOF_RIGHT];
    const char *column = find_lacking(left, right);

    if (column)
        return conclude_column(c, column, sides->at[PROOF_RIGHT], err);
    if (!proof_side_is_server(sides->at[PROOF_LEFT]) &&
        proof_side_is_server(sides->at[PROOF_RIGHT]))
        return 0;
    column = find_lacking(right, left);
    return column ? conclude_column(c, column, sides->at[PROOF_LEFT], err) : 0;
}

static int
same_types(const struct catalog_table *left, const struct catalog_table *right)
{
    for (unsigned i = 0; i < left->n_columns; i++) {
        const struct catalog_column *l = &left->columns[i];
        const struct catalog_column *r = find_column(right, l->name);

        if (!r || strcmp(l->type, r->type) != 0)
            return 0;
    }
    return 1;
}

static int
same_order(const struct catalog_table *left, const struct catalog_table *right)
{
    for (unsigned i = 0; i < left->n_columns; i++)
        if (strcmp(left->columns[i].name, right->columns[i].name) != 0)
            return 0;
    return 1;
}

/* Of bags nobody can choose how they were staged. */
static int
choose_format(struct compared *c, const struct proof_pair *sides,
              struct err *err)
{
    const struct catalog_table *right = c->pair.at[PROOF_RIGHT];

    if (!proof_side_is_server(sides->at[PROOF_RIGHT])) {
        if (right->format != c->table->format || !same_order(c->table, right))
            return compared_conclude(
                c, PROOF_FAILED, err,
                "its rows were not staged in the same form: %s, and %s",
                copy_format_name(c->table->format),
                right->format != c->table->format
                    ? copy_format_name(right->format)
                    : "the columns in another order");
        return 0;
    }
    if (proof_side_is_server(sides->at[PROOF_LEFT]) &&
        (right->format == COPY_TEXT || !same_types(c->table, right)))
        c->table->format = COPY_TEXT;
    return 0;
}

static int
check_pair(struct compared *c, const struct proof_pair *sides, struct err *err)
{
    int r;

    for (int end = 0; end < PROOF_ENDS; end++)
        if (!c->result.is_there[end])
            return compared_conclude(
                c, PROOF_MISSING, err, "it is in the %s only",
                proof_side_name(
                    sides->at[end == PROOF_LEFT ? PROOF_RIGHT : PROOF_LEFT]));
    if (!c->pair.at[PROOF_RIGHT] || c->table->kind != CATALOG_TABLE)
        return 0;
    r = check_columns(c, sides, err);
    return r || c->reason ? r : choose_format(c, sides, err);
}

/* ---- what is known without reading ---- */

static int
add_totals(struct compared *c, struct catalog *catalog, enum proof_end end,
           uint64_t table, struct err *err)
{
    struct chunk_totals totals;
    int r = catalog_table_totals(catalog, table, &totals, err);

    if (r == CATALOG_E_NONE)
        return err_set(err, ERR_CORRUPT,
                       "the run catalogue lacks chunks of table \"%s.%s\"",
                       c->table->schema, c->table->name);
    if (!r)
        digest_add(&c->result.at[end], &totals.digest);
    return r;
}

static int
add_bag(struct compared *c, const struct proof_pair *sides, enum proof_end end,
        struct err *err)
{
    struct catalog *catalog = proof_side_catalog(sides->at[end]);
    const struct catalog_table *t = c->pair.at[end];
    uint64_t table = 0;
    int r;

    c->cut[end].is_over = 1;
    if (!t->root_name)
        return add_totals(c, catalog, end, t->id, err);
    while ((r = catalog_next_of_family(catalog, t, table, &table, err)) == 0) {
        r = add_totals(c, catalog, end, table, err);
        if (r)
            return r;
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
count_tables(struct compared *c, struct catalog *catalog, struct err *err)
{
    uint64_t table = 0;
    int r = 0;

    c->result.n_tables = 1;
    if (!c->table->root_name)
        return 0;
    for (c->result.n_tables = 0; !r; c->result.n_tables += !r)
        r = catalog_next_of_family(catalog, c->table, table, &table, err);
    return r == CATALOG_E_NONE ? 0 : r;
}

/* Of large objects, and of rows that are all the same, none is taken. */
static int
begin_sample(struct compared *c, struct err *err)
{
    const struct proof_pair *sides = c->params->sides;
    struct session *s = proof_side_session(sides->at[PROOF_RIGHT]);
    struct err why;
    int r;

    if (!c->params->sample_ppm || c->table->kind != CATALOG_TABLE ||
        c->table->n_columns == 0)
        return 0;
    c->result.sample_ppm = c->params->sample_ppm;
    r = sampling_begin(&c->sampling,
                       s ? s : proof_side_session(sides->at[PROOF_LEFT]),
                       c->table, proof_side_encoding(sides->at[PROOF_LEFT]),
                       c->params->sample_ppm, err);
    if (!r || err->class != ERR_REFUSED)
        return r;
    why = *err;
    return compared_conclude(c, PROOF_FAILED, err, "%s", why.message);
}

static int
set_up(struct compared *c, struct err *err)
{
    const struct proof_pair *sides = c->params->sides;
    enum proof_end end = c->pair.at[PROOF_LEFT] ? PROOF_LEFT : PROOF_RIGHT;
    int r;

    r = count_tables(c, proof_side_catalog(sides->at[end]), err);
    if (!r)
        r = check_pair(c, sides, err);
    if (!r && !c->reason)
        r = begin_sample(c, err);
    for (int i = 0; i < PROOF_ENDS && !r; i++)
        if (c->pair.at[i] && !proof_side_is_server(sides->at[i]) &&
            !c->params->deep && !c->sampling.table)
            r = add_bag(c, sides, i, err);
    return r;
}

int
compared_new(struct compared **ret, const struct compared_params *p,
             struct table_pair *pair, struct err *err)
{
    const struct proof_pair *sides = p->sides;
    cleanup_(compared_freep) struct compared *c = calloc(1, sizeof *c);
    const struct catalog_table *t;
    int r;

    if (!c)
        return err_nomem(err);
    c->params = p;
    c->pair = *pair;
    *pair = (struct table_pair){0};
    t = c->table = c->pair.at[PROOF_LEFT] ? c->pair.at[PROOF_LEFT]
                                          : c->pair.at[PROOF_RIGHT];
    c->result = (struct proof_table){
        .schema = t->root_name ? t->root_schema : t->schema,
        .name = t->root_name ? t->root_name : t->name,
        .is_there = {c->pair.at[PROOF_LEFT] != NULL,
                     c->pair.at[PROOF_RIGHT] || c->pair.through_root},
    };
    /* Large objects are in every database, be it none. */
    if (t->kind == CATALOG_LARGE_OBJECTS &&
        proof_side_is_server(sides->at[PROOF_RIGHT]))
        c->result.is_there[PROOF_RIGHT] = 1;
    r = set_up(c, err);
    c->result.format = c->table->format;
    if (!r)
        *ret = take(c);
    return r;
}

/* ---- ranges ---- */

void
compared_range_clear(struct compared_range *r)
{
    r->chunk = catalog_chunk_free(r->chunk);
}

int
compared_is_all_out(const struct compared *c)
{
    return c->cut[PROOF_LEFT].is_over && c->cut[PROOF_RIGHT].is_over;
}

/* Whose catalogue says how the table is cut: large objects of a server are cut
   as they are on the left side, since its ranges are all the OIDs there are. */
static enum proof_end
cutter(const struct compared *c, enum proof_end end)
{
    return c->table->kind == CATALOG_LARGE_OBJECTS &&
                   proof_side_is_server(c->params->sides->at[end])
               ? PROOF_LEFT
               : end;
}

static int
next_chunk(struct compared *c, struct catalog *catalog, enum proof_end end,
           struct catalog_chunk **ret, struct err *err)
{
    const struct catalog_table *t = c->pair.at[cutter(c, end)];
    struct compared_cut *cut = &c->cut[end];
    int r = CATALOG_E_NONE;

    if (!cut->table && t->root_name)
        r = catalog_next_of_family(catalog, t, 0, &cut->table, err);
    else if (!cut->table)
        cut->table = t->id;
    if (r < 0)
        return r;
    for (;;) {
        r = catalog_next_range(catalog, cut->table, cut->chunk, ret, err);
        if (!r)
            cut->chunk = (*ret)->id;
        if (r != CATALOG_E_NONE || !t->root_name)
            return r;
        cut->chunk = 0;
        r = catalog_next_of_family(catalog, t, cut->table, &cut->table, err);
        if (r)
            return r;
    }
}

/* At the source the rows of each table are chosen as the run's were; its own
   plan knows of no choice. */
static int
choose_rows(struct compared *c, struct catalog_table *at, struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *left = NULL;
    int r = catalog_table_by_name(
        proof_side_catalog(c->params->sides->at[PROOF_LEFT]), at->schema,
        at->name, &left, err);

    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    free(at->condition);
    at->condition = take(left->condition);
    return 0;
}

/* A condition counts on the right only where other rows than ours are
   expected: in a table of an extension, and at the source. */
static char *
condition_for(const struct compared *c, enum proof_end end,
              const struct catalog_table *at)
{
    return end != PROOF_RIGHT || at->extension ||
                   proof_side_is_source(c->params->sides->at[end])
               ? at->condition
               : NULL;
}

static void
aim(const struct compared *c, struct compared_range *range)
{
    const struct catalog_table *at =
        range->chunk ? range->chunk->table : c->table;

    range->sample = c->sampling.table ? &c->sampling : NULL;
    range->table = *c->table;
    if (!range->chunk || c->table->kind != CATALOG_TABLE)
        return;
    range->table.schema = at->schema;
    range->table.name = at->name;
    range->table.root_schema = range->table.root_name = NULL;
    range->table.condition = condition_for(c, range->end, at);
}

static int
next_of(struct compared *c, enum proof_end end, struct compared_range *ret,
        struct err *err)
{
    struct catalog *catalog =
        proof_side_catalog(c->params->sides->at[cutter(c, end)]);
    int r = 0;

    *ret = (struct compared_range){.end = end};
    if (end == PROOF_RIGHT && c->pair.through_root)
        c->cut[end].is_over = 1;
    else
        r = next_chunk(c, catalog, end, &ret->chunk, err);
    if (!r && ret->chunk && end == PROOF_RIGHT &&
        c->table->kind == CATALOG_TABLE &&
        proof_side_is_source(c->params->sides->at[end]))
        r = choose_rows(c, ret->chunk->table, err);
    if (r)
        return r;
    ret->n_bytes = ret->chunk ? ret->chunk->n_bytes : c->table->n_bytes;
    aim(c, ret);
    return 0;
}

int
compared_next(struct compared *c, struct compared_range *ret, struct err *err)
{
    for (int end = 0; end < PROOF_ENDS; end++) {
        int r;

        if (c->cut[end].is_over)
            continue;
        r = next_of(c, end, ret, err);
        if (r != CATALOG_E_NONE)
            return r;
        c->cut[end].is_over = 1;
    }
    return COMPARED_E_NONE;
}

void
compared_rewind(struct compared *c)
{
    for (int end = 0; end < PROOF_ENDS; end++)
        c->cut[end] = (struct compared_cut){0};
}

/* ---- the end ---- */

int
compared_judge(struct compared *c, struct err *err)
{
    const struct proof_pair *sides = c->params->sides;
    const struct digest *left = &c->result.at[PROOF_LEFT];
    const struct digest *right = &c->result.at[PROOF_RIGHT];

    c->result.layers = 1u << PROOF_COUNTS;
    if (!c->params->counts_only)
        c->result.layers |= 1u << PROOF_DIGESTS;
    if (digest_equal(left, right) ||
        (c->params->counts_only && left->n_rows == right->n_rows))
        return 0;
    if (left->n_rows != right->n_rows)
        return compared_conclude(
            c, PROOF_DIFFERS, err,
            "%" PRIu64 " rows in the %s, %" PRIu64 " in the %s", left->n_rows,
            proof_side_name(sides->at[PROOF_LEFT]), right->n_rows,
            proof_side_name(sides->at[PROOF_RIGHT]));
    return compared_conclude(c, PROOF_DIFFERS, err,
                             "as many rows (%" PRIu64 "), but not the same",
                             left->n_rows);
}
