/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/reading.h"

#include <stdlib.h>

#include "formats/chunk.h"
#include "io/reader.h"
#include "loader/bag/staged.h"
#include "loader/catalog/copy_sql.h"
#include "loader/pg/copy_out.h"
#include "loader/source/plan/fingerprint.h"

struct reading {
    struct reading_params params;
    struct session *sessions[PROOF_ENDS]; /* NULL until they are needed */
    struct copy_rows *rows;
    struct chunk_reader *frames;
    uint64_t n_bytes; /* in all */
    size_t untold;    /* bytes that the throttle does not know of */
};

/* Of the rows that come now. */
struct visitor {
    int (*visit)(void *arg, const struct copy_piece *p, struct err *err);
    void *arg;
    uint64_t n_bytes;
    /* Of a bag the sample is taken here. */
    const struct sampling *sample;
    struct copy_field *fields;
    struct copy_row row;
};

int
reading_new(struct reading **ret, const struct reading_params *p,
            struct err *err)
{
    cleanup_(reading_freep) struct reading *g = calloc(1, sizeof *g);
    int r;

    if (!g)
        return err_nomem(err);
    g->params = *p;
    r = copy_rows_new(&g->rows, COPY_TEXT, 0, err);
    if (!r)
        r = chunk_reader_new(&g->frames, err);
    if (!r)
        *ret = take(g);
    return r;
}

struct reading *
reading_free(struct reading *g)
{
    if (!g)
        return NULL;
    for (int end = 0; end < PROOF_ENDS; end++)
        session_free(g->sessions[end]);
    copy_rows_free(g->rows);
    chunk_reader_free(g->frames);
    free(g);
    return NULL;
}

int
reading_open(struct reading *g, struct err *err)
{
    int r = 0;

    for (int end = 0; end < PROOF_ENDS && !r; end++) {
        const struct proof_side *side = g->params.pair->at[end];

        if (proof_side_is_server(side))
            r = proof_side_join(side, &g->sessions[end], err);
    }
    return r;
}

int
reading_session(struct reading *g, enum proof_end end, struct session **ret,
                struct err *err)
{
    int r = proof_side_join(g->params.pair->at[end], &g->sessions[end], err);

    if (!r)
        *ret = g->sessions[end];
    return r;
}

uint64_t
reading_n_bytes(const struct reading *g)
{
    return g->n_bytes;
}

/* ---- bytes that have come ---- */

/* Of a sample, whole rows. */
static int
visit_piece(struct visitor *v, const struct copy_piece *p, struct err *err)
{
    struct copy_piece whole = {.kind = COPY_ROW, .first = 1, .last = 1};
    int r;

    if (p->kind != COPY_ROW)
        return 0;
    if (!v->sample)
        return v->visit(v->arg, p, err);
    r = copy_row_add(&v->row, p, err);
    if (r)
        return r == COPY_ROW_E_MORE ? 0 : r;
    r = sampling_has(v->sample, v->fields, &v->row, err);
    if (r <= 0)
        return r;
    whole.data = v->row.data;
    whole.len = v->row.len;
    return v->visit(v->arg, &whole, err);
}

static int
visit_bytes(struct reading *g, struct visitor *v, const void *data, size_t len,
            struct err *err)
{
    struct copy_piece p;
    int r;

    copy_rows_feed(g->rows, data, len);
    while ((r = copy_rows_next(g->rows, &p, err)) == 0) {
        r = visit_piece(v, &p, err);
        if (r)
            return r;
    }
    if (r != COPY_ROWS_E_MORE)
        return r;
    g->n_bytes += len;
    v->n_bytes += len;
    progress_at(g->params.cell, v->n_bytes, copy_rows_count(g->rows));
    return 0;
}

/* ---- from a server ---- */

