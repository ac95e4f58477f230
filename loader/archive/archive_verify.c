/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_verify.h"

#include <stdlib.h>
#include <string.h>

#include "formats/chunk.h"
#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "loader/archive/spool.h"
#include "loader/bag/staged.h"

struct verifying {
    const struct archive_verify_params *params;
    struct archive_verified *sum;
    struct progress_cell *cell;
    uint64_t n_taken; /* of the member in hand */
    struct chunk_reader *reader;
    struct copy_rows *rows;
    struct digester *digester;
};

static void
clear(struct verifying *v)
{
    chunk_reader_free(v->reader);
    copy_rows_free(v->rows);
    digester_free(v->digester);
}

/* ---- the rows of a chunk ---- */

static int
read_rows(struct verifying *v, const struct catalog_chunk *k, struct err *err)
{
    const unsigned char *data;
    struct digest found;
    size_t len;
    int r;

    copy_rows_reset(v->rows, k->table->format, k->table->n_columns);
    digester_reset(v->digester);
    while ((r = chunk_reader_next(v->reader, &data, &len, err)) == 0) {
        r = digester_feed(v->digester, v->rows, data, len, err);
        if (r)
            return r;
    }
    if (r != CHUNK_READER_E_END)
        return r;
    r = copy_rows_end(v->rows, err);
    if (r)
        return r;
    found = digester_get(v->digester);
    v->sum->n_rows += found.n_rows;
    if (digest_equal(&found, &k->totals.digest))
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" does not hold the rows that were exported", k->file);
}

static int
check_rows(struct verifying *v, const struct archive_member *m,
           const struct bytes_in *in, struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    cleanup_(staged_freep) struct staged *s = NULL;
    int r = catalog_find_chunk(v->params->catalog, m->chunk, &k, err);

    if (r == CATALOG_E_NONE ||
        (r == 0 && strcmp(k->file, m->path + strlen("data/")) != 0))
        return err_set(err, ERR_CORRUPT, "\"%s\" is no chunk of its catalogue",
                       m->path);
    if (!r)
        r = staged_open_checked(&s, in, k->file, v->params->identities, err);
    if (!r)
        r = staged_begin(v->reader, s, k, v->params->facts->run, err);
    return r ? r : read_rows(v, k, err);
}

/* ---- members ---- */

static int
tell(void *arg, const void *data, size_t len, struct err *err)
{
    struct verifying *v = arg;

    (void)data;
    (void)err;
    v->n_taken += len;
    progress_at(v->cell, v->n_taken, 0);
    progress_draw(v->params->progress);
    return 0;
}

static int
check_deep(struct verifying *v, const struct archive_member *m, struct err *err)
{
    struct archive_in *a = v->params->archive;
    cleanup_(spool_freep) struct spool *spool = NULL;
    struct archive_view view;
    int r;

    if (archive_in_is_forward(a)) {
        r = spool_take(&spool, a, m, err);
        return r ? r : check_rows(v, m, spool_in(spool), err);
    }
    r = archive_in_take(a, tell, v, err);
    if (r)
        return r;
    archive_view_open(&view, a, m);
    return check_rows(v, m, &view.in, err);
}

static int
check_member(struct verifying *v, const struct archive_member *m,
             struct err *err)
{
    int r;

    v->n_taken = 0;
    progress_begin(v->cell, m->path, m->len);
    progress_of(v->cell, m->table, m->chunk);
    r = v->params->deep && m->chunk > 0
            ? check_deep(v, m, err)
            : archive_in_take(v->params->archive, tell, v, err);
    progress_end(v->cell, r == 0);
    v->sum->n_members += r == 0;
    v->sum->n_bytes += r ? 0 : m->len;
    return r;
}

static int
is_passed_over(const struct archive_verify_params *p,
               const struct archive_member *m)
{
    return p->of > 0 && m->chunk > 0 && m->chunk % p->of != p->part - 1;
}

/* The documents were read, and right, before we came. */
static void
count_documents(struct verifying *v)
{
    const struct archive_members *all = archive_in_members(v->params->archive);
    const struct archive_member *next = archive_in_peek(v->params->archive);

    for (const struct archive_member *m = all->all;
         m < all->all + all->n && m != next; m++) {
        v->sum->n_members++;
        v->sum->n_bytes += m->len;
    }
}

static int
check_all(struct verifying *v, struct err *err)
{
    const struct archive_member *m;
    int r;

    count_documents(v);
    while ((r = archive_in_next(v->params->archive, &m, err)) == 0) {
        if (is_passed_over(v->params, m))
            v->sum->n_passed_over++;
        else
            r = check_member(v, m, err);
        if (r)
            return r;
    }
    return r == ARCHIVE_E_END ? 0 : r;
}

static uint64_t
total(struct archive_in *a)
{
    const struct archive_members *all = archive_in_members(a);
    uint64_t n = 0;

    for (size_t i = 0; i < all->n; i++)
        n += all->all[i].kind == ARCHIVE_TAG ? 0 : all->all[i].len;
    return n;
}

int
archive_verify(struct archive_verified *ret,
               const struct archive_verify_params *p, struct err *err)
{
    struct verifying v = {.params = p, .sum = ret};
    int r;

    *ret = (struct archive_verified){0};
    r = progress_lane(p->progress, "verify", 1, total(p->archive), 0, err);
    if (r)
        return r;
    v.cell = progress_cell(p->progress, 0, 0);
    r = chunk_reader_new(&v.reader, err);
    if (!r)
        r = copy_rows_new(&v.rows, COPY_TEXT, 0, err);
    if (!r)
        r = digester_new(&v.digester, err);
    if (!r)
        r = check_all(&v, err);
    progress_finish(p->progress);
    clear(&v);
    return r;
}
