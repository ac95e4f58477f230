/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/load_chunk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/staged.h"
#include "loader/catalog/copy_sql.h"
#include "loader/pg/copy_in.h"
#include "loader/target/load_large_objects.h"
#include "loader/target/places.h"
#include "loader/target/silence.h"

/* ---- rows into messages ---- */

/* A message being gathered: a run of whole rows within one frame. */
struct message {
    const unsigned char *data;
    size_t len;
};

static int
send_message(struct load_chunk *w, struct message *m, struct err *err)
{
    int r = 0;

    if (m->len > 0)
        r = copy_in_send(w->session, m->data, m->len, err);
    m->data += m->len;
    m->len = 0;
    return r;
}

/* A frame's content, checked row by row, in messages of whole rows. */
static int
send_frame(struct load_chunk *w, const unsigned char *raw, size_t len,
           struct err *err)
{
    struct message m = {.data = raw};
    struct copy_piece piece;
    int r;

    copy_rows_feed(w->rows, raw, len);
    for (;;) {
        r = copy_rows_next(w->rows, &piece, err);
        if (r == COPY_ROWS_E_MORE)
            return send_message(w, &m, err);
        if (r)
            return r;
        digester_piece(w->digester, &piece);
        if (m.len + piece.len > COPY_IN_MESSAGE) {
            r = send_message(w, &m, err);
            if (r)
                return r;
        }
        m.len += piece.len;
    }
}

int
load_chunk_each_frame(struct load_chunk *w, load_chunk_take *put,
                      struct err *err)
{
    const unsigned char *raw;
    uint64_t n_sent = 0;
    size_t len;
    int r;

    for (;;) {
        r = chunk_reader_next(w->reader, &raw, &len, err);
        if (r)
            return r == CHUNK_READER_E_END ? 0 : r;
        r = put(w, raw, len, err);
        if (r)
            return r;
        n_sent += len;
        progress_at(w->cell, n_sent, copy_rows_count(w->rows));
    }
}

/* check_violation: a partition's bounds are a check, too. */
static void
hint_about_bounds(struct err *err)
{
    if (strcmp(err->sqlstate, "23514") == 0 && !err->hint[0])
        err_hint(err, "If the bounds of a partition are texts, the target must "
                      "sort them as the source does: make the target database "
                      "with the source's encoding, collation provider and "
                      "locale, on a system with the same version of them.");
}

/* What was sent is, by count and digest, what was exported. */
int
load_chunk_check(struct load_chunk *w, const struct catalog_chunk *k,
                 struct err *err)
{
    struct digest sent = digester_get(w->digester);
    int r;

    r = copy_rows_end(w->rows, err);
    if (r || digest_equal(&sent, &k->totals.digest))
        return r;
    err_set(err, ERR_CORRUPT, "\"%s\" does not hold the rows it should",
            k->file);
    return err_detail(err,
                      "%" PRIu64 " rows were exported, %" PRIu64
                      " were read, or their digests differ.",
                      k->totals.digest.n_rows, sent.n_rows);
}

/* ---- the transaction ---- */

/*
 * A new file for a table costs more than rewriting a few pages later: with a
 * thousand small tables a fifth of the load's time.
 */
enum { WORTH_FREEZING = 1 << 20 };

static const char not_alone[] =
    "Nothing else may write into the target while it is loaded.";

/*
 * The only chunk of a table can be loaded frozen, which saves the target from
 * rewriting it later: the table must have been truncated in the same
 * transaction.  Not what is loaded through a root, since other tables' rows go
 * there too, nor an extension's, which has rows of its own.
 */
static int
is_whole(const struct catalog_chunk *k)
{
    return k->lo == 0 && k->hi == CATALOG_OPEN_END && !k->condition &&
           !k->table->root_name && !k->table->extension;
}

