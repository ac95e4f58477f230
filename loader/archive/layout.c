/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/tar.h"

/* What is being placed. */
struct placing {
    struct layout *layout;
    struct archive_members *members;
    int64_t mtime;
    uint64_t volume_size;
    uint64_t at; /* in the volume */
};

size_t
layout_head_at(const struct layout_volume *v)
{
    return v->id.number == 1 ? ARCHIVE_README + 1 : v->first;
}

/* Of a header and what it describes, up to the next header. */
static int
measure(const struct placing *p, const char *path, uint64_t len,
        size_t *ret_header, uint64_t *ret_all, struct err *err)
{
    struct tar_member m = {.len = len, .mtime = p->mtime};
    unsigned char header[TAR_HEADER_MAX];
    int r;

    strcpy(m.path, path);
    r = tar_write_header(header, ret_header, &m, err);
    *ret_all = *ret_header + len + tar_padding(len);
    return r;
}

static struct layout_volume *
last(const struct placing *p)
{
    return &p->layout->volumes[p->layout->n_volumes - 1];
}

static int
begin_volume(struct placing *p, size_t first, struct err *err)
{
    struct layout *l = p->layout;
    struct layout_volume *grown =
        reallocarray(l->volumes, l->n_volumes + 1, sizeof *grown);

    if (!grown)
        return err_nomem(err);
    if (l->n_volumes == ARCHIVE_VOLUMES_MAX)
        return err_set(err, ERR_USAGE, "there would be more than %d volumes",
                       ARCHIVE_VOLUMES_MAX);
    l->volumes = grown;
    l->n_volumes++;
    *last(p) = (struct layout_volume){.first = first, .end = first};
    last(p)->id.number = l->n_volumes;
    memcpy(last(p)->id.bag, p->members->all[ARCHIVE_TAG_MANIFEST].sha256, 32);
    p->at = 0;
    return 0;
}

/* The length of archive.txt does not depend on what it says of the volumes as
   long as their number is not known: it is taken as the longest. */
enum { HEAD_ROOM = TAR_BLOCK + TAR_BLOCK };

/* What is to come in a volume besides members: the index, with its foot and
   its header, and the end. */
static uint64_t
index_room(const struct archive_index *x, const char *path)
{
    return 2 * TAR_BLOCK + x->len + 2 * TAR_PATH_MAX + strlen(path) +
           2 * TAR_BLOCK + ARCHIVE_FOOT + TAR_END;
}

static int
place(struct placing *p, size_t i, struct err *err)
{
    struct archive_member *m = &p->members->all[i];
    struct archive_place where = {.len = m->len, .path = m->path};
    size_t header = 0;
    uint64_t all;
    int r;

    r = measure(p, m->path, m->len, &header, &all, err);
    if (r)
        return r;
    if (p->volume_size > 0 && i >= ARCHIVE_N_TAGS && i > last(p)->first &&
        p->at + all + index_room(&last(p)->index, m->path) > p->volume_size) {
        r = begin_volume(p, i, err);
        p->at = HEAD_ROOM;
    }
    if (r)
        return r;
    m->volume = last(p)->id.number;
    m->offset = where.offset = p->at + header;
    memcpy(where.sha256, m->sha256, 32);
    p->at += all;
    if (i == ARCHIVE_README)
        p->at += HEAD_ROOM;
    last(p)->end = i + 1;
    return archive_index_add(&last(p)->index, &where, err);
}

static int
end_volume(struct placing *p, struct layout_volume *v, struct err *err)
{
    const struct archive_member *m = &p->members->all[v->end - 1];
    uint64_t end = m->offset + m->len + tar_padding(m->len), all;
    size_t header = 0;
    int r;

    v->id.n = p->layout->n_volumes;
    v->index_offset = end + TAR_BLOCK;
    r = archive_index_end(&v->index, &v->id, v->index_offset, err);
    if (!r)
        r = measure(p, ARCHIVE_INDEX_NAME, v->index.len, &header, &all, err);
    if (r)
        return r;
    if (header != TAR_BLOCK)
        return err_set(err, ERR_SYSTEM, "the archive's index is too large");
    v->len = end + all + TAR_END;
    if (p->volume_size == 0 || v->len <= p->volume_size)
        return 0;
    err_set(err, ERR_REFUSED, "\"%s\" does not fit into a volume", m->path);
    err_detail(err,
               "With what a volume has besides, it takes %" PRIu64 " bytes.",
               v->len);
    return err_hint(err, "Files are not split: give a larger --volume-size, "
                         "or export with a smaller --chunk-size.");
}

int
layout_make(struct layout *ret, struct archive_members *m, int64_t mtime,
            uint64_t volume_size, struct err *err)
{
    struct layout l = {0};
    struct placing p = {&l, m, mtime, volume_size, 0};
    int r;

    r = begin_volume(&p, 0, err);
    for (size_t i = 0; i < m->n && !r; i++)
        r = place(&p, i, err);
    for (unsigned i = 0; i < l.n_volumes && !r; i++)
        r = end_volume(&p, &l.volumes[i], err);
    if (r)
        layout_clear(&l);
    else
        *ret = l;
    return r;
}

void
layout_clear(struct layout *l)
{
    for (unsigned i = 0; i < l->n_volumes; i++)
        archive_index_clear(&l->volumes[i].index);
    free(l->volumes);
    *l = (struct layout){0};
}
