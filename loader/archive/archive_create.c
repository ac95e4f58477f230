/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_create.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/tar.h"
#include "io/reader.h"
#include "io/store/store.h"
#include "loader/archive/digesting.h"
#include "loader/archive/layout.h"
#include "loader/archive/signing.h"
#include "loader/archive/volumes.h"
#include "loader/bag/seal.h"

enum {
    PIECE = 512 << 10,
    TEXT_MAX = 1 << 30, /* of a manifest */
};

struct creating {
    const struct archive_create_params *params;
    struct archive_members members;
    struct layout layout;
    char *tags; /* tagmanifest-sha256.txt */
    size_t tags_len;
    int64_t mtime;
    struct progress_cell *cell;
    struct digesting *digest;
    struct store_out *out; /* of the volume */
    unsigned char piece[PIECE];
};

static struct creating *
creating_free(struct creating *x)
{
    if (!x)
        return NULL;
    store_out_free(x->out);
    layout_clear(&x->layout);
    archive_members_clear(&x->members);
    free(x->tags);
    digesting_free(x->digest);
    free(x);
    return NULL;
}
DEFINE_CLEANUP(struct creating *, creating_free)

/* ---- what there is ---- */

static int
open_file(struct reader **ret, const struct creating *x, const char *path,
          struct err *err)
{
    int r = reader_open(ret, run_dir_fd(x->params->dir), path, err);

    return r && err->sys == ENOENT
               ? err_set(err, ERR_CORRUPT, "\"%s\" is missing", path)
               : r;
}

static int
read_text(char **ret, size_t *ret_len, const struct creating *x,
          const char *path, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    int r = open_file(&file, x, path, err);

    return r ? r : reader_text(file, TEXT_MAX, ret, ret_len, err);
}

static int
require_seal(const struct run_dir *dir, struct err *err)
{
    if (!seal_is_there(dir)) {
        err_set(err, ERR_REFUSED, "\"%s\" is not sealed", run_dir_path(dir));
        err_detail(err, "A run is sealed when its export is complete.");
        return err_hint(err, "Run \"pghaul export\" to its end first.");
    }
    return seal_check(dir, err);
}

static int
list_members(struct creating *x, struct err *err)
{
    cleanup_(freep) char *info = NULL;
    char *manifest = NULL;
    size_t len;
    int r;

    r = read_text(&manifest, &len, x, archive_tags[ARCHIVE_MANIFEST], err);
    if (!r)
        r = archive_members_parse(&x->members, manifest, err);
    if (!r)
        r = read_text(&x->tags, &x->tags_len, x,
                      archive_tags[ARCHIVE_TAG_MANIFEST], err);
    if (!r)
        r = archive_members_digest_tags(&x->members, x->tags, x->tags_len, err);
    if (!r)
        r = read_text(&info, &len, x, archive_tags[ARCHIVE_BAG_INFO], err);
    return r ? r : archive_bag_date(info, &x->mtime, err);
}

static int
measure_members(struct creating *x, struct err *err)
{
    struct stat st;

    for (size_t i = 0; i < x->members.n; i++) {
        struct archive_member *m = &x->members.all[i];

        if (fstatat(run_dir_fd(x->params->dir), m->path, &st,
                    AT_SYMLINK_NOFOLLOW) == 0)
            m->len = (uint64_t)st.st_size;
        else if (errno == ENOENT || errno == ENOTDIR)
            return err_set(err, ERR_CORRUPT, "\"%s\" is missing", m->path);
        else
            return err_sys(err, errno, "could not examine \"%s\"", m->path);
    }
    return 0;
}

/* ---- what is written ---- */

static int
write_header(struct creating *x, const char *path, uint64_t len,
             struct err *err)
{
    struct tar_member m = {.len = len, .mtime = x->mtime};
    unsigned char header[TAR_HEADER_MAX];
    size_t n;
    int r;

    strcpy(m.path, path);
    r = tar_write_header(header, &n, &m, err);
    return r ? r : store_out_append(x->out, header, n, err);
}

static int
write_zeros(struct creating *x, size_t n, struct err *err)
{
    static const unsigned char zeros[TAR_END];

    return store_out_append(x->out, zeros, n, err);
}

static int
write_text(struct creating *x, const char *path, const char *text, size_t len,
           struct err *err)
{
    int r = write_header(x, path, len, err);

    if (!r)
        r = store_out_append(x->out, text, len, err);
    return r ? r : write_zeros(x, tar_padding(len), err);
}

static int
write_head(struct creating *x, const struct layout_volume *v, struct err *err)
{
    char text[ARCHIVE_HEAD_MAX];
    size_t len = archive_head_print(text, &v->id);

    return write_text(x, ARCHIVE_HEAD_NAME, text, len, err);
}

static int
stream(struct creating *x, const struct archive_member *m,
       const struct bytes_in *in, struct err *err)
{
    uint64_t left;
    size_t n;
    int r = digesting_begin(x->digest, err);

    for (uint64_t at = 0; at < in->len && !r; at += n) {
        left = in->len - at;
        n = left < PIECE ? left : PIECE;
        r = in->read_at(in->from, at, x->piece, n, err);
        if (!r)
            r = digesting_add(x->digest, x->piece, n, err);
        if (!r)
            r = store_out_append(x->out, x->piece, n, err);
        if (!r)
            r = archive_stop_check(x->params->stop, err);
        progress_at(x->cell, at + n, 0);
        progress_draw(x->params->progress);
    }
    return r ? r : digesting_expect(x->digest, m->sha256, m->path, err);
}