/* So that this never takes a row away, it must be empty. */
static int
make_empty(struct session *s, const struct catalog_table *t, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(s, t->schema, t->name);
    int r;

    if (!name)
        return err_nomem(err);
    r = session_execf(s, err, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE",
                      name);
    if (!r)
        r = places_require_empty(s, t, not_alone, err);
    return r ? r : session_execf(s, err, "TRUNCATE ONLY %s", name);
}

static int
copy_rows_in(struct load_chunk *w, const struct catalog_chunk *k,
             struct err *err)
{
    int whole = is_whole(k) && !w->lane->ledger.into_existing;
    int frozen = whole && k->totals.raw_len >= WORTH_FREEZING;
    uint64_t n_rows;
    char *sql;
    int r = 0;

    if (frozen)
        r = make_empty(w->session, k->table, err);
    else if (whole)
        r = places_require_empty(w->session, k->table, not_alone, err);
    if (r)
        return r;
    sql = copy_sql_in(w->session, k->table, frozen);
    if (!sql)
        return err_nomem(err);
    r = copy_in_begin(w->session, sql, err);
    free(sql);
    if (r)
        return r;

    r = load_chunk_each_frame(w, send_frame, err);
    if (r)
        hint_about_bounds(err);
    if (!r)
        r = load_chunk_check(w, k, err);
    if (r) {
        copy_in_abandon(w->session, "the staged file is not right");
        return r;
    }
    r = copy_in_end(w->session, &n_rows, err);
    if (r)
        hint_about_bounds(err);
    if (!r && n_rows != k->totals.digest.n_rows)
        r = err_set(err, ERR_CORRUPT,
                    "the target took %" PRIu64 " rows of \"%s\", not %" PRIu64,
                    n_rows, k->file, k->totals.digest.n_rows);
    return r;
}

static int
put_rows_in(struct load_chunk *w, const struct catalog_chunk *k,
            struct err *err)
{
    switch (k->table->kind) {
    case CATALOG_TABLE:
        return copy_rows_in(w, k, err);
    case CATALOG_LARGE_OBJECTS:
        return load_large_objects(w, k, err);
    case CATALOG_LARGE_OBJECT_METADATA:
        return 0; /* see below */
    }
    abort();
}

static int
load_once(struct load_chunk *w, const struct catalog_chunk *k, struct err *err)
{
    const struct ledger_row row = {
        .kind = LEDGER_CHUNK,
        .id = (int64_t)k->id,
        .n_rows = k->totals.digest.n_rows,
        .n_bytes = k->totals.raw_len,
        .table = k->table->kind == CATALOG_TABLE ? k->table : NULL,
    };
    struct err ignored;
    int r;

    r = session_exec(w->session, "BEGIN", err);
    if (r)
        return r;
    r = ledger_claim(&w->lane->ledger, w->session, &row, err);
    /* An extension's tables have their foreign keys and triggers already.  The
       rows of a snapshot need neither; who may not do without them is checked
       by the server, row by row, which may be in vain when tables come at
       once. */
    if (!r && k->table->extension)
        r = silence_transaction(w->session, err);
    if (!r)
        r = put_rows_in(w, k, err);
    if (!r)
        return session_exec(w->session, "COMMIT", err);
    session_exec(w->session, "ROLLBACK", &ignored);
    return r == LEDGER_E_ALREADY ? 0 : r;
}

int
load_chunk(struct load_chunk *w, const struct catalog_chunk *k, struct err *err)
{
    cleanup_(staged_freep) struct staged *file = NULL;
    int r;

    r = staged_open(&file, &w->lane->source, k, err);
    if (!r)
        r = staged_begin(w->reader, file, k, w->lane->run, err);
    if (r)
        return r;
    copy_rows_reset(w->rows, k->table->format, k->table->n_columns);
    digester_reset(w->digester);
    /* These are many transactions, which may be done again: the ledger's row
       comes when all are done. */
    if (k->table->kind == CATALOG_LARGE_OBJECT_METADATA) {
        r = load_large_object_metadata(w, k, err);
        if (r)
            return r;
    }
    return load_once(w, k, err);
}
