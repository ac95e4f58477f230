/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/archive/archive_private.h"
#include "loader/archive/volumes.h"

enum { INDEX_MAX = 1 << 30 };

/* ---- opening ---- */

static int
add_store(struct archive_in *a, struct store_in *store, struct err *err)
{
    struct store_in **grown =
        reallocarray(a->stores, a->n_stores + 1, sizeof *grown);

    if (!grown) {
        store_in_free(store);
        return err_nomem(err);
    }
    a->stores = grown;
    store->stop = a->params.stop;
    a->stores[a->n_stores++] = store;
    return 0;
}

static int
foot_at(const struct archive_in *a, const struct store_in *store, uint64_t *ret,
        struct err *err)
{
    if (store->len < 4 * TAR_BLOCK + TAR_END || store->len % TAR_BLOCK)
        return archive_not_ours(a, err,
                                "\"%s\" has no length that an archive has: it "
                                "is cut short, or is none",
                                store->name);
    *ret = store->len - TAR_END - ARCHIVE_FOOT;
    return 0;
}

static int
read_foot(const struct archive_in *a, struct store_in *store,
          struct archive_foot *ret, struct err *err)
{
    unsigned char end[ARCHIVE_FOOT + TAR_END];
    uint64_t at = 0;
    int r = foot_at(a, store, &at, err);

    if (!r)
        r = store_in_read_all(store, at, end, sizeof end, err);
    if (!r)
        r = archive_foot_parse(ret, (const char *)end, store->name, err);
    if (r)
        return r;
    if (tar_header_len(end + ARCHIVE_FOOT) != 0 ||
        tar_header_len(end + ARCHIVE_FOOT + TAR_BLOCK) != 0)
        return archive_not_ours(a, err, "\"%s\" does not end in zeros",
                                store->name);
    if (ret->offset > at || ret->len != at - ret->offset ||
        ret->offset < TAR_BLOCK)
        return archive_not_ours(a, err, "The foot of \"%s\" is malformed",
                                store->name);
    return 0;
}

static int
missing(const struct archive_foot *first, const char *name, unsigned number,
        struct err *err)
{
    err_set(err, ERR_CORRUPT, "volume %u of %u, \"%s\", is missing", number,
            first->volume.n, name);
    return err_hint(err, "All volumes of an archive must be in one place.");
}

static int
add_volume(struct archive_in *a, const struct archive_foot *first,
           const char *whole, unsigned number, struct err *err)
{
    cleanup_(freep) char *name = volumes_name(whole, number);
    struct store_in *store;
    struct archive_foot foot;
    int r;

    if (!name)
        return err_nomem(err);
    r = store_in_open(&store, name, err);
    if (r == STORE_E_MISSING)
        return missing(first, name, number, err);
    if (!r)
        r = add_store(a, store, err);
    if (!r)
        r = read_foot(a, a->stores[number - 1], &foot, err);
    if (r)
        return r;
    if (foot.volume.number == number && foot.volume.n == first->volume.n &&
        memcmp(foot.volume.bag, first->volume.bag, 32) == 0)
        return 0;
    return archive_not_ours(a, err,
                            "\"%s\" is not volume %u of %u of this archive",
                            name, number, first->volume.n);
}

/* name is that of the first. */
static int
add_volumes(struct archive_in *a, const char *name, struct err *err)
{
    cleanup_(freep) char *whole = volumes_whole(name);
    struct archive_foot first;
    int r = read_foot(a, a->stores[0], &first, err);

    if (r || first.volume.n == 1)
        return r;
    if (first.volume.number != 1 || !whole) {
        err_set(err, ERR_USAGE, "\"%s\" is volume %u of %u", name,
                first.volume.number, first.volume.n);
        return err_hint(err, "Name the first, NAME.001.tar, or all of them, "
                             "NAME.tar.");
    }
    for (unsigned i = 2; i <= first.volume.n && !r; i++)
        r = add_volume(a, &first, whole, i, err);
    return r;
}

int
archive_open_stores(struct archive_in *a, struct err *err)
{
    const char *where = a->params.where;
    cleanup_(freep) char *first = volumes_name(where, 1);
    const char *name = where;
    struct store_in *store;
    int r;

    if (!first)
        return err_nomem(err);
    r = store_in_open(&store, name, err);
    if (r == STORE_E_MISSING) {
        name = first;
        r = store_in_open(&store, name, err);
    }
    if (r == STORE_E_MISSING)
        return err_sys(err, ENOENT, "could not open \"%s\"", where);
    if (!r)
        r = add_store(a, store, err);
    if (r)
        return r;
    a->store = store;
    a->is_forward = store->is_forward;
    return a->is_forward ? 0 : add_volumes(a, name, err);
}

/* ---- the indexes ---- */

/* The nth member lies where it can lie, and is the one that is expected. */
static int
place(struct archive_in *a, const struct archive_place *p,
      const struct archive_foot *foot, size_t *n, uint64_t *end,
      struct err *err)
{
    struct archive_member *m;

    if (*n == a->members.n || strcmp(a->members.all[*n].path, p->path) != 0 ||
        memcmp(a->members.all[*n].sha256, p->sha256, 32) != 0)
        return archive_not_ours(a, err,
                                "Its index has \"%.200s\" out of place, or "
                                "with another digest than the manifest",
                                p->path);
    m = &a->members.all[(*n)++];
    if (p->offset < *end + TAR_BLOCK || p->offset % TAR_BLOCK ||
        p->offset > foot->offset || p->len > foot->offset - p->offset)
        return archive_not_ours(
            a, err, "Its index has \"%.200s\" where it cannot be", p->path);
    m->volume = foot->volume.number;
    m->offset = p->offset;
    m->len = p->len;
    *end = p->offset + p->len;
    return 0;
}

static int
read_index(struct archive_in *a, unsigned number, size_t *n, struct err *err)
{
    struct store_in *store = a->stores[number - 1];
    cleanup_(freep) char *text = NULL;
    struct archive_foot foot;
    struct archive_place p;
    unsigned char sha256[32];
    uint64_t end = 0;
    char *at;
    int r = read_foot(a, store, &foot, err);

    if (r)
        return r;
    if (foot.len > INDEX_MAX)
        return archive_not_ours(a, err, "Its index is too large");
    at = text = malloc(foot.len + 1);
    if (!text)
        return err_nomem(err);
    r = store_in_read_all(store, foot.offset, text, foot.len, err);
    if (r)
        return r;
    text[foot.len] = '\0';
    SHA256((const unsigned char *)text, foot.len, sha256);
    if (memcmp(sha256, foot.sha256, sizeof sha256) != 0)
        return archive_not_ours(a, err, "The index of \"%s\" is damaged",
                                store->name);
    while ((r = archive_index_next(&at, &p, store->name, err)) == 1) {
        r = place(a, &p, &foot, n, &end, err);
        if (r)
            return r;
    }
    return r;
}

int
archive_read_indexes(struct archive_in *a, struct err *err)
{
    size_t n = 0;
    int r = 0;

    assert(!a->is_forward);
    if (a->n_stores != a->id.n)
        return archive_not_ours(a, err, "Its volumes do not agree");
    for (unsigned i = 1; i <= a->n_stores && !r; i++)
        r = read_index(a, i, &n, err);
    if (!r && n < a->members.n)
        r = archive_not_ours(a, err, "\"%s\" is listed, but is not in it",
                             a->members.all[n].path);
    return r;
}