/* What is not read fills the socket, and the source stops sending. */
static int
hold_back(struct reading *g, enum proof_end end, size_t len, struct err *err)
{
    size_t n;

    if (!g->params.throttle || end != proof_guarded(g->params.pair))
        return 0;
    n = g->untold += len;
    if (n < THROTTLE_STEP)
        return 0;
    g->untold = 0;
    return throttle_take(g->params.throttle, g->params.seat, n, err);
}

static int
visit_stream(struct reading *g, const struct reading_range *range,
             struct visitor *v, struct err *err)
{
    struct session *s = g->sessions[range->end];
    cleanup_(session_freememp) char *data = NULL;
    size_t len;
    int r;

    for (;;) {
        r = copy_out_next(s, &data, &len, err);
        if (r)
            return r == COPY_OUT_E_END ? copy_rows_end(g->rows, err) : r;
        r = visit_bytes(g, v, data, len, err);
        data = session_freemem(data);
        if (!r)
            r = hold_back(g, range->end, len, err);
        if (r) {
            copy_out_abandon(s);
            return r;
        }
    }
}

static int
read_server(struct reading *g, const struct reading_range *range,
            struct visitor *v, struct err *err)
{
    const struct copy_sql_range where = {
        .lo = range->chunk ? range->chunk->lo : 0,
        .hi = range->chunk ? range->chunk->hi : CATALOG_OPEN_END,
        .condition = range->chunk ? range->chunk->condition : NULL,
        .also = range->sample ? range->sample->condition : NULL,
    };
    cleanup_(freep) char *sql = NULL;
    struct session *s;
    int r;

    r = reading_session(g, range->end, &s, err);
    if (r)
        return r;
    sql = range->table->root_name ? copy_sql_loaded(s, range->table, &where)
                                  : copy_sql_out(s, range->table, &where);
    if (!sql)
        return err_nomem(err);
    r = copy_out_begin(s, sql, err);
    if (!r)
        r = visit_stream(g, range, v, err);
    /* Nobody holds its lock before it is read: it may have been rewritten. */
    if (!r && range->chunk && range->chunk->table->kind == CATALOG_TABLE)
        r = fingerprint_check(s, range->chunk->table, err);
    return r;
}

/* ---- from a bag ---- */

static int
visit_frames(struct reading *g, struct visitor *v, struct err *err)
{
    const unsigned char *data;
    size_t len;
    int r;

    for (;;) {
        r = chunk_reader_next(g->frames, &data, &len, err);
        if (r)
            return r == CHUNK_READER_E_END ? copy_rows_end(g->rows, err) : r;
        r = visit_bytes(g, v, data, len, err);
        if (r)
            return r;
    }
}

static int
read_bag(struct reading *g, const struct reading_range *range,
         struct visitor *v, struct err *err)
{
    const struct proof_side *side = g->params.pair->at[range->end];
    const struct facts *f = proof_side_facts(side);
    const struct staged_source from = {
        .dir = proof_side_dir(side), .identities = proof_side_identities(side)};
    cleanup_(staged_freep) struct staged *file = NULL;
    cleanup_(freep) struct copy_field *fields = NULL;
    int r;

    v->sample = range->sample;
    v->fields = fields = calloc(range->table->n_columns + 1u, sizeof *fields);
    if (!fields)
        return err_nomem(err);
    r = staged_open(&file, &from, range->chunk, err);
    if (!r)
        r = staged_begin(g->frames, file, range->chunk, f->run, err);
    if (!r)
        r = visit_frames(g, v, err);
    copy_row_clear(&v->row);
    return r;
}

int
reading_rows(struct reading *g, const struct reading_range *range,
             int (*visit)(void *arg, const struct copy_piece *p,
                          struct err *err),
             void *arg, struct err *err)
{
    struct visitor v = {.visit = visit, .arg = arg};

    copy_rows_reset(g->rows, range->table->format, range->table->n_columns);
    return proof_side_is_server(g->params.pair->at[range->end])
               ? read_server(g, range, &v, err)
               : read_bag(g, range, &v, err);
}
