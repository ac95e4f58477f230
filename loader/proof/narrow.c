/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/narrow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/proof/row_text.h"
#include "loader/proof/spill.h"

enum {
    N_BUCKETS = 1 << 16,
    SMALL = 32 << 20, /* bytes of both sides: to spill all is cheaper */
};

struct bucket {
    struct digest at[PROOF_ENDS];
};

struct search {
    struct narrow *narrow;
    struct reading *reading;
    struct bucket *buckets; /* NULL: all are of interest */
    struct spill *spill;
    struct copy_row row;
    struct copy_field *fields[PROOF_ENDS];
    enum proof_end end; /* that is being read */
    struct row_text text;
};

/* ---- what is to be searched ---- */

static int
add_range(struct narrow *n, const struct compared_range *range, struct err *err)
{
    struct compared_range *ranges =
        reallocarray(n->ranges, n->n_ranges + 1, sizeof *ranges);

    if (!ranges)
        return err_nomem(err);
    n->ranges = ranges;
    ranges[n->n_ranges++] = *range;
    n->n_bytes += range->chunk && range->chunk->totals.raw_len
                      ? range->chunk->totals.raw_len
                      : range->n_bytes;
    return 0;
}

static int
list_ranges(struct narrow *n, struct compared *c, struct err *err)
{
    struct compared_range range;
    int r;

    compared_rewind(c);
    while ((r = compared_next(c, &range, err)) == 0) {
        r = add_range(n, &range, err);
        if (r) {
            compared_range_clear(&range);
            return r;
        }
    }
    return r == COMPARED_E_NONE ? 0 : r;
}

/* The right one, if it can: what is to be mended knows its types best. */
static int
find_key(struct narrow *n, const struct compared *c, struct err *err)
{
    for (int end = PROOF_RIGHT; end >= PROOF_LEFT && !n->has_server; end--) {
        n->has_server = proof_side_is_server(n->pair->at[end]);
        n->server = end;
    }
    if (c->table->kind == CATALOG_LARGE_OBJECTS)
        return row_key_of_large_objects(&n->key, err);
    return n->has_server
               ? row_key_read(&n->key,
                              proof_side_session(n->pair->at[n->server]),
                              c->table, err)
               : 0;
}

/* Values that nobody can make text of cannot be written as SQL. */
static void
check_repair(struct narrow *n)
{
    if (n->table->format == COPY_TEXT)
        return;
    for (unsigned i = 0; i < n->table->n_columns; i++)
        if (!n->key.types || !n->key.types[i])
            n->cannot_repair = 1;
    n->wants_repair = n->wants_repair && !n->cannot_repair;
}

int
narrow_prepare(struct narrow *n, struct compared *c, unsigned wanted,
               int wants_repair, struct err *err)
{
    int r;

    *n = (struct narrow){
        .pair = c->params->sides,
        .table = c->table,
        .n_wanted = wanted,
        .wants_repair = wants_repair && c->table->kind == CATALOG_TABLE,
    };
    memcpy(n->at, c->result.at, sizeof n->at);
    r = list_ranges(n, c, err);
    if (!r)
        r = find_key(n, c, err);
    check_repair(n);
    if (c->sampling.table)
        n->n_bytes = (uint64_t)((double)n->n_bytes * c->params->sample_ppm /
                                SAMPLING_ALL);
    return r;
}

/* ---- reading both sides ---- */

static int
read_all(struct search *s,
         int (*visit)(void *arg, const struct copy_piece *p, struct err *err),
         struct err *err)
{
    struct narrow *n = s->narrow;
    int r = 0;

    for (size_t i = 0; i < n->n_ranges && !r; i++) {
        const struct reading_range range = {
            .end = n->ranges[i].end,
            .table = &n->ranges[i].table,
            .chunk = n->ranges[i].chunk,
            .sample = n->ranges[i].sample,
        };

        s->end = range.end;
        r = reading_rows(s->reading, &range, visit, s, err);
    }
    return r;
}

static struct bucket *
bucket_of(struct search *s, const struct digest *row)
{
    return &s->buckets[row->sum_lo % N_BUCKETS];
}

