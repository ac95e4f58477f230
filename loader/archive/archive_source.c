/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "loader/archive/spool.h"

/* A chunk that was handed out, through a pipe. */
struct kept {
    struct kept *next;
    const struct archive_member *member;
    struct spool *spool; /* NULL: it has not come yet */
};

struct archive_source {
    struct staged_source staged;
    struct archive_in *archive;
    size_t next; /* to hand out; of the main thread */

    pthread_mutex_t lock; /* of what follows, and of the walk */
    struct kept *kept;
};

/* ---- which member a chunk is ---- */

static enum archive_kind
kind_of(const struct catalog_chunk *k)
{
    switch (k->table->kind) {
    case CATALOG_TABLE:
        return ARCHIVE_TABLE;
    case CATALOG_LARGE_OBJECTS:
        return ARCHIVE_LARGE_OBJECTS;
    case CATALOG_LARGE_OBJECT_METADATA:
        return ARCHIVE_LARGE_OBJECT_METADATA;
    }
    abort();
}

static int
find(const struct archive_source *s, const struct catalog_chunk *k,
     const struct archive_member **ret, struct err *err)
{
    *ret =
        archive_members_find(archive_in_members(s->archive), kind_of(k), k->id);
    if (*ret && strcmp((*ret)->path + strlen("data/"), k->file) == 0)
        return 0;
    return err_set(err, ERR_CORRUPT, "\"%s\" is missing", k->file);
}

/* ---- read anywhere ---- */

static int
open_view(void *arg, const struct catalog_chunk *k, const struct bytes_in **ret,
          void **ret_held, struct err *err)
{
    struct archive_source *s = arg;
    const struct archive_member *m;
    struct archive_view *view;
    int r = find(s, k, &m, err);

    if (r)
        return r;
    view = malloc(sizeof *view);
    if (!view)
        return err_nomem(err);
    archive_view_open(view, s->archive, m);
    *ret = &view->in;
    *ret_held = view;
    return 0;
}

static void
close_view(void *arg, void *held)
{
    (void)arg;
    free(held);
}

static const struct staged_source_ops view_ops = {
    .open = open_view,
    .close = close_view,
};

/* ---- through a pipe ---- */

static struct kept *
find_kept(const struct archive_source *s, const struct archive_member *m)
{
    struct kept *k = s->kept;

    while (k && k->member != m)
        k = k->next;
    return k;
}

/* Under the lock: read on until it has come. */
static int
read_up_to(struct archive_source *s, struct kept *wanted, struct err *err)
{
    const struct archive_member *m;
    struct kept *k;
    int r = 0;

    while (!r && !wanted->spool) {
        r = archive_in_next(s->archive, &m, err);
        if (r == ARCHIVE_E_END)
            return err_set(err, ERR_CORRUPT,
                           "\"%s\" cannot be read a second time",
                           wanted->member->path);
        k = r ? NULL : find_kept(s, m);
        if (k)
            r = spool_take(&k->spool, s->archive, m, err);
    }
    return r;
}

static int
open_kept(void *arg, const struct catalog_chunk *k, const struct bytes_in **ret,
          void **ret_held, struct err *err)
{
    struct archive_source *s = arg;
    const struct archive_member *m;
    struct kept *found;
    int r = find(s, k, &m, err);

    if (r)
        return r;
    pthread_mutex_lock(&s->lock);
    found = find_kept(s, m);
    r = found ? read_up_to(s, found, err)
              : err_set(err, ERR_CORRUPT, "\"%s\" was not asked for", k->file);
    pthread_mutex_unlock(&s->lock);
    if (r)
        return r;
    *ret = spool_in(found->spool);
    *ret_held = found;
    return 0;
}

static void
close_kept(void *arg, void *held)
{
    (void)arg;
    (void)held; /* until it is done with */
}

static uint64_t
next(void *arg)
{
    const struct archive_source *s = arg;
    const struct archive_members *all = archive_in_members(s->archive);

    return s->next < all->n ? all->all[s->next].chunk : 0;
}

static void
pass_over(void *arg)
{
    struct archive_source *s = arg;

    s->next++;
}

static int
hand_out(void *arg, struct err *err)
{
    struct archive_source *s = arg;
    struct kept *k = malloc(sizeof *k);

    if (!k)
        return err_nomem(err);
    *k = (struct kept){.member =
                           &archive_in_members(s->archive)->all[s->next++]};
    pthread_mutex_lock(&s->lock);
    k->next = s->kept;
    s->kept = k;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static void
done(void *arg, uint64_t chunk)
{
    struct archive_source *s = arg;
    struct kept **at, *k;

    pthread_mutex_lock(&s->lock);
    for (at = &s->kept; *at && (*at)->member->chunk != chunk;)
        at = &(*at)->next;
    k = *at;
    if (k)
        *at = k->next;
    pthread_mutex_unlock(&s->lock);
    if (k)
        spool_free(k->spool);
    free(k);
}

static const struct staged_source_ops pipe_ops = {
    .open = open_kept,
    .close = close_kept,
    .next = next,
    .hand_out = hand_out,
    .pass_over = pass_over,
    .done = done,
};

/* ---- the whole ---- */

int
archive_source_new(struct archive_source **ret, struct archive_in *a,
                   const struct age_identities *identities, struct err *err)
{
    const struct archive_members *all = archive_in_members(a);
    struct archive_source *s = calloc(1, sizeof *s);

    if (!s)
        return err_nomem(err);
    s->archive = a;
    s->staged = (struct staged_source){
        .ops = archive_in_is_forward(a) ? &pipe_ops : &view_ops,
        .arg = s,
        .identities = identities,
    };
    while (s->next < all->n && all->all[s->next].chunk == 0)
        s->next++;
    pthread_mutex_init(&s->lock, NULL);
    *ret = s;
    return 0;
}

struct archive_source *
archive_source_free(struct archive_source *s)
{
    if (!s)
        return NULL;
    while (s->kept)
        done(s, s->kept->member->chunk);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

const struct staged_source *
archive_source_staged(struct archive_source *s)
{
    return &s->staged;
}

int
archive_source_finish(struct archive_source *s, struct err *err)
{
    const struct archive_member *m;
    int r = 0;

    if (!archive_in_is_forward(s->archive))
        return 0;
    while (!r)
        r = archive_in_next(s->archive, &m, err);
    return r == ARCHIVE_E_END ? 0 : r;
}
