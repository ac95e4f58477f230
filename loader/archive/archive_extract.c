/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/chunk.h"
#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "loader/archive/archive_source.h"
#include "loader/archive/digesting.h"
#include "loader/bag/staged.h"

struct extracting {
    const struct archive_extract_params *params;
    struct archive_extracted *sum;
    struct archive_source *source;
    struct progress_cell *cell;
    struct chunk_reader *reader;
    struct copy_rows *rows;
    struct digester *digester;
    int dir_fd;
    int is_last; /* chunk: its trailer is the stream's */
};

static void
clear(struct extracting *x)
{
    chunk_reader_free(x->reader);
    copy_rows_free(x->rows);
    digester_free(x->digester);
    archive_source_free(x->source);
    fd_closep(&x->dir_fd);
}

/* ---- which table ---- */

static int
is_called(const struct catalog_table *t, const char *name)
{
    size_t n = strlen(t->schema);

    return strcmp(t->name, name) == 0 ||
           (strncmp(t->schema, name, n) == 0 && name[n] == '.' &&
            strcmp(t->name, name + n + 1) == 0);
}

static int
ambiguous(const char *name, struct err *err)
{
    err_set(err, ERR_USAGE, "\"%s\" is the name of more than one table", name);
    return err_hint(err, "Give its schema, too: \"schema.table\".");
}

int
archive_find_table(struct catalog_table **ret, struct catalog *c,
                   const char *name, struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *found = NULL;
    uint64_t id = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(c, id, &t, err);
        if (r)
            break;
        id = t->id;
        if (!is_called(t, name))
            continue;
        if (found)
            return ambiguous(name, err);
        found = take(t);
    }
    if (r != CATALOG_E_NONE)
        return r;
    if (!found) {
        err_set(err, ERR_USAGE, "there is no table \"%s\" in the archive",
                name);
        return err_hint(err, "\"pghaul archive list\" shows them; the rows of "
                             "a partitioned table are in its partitions.");
    }
    *ret = take(found);
    return 0;
}

/* ---- as a stream ---- */

static int
put(struct extracting *x, const void *data, size_t len, struct err *err)
{
    x->sum->n_bytes += len;
    if (fwrite(data, 1, len, x->params->stream) == len)
        return 0;
    return err_sys(err, errno, "could not write the rows");
}

/* Of the head and the trailer of many binary streams, one each. */
static int
put_piece(struct extracting *x, const struct copy_piece *p, struct err *err)
{
    if ((p->kind == COPY_HEAD && x->sum->n_chunks > 0) ||
        (p->kind == COPY_TRAILER && !x->is_last))
        return 0;
    return put(x, p->data, p->len, err);
}

static int
put_frame(struct extracting *x, const unsigned char *data, size_t len,
          struct err *err)
{
    struct copy_piece p;
    int r;

    copy_rows_feed(x->rows, data, len);
    while ((r = copy_rows_next(x->rows, &p, err)) == 0) {
        digester_piece(x->digester, &p);
        r = put_piece(x, &p, err);
        if (r)
            return r;
    }
    return r == COPY_ROWS_E_MORE ? 0 : r;
}

static int
put_rows(struct extracting *x, const struct catalog_chunk *k, struct err *err)
{
    const unsigned char *data;
    struct digest found;
    size_t len;
    int r;

    copy_rows_reset(x->rows, k->table->format, k->table->n_columns);
    digester_reset(x->digester);
    while ((r = chunk_reader_next(x->reader, &data, &len, err)) == 0) {
        r = put_frame(x, data, len, err);
        if (r)
            return r;
        progress_at(x->cell, x->sum->n_bytes, copy_rows_count(x->rows));
        progress_draw(x->params->progress);
    }
    if (r == CHUNK_READER_E_END)
        r = copy_rows_end(x->rows, err);
    found = digester_get(x->digester);
    if (!r && !digest_equal(&found, &k->totals.digest))
        r = err_set(err, ERR_CORRUPT,
                    "\"%s\" does not hold the rows that were exported",
                    k->file);
    return r;
}

/* ---- as files ---- */

/* Without what says that it is encrypted: it is not any more. */
static char *
plain_name(const struct catalog_chunk *k)
{
    const char *name = strrchr(k->file, '/') + 1, *end = strstr(name, ".age");

    return end ? strndup(name, (size_t)(end - name)) : strdup(name);
}