static int
fill_bucket(void *arg, const struct copy_piece *p, struct err *err)
{
    struct search *s = arg;
    struct digest row;
    int r = copy_row_add(&s->row, p, err);

    if (r)
        return r == COPY_ROW_E_MORE ? 0 : r;
    row = digest_row(s->row.data, s->row.len);
    digest_add(&bucket_of(s, &row)->at[s->end], &row);
    return 0;
}

static int
spill_row(void *arg, const struct copy_piece *p, struct err *err)
{
    struct search *s = arg;
    struct digest row, key;
    int r = copy_row_add(&s->row, p, err);

    if (r)
        return r == COPY_ROW_E_MORE ? 0 : r;
    row = digest_row(s->row.data, s->row.len);
    if (s->buckets) {
        const struct bucket *b = bucket_of(s, &row);

        if (digest_equal(&b->at[PROOF_LEFT], &b->at[PROOF_RIGHT]))
            return 0;
    }
    r = row_key_digest(&s->narrow->key, s->narrow->table, &s->row, s->fields[0],
                       &key, err);
    return r ? r
             : spill_add(s->spill, s->end, &key, &row, s->row.data, s->row.len,
                         err);
}

/* ---- what is told ---- */

static int
split(struct search *s, const struct spill_difference *d, int end,
      struct err *err)
{
    const struct catalog_table *t = s->narrow->table;

    return copy_row_split(d->at[end].data, d->at[end].len, t->format,
                          t->n_columns, s->fields[end], err);
}

static unsigned
count_differing(const struct search *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->narrow->table->n_columns; i++)
        n += !copy_fields_equal(&s->fields[PROOF_LEFT][i],
                                &s->fields[PROOF_RIGHT][i]);
    return n;
}

static int
add_values(struct search *s, struct narrow_row *to, struct err *err)
{
    const struct catalog_table *t = s->narrow->table;
    unsigned n = 0;
    int r = 0;

    to->values = calloc(count_differing(s) + 1, sizeof *to->values);
    if (!to->values)
        return err_nomem(err);
    to->row.columns = to->values;
    for (unsigned i = 0; i < t->n_columns && !r; i++) {
        if (copy_fields_equal(&s->fields[PROOF_LEFT][i],
                              &s->fields[PROOF_RIGHT][i]))
            continue;
        to->values[n].column = t->columns[i].name;
        to->row.n_columns = n + 1;
        for (int end = 0; end < PROOF_ENDS && !r; end++)
            r = row_text_shown(&s->text, i, &s->fields[end][i],
                               (char **)&to->values[n].at[end], err);
        n++;
    }
    return r;
}

static int
show(struct search *s, const struct spill_difference *d, struct err *err)
{
    struct narrow *n = s->narrow;
    struct narrow_row *to = &n->rows[n->n_rows++];
    int end = d->kind == PROOF_ROW_EXTRA ? PROOF_RIGHT : PROOF_LEFT;
    int r;

    *to = (struct narrow_row){.row = {.kind = d->kind, .n = d->n}};
    r = row_text_key(&s->text, s->fields[end], (char **)&to->row.key, err);
    if (!r && d->kind == PROOF_ROW_DIFFERING)
        r = add_values(s, to, err);
    return r;
}

static int
repair(struct search *s, const struct spill_difference *d, struct err *err)
{
    FILE **to = &s->narrow->repair[d->kind];

    if (!*to)
        *to = tmpfile();
    if (!*to)
        return err_sys(err, errno, "could not make a temporary file");
    switch (d->kind) {
    case PROOF_ROW_MISSING:
        return row_text_insert(&s->text, s->fields[PROOF_LEFT], d->n, *to, err);
    case PROOF_ROW_EXTRA:
        return row_text_delete(&s->text, s->fields[PROOF_RIGHT], d->n, *to,
                               err);
    default:
        return row_text_update(&s->text, s->fields[PROOF_LEFT],
                               s->fields[PROOF_RIGHT], *to, err);
    }
}