static int
write_member(struct creating *x, const struct archive_member *m,
             struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    int r;

    r = open_file(&file, x, m->path, err);
    if (r)
        return r;
    if (reader_in(file)->len != m->len)
        return err_set(err, ERR_CORRUPT, "\"%s\" changes while it is read",
                       m->path);
    progress_begin(x->cell, m->path, m->len);
    progress_of(x->cell, m->table, m->chunk);
    r = write_header(x, m->path, m->len, err);
    if (!r)
        r = stream(x, m, reader_in(file), err);
    progress_end(x->cell, r == 0);
    return r ? r : write_zeros(x, tar_padding(m->len), err);
}

static int
write_volume(struct creating *x, const struct layout_volume *v, struct err *err)
{
    int r = 0;

    for (size_t i = v->first; i < v->end && !r; i++) {
        if (i == layout_head_at(v))
            r = write_head(x, v, err);
        if (!r)
            r = write_member(x, &x->members.all[i], err);
    }
    if (!r)
        r = write_text(x, ARCHIVE_INDEX_NAME, v->index.text, v->index.len, err);
    return r ? r : write_zeros(x, TAR_END, err);
}

/* ---- where it is written to ---- */

static int
is_same(const struct store_in *in, const struct layout_volume *v,
        const char foot[ARCHIVE_FOOT])
{
    return in->len == v->len &&
           memcmp(foot, v->index.text + v->index.len - ARCHIVE_FOOT,
                  ARCHIVE_FOOT) == 0;
}

/* What has our name is either this very archive, or nothing that we touch. */
static int
accept_existing(const char *where, const struct layout_volume *v,
                struct err *err)
{
    cleanup_(store_in_freep) struct store_in *in = NULL;
    char foot[ARCHIVE_FOOT];
    int r = store_in_open(&in, where, err);

    if (r < 0)
        return r;
    if (r == 0 && in->len >= TAR_END + ARCHIVE_FOOT && !in->is_forward) {
        r = store_in_read_all(in, in->len - TAR_END - ARCHIVE_FOOT, foot,
                              sizeof foot, err);
        if (r || is_same(in, v, foot))
            return r;
    }
    err_set(err, ERR_REFUSED, "\"%s\" exists, and is not this archive", where);
    return err_hint(err, "An archive is never written over: give another "
                         "name, or move what is there away.");
}

static int
make_volume(struct creating *x, struct archive_created *ret, unsigned i,
            struct err *err)
{
    const struct layout_volume *v = &x->layout.volumes[i];
    int split = x->params->volume_size > 0;
    cleanup_(freep) char *name = split ? volumes_name(x->params->where, i + 1)
                                       : strdup(x->params->where);
    const struct store_out_params p = {
        .where = name,
        .expected_len = v->len,
        .state_dir = run_dir_path(x->params->dir),
        .stop = x->params->stop,
    };
    int r;

    if (!name)
        return err_nomem(err);
    ret->n_bytes += v->len;
    r = store_out_open(&x->out, &p, err);
    if (!r)
        r = write_volume(x, v, err);
    if (!r)
        r = store_out_commit(x->out, err);
    x->out = store_out_free(x->out);
    if (r == STORE_E_EXISTS)
        return accept_existing(name, v, err);
    ret->n_written += r == 0;
    return r;
}

static uint64_t
sum(const struct archive_members *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        n += m->all[i].len;
    return n;
}

static int
begin_progress(struct creating *x, struct err *err)
{
    struct progress *p = x->params->progress;
    int r = progress_lane(p, "archive", 1, sum(&x->members), 0, err);

    if (!r)
        x->cell = progress_cell(p, 0, 0);
    return r;
}

static int
create(struct creating *x, struct archive_created *ret, struct err *err)
{
    int r = list_members(x, err);

    if (!r)
        r = measure_members(x, err);
    if (!r)
        r = layout_make(&x->layout, &x->members, x->mtime,
                        x->params->volume_size, err);
    if (!r)
        r = begin_progress(x, err);
    for (unsigned i = 0; i < x->layout.n_volumes && !r; i++)
        r = make_volume(x, ret, i, err);
    progress_finish(x->params->progress);
    if (!r && x->params->sign_key)
        r = signing_sign(x->params->where, x->params->sign_key, x->tags,
                         x->tags_len, err);
    ret->n_volumes = x->layout.n_volumes;
    ret->n_members = x->members.n;
    if (!r)
        memcpy(ret->bag, x->members.all[ARCHIVE_TAG_MANIFEST].sha256, 32);
    return r;
}

int
archive_create(struct archive_created *ret,
               const struct archive_create_params *p, struct err *err)
{
    cleanup_(creating_freep) struct creating *x = NULL;
    int r;

    *ret = (struct archive_created){0};
    if (store_is_stream(p->where) && (p->volume_size > 0 || p->sign_key))
        return err_set(err, ERR_USAGE,
                       "%s cannot be written to standard output",
                       p->sign_key ? "a signature" : "volumes");
    r = require_seal(p->dir, err);
    if (r)
        return r;
    x = calloc(1, sizeof *x);
    if (!x)
        return err_nomem(err);
    x->params = p;
    r = digesting_new(&x->digest, err);
    return r ? r : create(x, ret, err);
}
