/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/archive/archive_private.h"

int
archive_not_ours(const struct archive_in *a, struct err *err, const char *fmt,
                 ...)
{
    char detail[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    err_set(err, ERR_CORRUPT, "\"%s\" is not an archive as pghaul writes it",
            a->params.where);
    return err_detail(err, "%s", detail);
}

struct archive_in *
archive_in_free(struct archive_in *a)
{
    if (!a)
        return NULL;
    for (unsigned i = 0; i < a->n_stores; i++)
        store_in_free(a->stores[i]);
    free(a->stores);
    for (unsigned i = 0; i < ARCHIVE_N_TAGS; i++)
        free(a->tags[i].at);
    archive_members_clear(&a->members);
    archive_index_clear(&a->index);
    digesting_free(a->digest);
    free(a->piece);
    free(a);
    return NULL;
}

int
archive_in_open(struct archive_in **ret, const struct archive_in_params *p,
                struct err *err)
{
    cleanup_(archive_in_freep) struct archive_in *a = calloc(1, sizeof *a);
    int r;

    if (!a)
        return err_nomem(err);
    a->params = *p;
    a->piece = malloc(ARCHIVE_PIECE);
    if (!a->piece)
        return err_nomem(err);
    r = digesting_new(&a->digest, err);
    if (!r)
        r = archive_open_stores(a, err);
    if (!r)
        r = archive_walk_tags(a, err);
    if (!r && !a->is_forward)
        r = archive_read_indexes(a, err);
    if (!r)
        *ret = take(a);
    return r;
}

int
archive_in_is_forward(const struct archive_in *a)
{
    return a->is_forward;
}

unsigned
archive_in_n_volumes(const struct archive_in *a)
{
    return a->id.n;
}

const unsigned char *
archive_in_bag(const struct archive_in *a)
{
    return a->id.bag;
}

const struct archive_members *
archive_in_members(const struct archive_in *a)
{
    return &a->members;
}

const char *
archive_in_tag(const struct archive_in *a, unsigned tag, size_t *ret_len)
{
    if (ret_len)
        *ret_len = a->tags[tag].len;
    return a->tags[tag].at;
}

uint64_t
archive_in_position(const struct archive_in *a)
{
    return a->at;
}

/* ---- reading anywhere ---- */

static int
read_at(void *from, uint64_t offset, void *to, size_t len, struct err *err)
{
    const struct archive_view *v = from;

    if (offset > v->in.len || len > v->in.len - offset)
        return err_set(err, ERR_CORRUPT,
                       "\"%s\" ends at offset %" PRIu64 ", expected %" PRIu64,
                       v->in.name, v->in.len, offset + len);
    return store_in_read_all(v->store, v->offset + offset, to, len, err);
}

void
archive_view_open(struct archive_view *ret, struct archive_in *a,
                  const struct archive_member *m)
{
    *ret = (struct archive_view){
        .in = {.from = ret, .len = m->len, .name = m->path, .read_at = read_at},
        .store = a->stores[m->volume - 1],
        .offset = m->offset,
    };
}
