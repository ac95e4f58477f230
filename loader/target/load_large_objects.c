/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/load_large_objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_FIELDS = 3,
    OID_OF_OID = 26, /* pg_type's numbers, the same everywhere */
    OID_OF_INT8 = 20,
    OID_OF_BYTEA = 17,
    STATEMENTS_MAX = 200, /* of a transaction: each locks an object */
};

struct growing {
    char *at;
    size_t len, room;
};

/* What one statement, or one transaction, will do. */
struct load_batch {
    struct growing fields[N_FIELDS]; /* as elements of arrays, in binary */
    unsigned n;
    const struct catalog_chunk *chunk;
    struct growing sql; /* n statements, one behind the other */
    size_t starts[STATEMENTS_MAX + 1];
    uint32_t objects[STATEMENTS_MAX];
};

struct load_batch *
load_batch_free(struct load_batch *b)
{
    if (!b)
        return NULL;
    for (unsigned i = 0; i < N_FIELDS; i++)
        free(b->fields[i].at);
    free(b->sql.at);
    free(b);
    return NULL;
}

static int
append(struct growing *g, const void *data, size_t len, struct err *err)
{
    size_t room = g->room ? g->room : 4096;
    char *grown;

    while (room < g->len + len)
        room *= 2;
    if (room != g->room) {
        grown = realloc(g->at, room);
        if (!grown)
            return err_nomem(err);
        g->at = grown;
        g->room = room;
    }
    memcpy(g->at + g->len, data, len);
    g->len += len;
    return 0;
}

static void
put_u32(void *to, uint32_t n)
{
    unsigned char *b = to;

    b[0] = (unsigned char)(n >> 24);
    b[1] = (unsigned char)(n >> 16);
    b[2] = (unsigned char)(n >> 8);
    b[3] = (unsigned char)n;
}

static uint32_t
get_u32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

/* ---- rows ---- */

/* A field of a row: its length (4 bytes) and its bytes. */
struct field {
    const unsigned char *at;
    uint32_t len; /* of the bytes */
};

static int
malformed(const struct load_batch *b, struct err *err)
{
    err_set(err, ERR_CORRUPT, "\"%s\" does not hold large objects",
            b->chunk->file);
    return err_detail(err, "A row of it has other fields.");
}

/* copy_rows has seen that the lengths fit into the row. */
static int
read_fields(const struct load_batch *b, const struct copy_piece *row,
            struct field ret[N_FIELDS], struct err *err)
{
    const unsigned char *at = row->data + 2;

    if (!row->first || !row->last)
        return malformed(b, err);
    for (unsigned i = 0; i < N_FIELDS; i++) {
        ret[i] = (struct field){.at = at, .len = get_u32(at)};
        if (ret[i].len > INT32_MAX)
            return malformed(b, err); /* null */
        at += 4 + ret[i].len;
    }
    return ret[0].len == 4 ? 0 : malformed(b, err);
}

/* Read the rows of a frame, and digest them. */
static int
each_row(struct load_chunk *w, const unsigned char *raw, size_t len,
         int (*visit)(struct load_chunk *w, const struct field row[N_FIELDS],
                      struct err *err),
         struct err *err)
{
    struct field row[N_FIELDS];
    struct copy_piece piece;
    int r;

    copy_rows_feed(w->rows, raw, len);
    for (;;) {
        r = copy_rows_next(w->rows, &piece, err);
        if (r)
            return r == COPY_ROWS_E_MORE ? 0 : r;
        digester_piece(w->digester, &piece);
        if (piece.kind != COPY_ROW)
            continue;
        r = read_fields(w->batch, &piece, row, err);
        if (!r)
            r = visit(w, row, err);
        if (r)
            return r;
    }
}

static int
begin(struct load_chunk *w, const struct catalog_chunk *k, struct err *err)
{
    if (!w->batch)
        w->batch = calloc(1, sizeof *w->batch);
    if (!w->batch)
        return err_nomem(err);
    w->batch->chunk = k;
    w->batch->n = 0;
    w->batch->sql.len = 0;
    return 0;
}

/* ---- contents ---- */

/* One dimension, no nulls, the elements' type, how many, from 1 on. */
static int
begin_arrays(struct load_batch *b, struct err *err)
{
    static const uint32_t types[] = {OID_OF_OID, OID_OF_INT8, OID_OF_BYTEA};
    unsigned char head[20];
    int r = 0;

    b->n = 0;
    for (unsigned i = 0; i < N_FIELDS && !r; i++) {
        put_u32(head, 1);
        put_u32(head + 4, 0);
        put_u32(head + 8, types[i]);
        put_u32(head + 12, 0);
        put_u32(head + 16, 1);
        b->fields[i].len = 0;
        r = append(&b->fields[i], head, sizeof head, err);
    }
    return r;
}

static int
take_piece(struct load_chunk *w, const struct field row[N_FIELDS],
           struct err *err)
{
    struct load_batch *b = w->batch;
    int r = 0;

    if (row[1].len != 8)
        return malformed(b, err);
    for (unsigned i = 0; i < N_FIELDS && !r; i++)
        r = append(&b->fields[i], row[i].at, 4 + (size_t)row[i].len, err);
    b->n++;
    return r;
}