static int
tell(void *arg, const struct spill_difference *d, struct err *err)
{
    struct search *s = arg;
    struct narrow *n = s->narrow;
    int r = 0;

    n->n[d->kind] += d->n;
    if (!d->at[PROOF_LEFT].data && !d->at[PROOF_RIGHT].data)
        return 0;
    if (n->n_rows >= n->n_wanted && !n->wants_repair)
        return 0;
    for (int end = 0; end < PROOF_ENDS && !r; end++)
        if (d->at[end].data)
            r = split(s, d, end, err);
    if (!r && n->n_rows < n->n_wanted)
        r = show(s, d, err);
    return r || !n->wants_repair ? r : repair(s, d, err);
}

/* ---- all of it ---- */

static void
forget_found(struct narrow *n)
{
    for (unsigned i = 0; i < n->n_rows; i++) {
        struct narrow_row *row = &n->rows[i];

        for (unsigned k = 0; k < row->row.n_columns; k++)
            for (int end = 0; end < PROOF_ENDS; end++)
                free((char *)row->values[k].at[end]);
        free(row->values);
        free((char *)row->row.key);
    }
    free(n->rows);
    n->rows = NULL;
    n->n_rows = 0;
    for (int kind = 0; kind < PROOF_N_ROW_KINDS; kind++) {
        if (n->repair[kind])
            fclose(n->repair[kind]);
        n->repair[kind] = NULL;
        n->n[kind] = 0;
    }
}

void
narrow_clear(struct narrow *n)
{
    forget_found(n);
    for (size_t i = 0; i < n->n_ranges; i++)
        compared_range_clear(&n->ranges[i]);
    free(n->ranges);
    row_key_clear(&n->key);
}

static int
prepare(struct search *s, struct err *err)
{
    struct narrow *n = s->narrow;
    unsigned n_fields = n->table->n_columns ? n->table->n_columns : 1;

    for (int end = 0; end < PROOF_ENDS; end++) {
        s->fields[end] = calloc(n_fields, sizeof *s->fields[end]);
        if (!s->fields[end])
            return err_nomem(err);
    }
    n->rows = calloc(n->n_wanted + 1u, sizeof *n->rows);
    if (!n->rows)
        return err_nomem(err);
    s->text = (struct row_text){.table = n->table, .key = &n->key};
    return n->has_server
               ? reading_session(s->reading, n->server, &s->text.session, err)
               : 0;
}

/* Fills the buckets, and says how much the interesting ones hold. */
static int
find_buckets(struct search *s, struct spill_params *size, struct err *err)
{
    uint64_t n_rows = size->n_rows ? size->n_rows : 1;
    int r;

    s->buckets = calloc(N_BUCKETS, sizeof *s->buckets);
    if (!s->buckets)
        return err_nomem(err);
    r = read_all(s, fill_bucket, err);
    size->n_rows = 0;
    for (unsigned i = 0; i < N_BUCKETS && !r; i++) {
        const struct bucket *b = &s->buckets[i];

        if (!digest_equal(&b->at[PROOF_LEFT], &b->at[PROOF_RIGHT]))
            size->n_rows +=
                b->at[PROOF_LEFT].n_rows + b->at[PROOF_RIGHT].n_rows;
    }
    size->n_bytes = (uint64_t)((double)size->n_bytes * (double)size->n_rows /
                               (double)n_rows);
    return r;
}

static int
find(struct search *s, struct err *err)
{
    struct narrow *n = s->narrow;
    struct spill_params size = {
        .n_rows = n->at[PROOF_LEFT].n_rows + n->at[PROOF_RIGHT].n_rows,
        .n_bytes = n->n_bytes,
    };
    int r = prepare(s, err);

    if (!r && n->n_bytes > SMALL)
        r = find_buckets(s, &size, err);
    if (!r)
        r = spill_new(&s->spill, &size, err);
    if (!r)
        r = read_all(s, spill_row, err);
    if (!r)
        r = spill_join(s->spill, tell, s, err);
    if (!r)
        n->is_partial = spill_is_partial(s->spill);
    return r;
}

int
narrow_find(struct narrow *n, struct reading *reading, struct err *err)
{
    struct search s = {.narrow = n, .reading = reading};
    int r;

    forget_found(n);
    r = find(&s, err);
    copy_row_clear(&s.row);
    for (int end = 0; end < PROOF_ENDS; end++)
        free(s.fields[end]);
    free(s.buckets);
    spill_free(s.spill);
    return r;
}