static int
put_file(struct extracting *x, const struct catalog_chunk *k,
         const struct bytes_in *in, struct err *err)
{
    enum { PIECE = BYTES_OUT_MIN_MAX };
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(freep) char *name = plain_name(k);
    const struct bytes_out *out;
    unsigned char *room;
    size_t n;
    int r;

    if (!name)
        return err_nomem(err);
    r = durable_file_open(&file, x->dir_fd, name, err);
    if (r)
        return r;
    out = durable_file_out(file);
    for (uint64_t at = 0; at < in->len && !r; at += n) {
        n = in->len - at < PIECE ? in->len - at : PIECE;
        r = out->reserve(out->to, n, &room, err);
        if (!r)
            r = in->read_at(in->from, at, room, n, err);
        if (!r)
            r = out->advance(out->to, n, err);
    }
    x->sum->n_bytes += in->len;
    return r ? r : durable_file_commit(file, NULL, err);
}

/* ---- chunks ---- */

static int
put_chunk(struct extracting *x, const struct catalog_chunk *k, struct err *err)
{
    cleanup_(staged_freep) struct staged *bytes = NULL;
    int r;

    r = staged_open(&bytes, archive_source_staged(x->source), k, err);
    if (!r)
        r = staged_begin(x->reader, bytes, k, x->params->facts->run, err);
    if (r)
        return r;
    progress_begin(x->cell, k->file, k->file_len);
    progress_of(x->cell, k->table->id, k->id);
    r = x->params->dir ? put_file(x, k, staged_in(bytes), err)
                       : put_rows(x, k, err);
    progress_end(x->cell, r == 0);
    x->sum->n_chunks++;
    x->sum->n_rows += k->totals.digest.n_rows;
    return r;
}

/* Through a pipe: those before it are not wanted. */
static int
claim(struct extracting *x, uint64_t chunk, struct err *err)
{
    const struct staged_source *from = archive_source_staged(x->source);
    uint64_t next;

    if (!from->ops->next)
        return 0;
    while ((next = from->ops->next(from->arg)) && next != chunk)
        from->ops->pass_over(from->arg);
    return next ? from->ops->hand_out(from->arg, err)
                : err_set(err, ERR_CORRUPT, "a chunk is missing");
}

static int
put_chunks(struct extracting *x, struct err *err)
{
    const struct archive_extract_params *p = x->params;
    const struct staged_source *from = archive_source_staged(x->source);
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL, *next = NULL;
    int r = catalog_next_chunk(p->catalog, p->table->id, 0, &k, err);

    while (!r) {
        r = catalog_next_chunk(p->catalog, p->table->id, k->id, &next, err);
        if (r < 0)
            return r;
        x->is_last = r == CATALOG_E_NONE;
        r = archive_stop_check(p->stop, err);
        if (!r)
            r = claim(x, k->id, err);
        if (!r)
            r = put_chunk(x, k, err);
        if (!r && from->ops->done)
            from->ops->done(from->arg, k->id);
        if (!r && x->is_last)
            return 0;
        catalog_chunk_free(k);
        k = take(next);
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
prepare(struct extracting *x, struct err *err)
{
    struct progress *p = x->params->progress;
    int r = progress_lane(p, "extract", 1, x->params->table->n_bytes, 0, err);

    if (r)
        return r;
    x->cell = progress_cell(p, 0, 0);
    r = chunk_reader_new(&x->reader, err);
    if (!r)
        r = copy_rows_new(&x->rows, COPY_TEXT, 0, err);
    if (!r)
        r = digester_new(&x->digester, err);
    if (!r)
        r = archive_source_new(&x->source, x->params->archive,
                               x->params->identities, err);
    if (!r && x->params->dir)
        r = dir_open_private(&x->dir_fd, AT_FDCWD, x->params->dir, 1, err);
    return r;
}

int
archive_extract(struct archive_extracted *ret,
                const struct archive_extract_params *p, struct err *err)
{
    struct extracting x = {.params = p, .sum = ret, .dir_fd = -1};
    int r;

    *ret = (struct archive_extracted){0};
    r = prepare(&x, err);
    if (!r)
        r = put_chunks(&x, err);
    progress_finish(p->progress);
    clear(&x);
    return r;
}