/* unique_violation: its detail has the number in all languages. */
static int
explain(struct err *err)
{
    const char *at = strstr(err->detail, "(oid)=(");
    char oid[16];

    if (strcmp(err->sqlstate, "23505") != 0 || !at)
        return -1;
    snprintf(oid, sizeof oid, "%" PRIu64,
             (uint64_t)strtoull(at + strlen("(oid)=("), NULL, 10));
    err_set(err, ERR_REFUSED, "large object %s exists in the target already",
            oid);
    return err_hint(err, "Nothing of it was changed.  Make the target database "
                         "anew, or unlink its large objects, and load again.");
}

/*
 * The first piece of an object makes it; COPY has kept the order.  Nothing is
 * written over what is there: lo_from_bytea() fails then.
 */
static int
put_pieces(struct load_chunk *w, struct err *err)
{
    static const char sql[] =
        "SELECT pg_catalog.count(CASE WHEN o = 0"
        " THEN pg_catalog.lo_from_bytea(oid, data)::text"
        " ELSE pg_catalog.lo_put(oid, o, data)::text END)"
        " FROM ROWS FROM (pg_catalog.unnest($1::oid[]),"
        "  pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::bytea[]))"
        " AS x (oid, o, data)";
    struct load_batch *b = w->batch;
    struct session_value values[N_FIELDS];

    for (unsigned i = 0; i < N_FIELDS; i++) {
        put_u32(b->fields[i].at + 12, b->n);
        values[i].data = b->fields[i].at;
        values[i].len = b->fields[i].len;
    }
    return session_exec_binary(w->session, sql, N_FIELDS, values, err)
               ? explain(err)
               : 0;
}

static int
put_frame(struct load_chunk *w, const unsigned char *raw, size_t len,
          struct err *err)
{
    int r;

    r = begin_arrays(w->batch, err);
    if (!r)
        r = each_row(w, raw, len, take_piece, err);
    return r || w->batch->n == 0 ? r : put_pieces(w, err);
}

int
load_large_objects(struct load_chunk *w, const struct catalog_chunk *k,
                   struct err *err)
{
    int r;

    r = begin(w, k, err);
    if (!r)
        r = load_chunk_each_frame(w, put_frame, err);
    return r ? r : load_chunk_check(w, k, err);
}

/* ---- metadata ---- */

/* Statements [from, to) of the batch in a transaction. */
static int
execute(struct load_chunk *w, unsigned from, unsigned to, struct err *err)
{
    const struct load_batch *b = w->batch;
    size_t start = b->starts[from], len = b->starts[to] - start;
    char *sql = strndup(b->sql.at + start, len);
    struct err ignored;
    int r;

    if (!sql)
        return err_nomem(err);
    r = session_exec(w->session, "BEGIN; SET LOCAL synchronous_commit = off",
                     err);
    if (!r)
        r = session_exec(w->session, sql, err);
    free(sql);
    if (!r)
        return session_exec(w->session, "COMMIT", err);
    session_exec(w->session, "ROLLBACK", &ignored);
    return r;
}

/* One by one, when one of them fails, to find which. */
static int
execute_alone(struct load_chunk *w, struct err *err)
{
    const struct load_batch *b = w->batch;

    for (unsigned i = 0; i < b->n; i++) {
        if (execute(w, i, i + 1, err)) {
            err_detail(err, "It belongs to large object %" PRIu32 ".",
                       b->objects[i]);
            load_lane_hint_roles(err);
            return -1;
        }
    }
    return 0;
}

static int
execute_batch(struct load_chunk *w, struct err *err)
{
    struct load_batch *b = w->batch;
    int r = 0;

    b->starts[b->n] = b->sql.len;
    if (b->n > 0)
        r = execute(w, 0, b->n, err);
    if (r && session_retry_class(err) == SESSION_RETRY_NEVER)
        r = execute_alone(w, err);
    b->n = 0;
    b->sql.len = 0;
    return r;
}

static int
is_text(const struct field *f, const char *text)
{
    return f->len == strlen(text) && memcmp(f->at + 4, text, f->len) == 0;
}

static int
take_statement(struct load_chunk *w, const struct field row[N_FIELDS],
               struct err *err)
{
    struct load_batch *b = w->batch;
    int r;

    if ((w->lane->no_owner && is_text(&row[1], "OWNER")) ||
        (w->lane->no_acl && is_text(&row[1], "ACL")))
        return 0;
    if (memchr(row[2].at + 4, 0, row[2].len))
        return malformed(b, err);
    b->objects[b->n] = get_u32(row[0].at + 4);
    b->starts[b->n++] = b->sql.len;
    r = append(&b->sql, row[2].at + 4, row[2].len, err);
    return r || b->n < STATEMENTS_MAX ? r : execute_batch(w, err);
}

static int
take_statements(struct load_chunk *w, const unsigned char *raw, size_t len,
                struct err *err)
{
    return each_row(w, raw, len, take_statement, err);
}

int
load_large_object_metadata(struct load_chunk *w, const struct catalog_chunk *k,
                           struct err *err)
{
    int r;

    r = begin(w, k, err);
    if (!r)
        r = load_chunk_each_frame(w, take_statements, err);
    if (!r)
        r = execute_batch(w, err);
    return r ? r : load_chunk_check(w, k, err);
}
