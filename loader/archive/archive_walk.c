/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bag.h"
#include "formats/tar.h"
#include "loader/archive/archive_private.h"

enum {
    TAG_MAX = 4 << 20,      /* of a tag that is not the manifest */
    MANIFEST_MAX = 1 << 30, /* of the manifest: some 8 million files */
};

/* ---- bytes ---- */

static int
get(struct archive_in *a, void *to, size_t len, struct err *err)
{
    int r = store_in_read_all(a->store, a->at, to, len, err);

    if (!r)
        a->at += len;
    return r;
}

static int
get_zeros(struct archive_in *a, size_t len, struct err *err)
{
    unsigned char found[TAR_END], zeros[TAR_END] = {0};
    int r = get(a, found, len, err);

    if (r || memcmp(found, zeros, len) == 0)
        return r;
    return archive_not_ours(a, err,
                            "There are bytes between two members, before "
                            "offset %" PRIu64,
                            a->at);
}

static int
get_header(struct archive_in *a, struct tar_member *ret, struct err *err)
{
    unsigned char header[TAR_HEADER_MAX];
    size_t len;
    int r = get(a, header, TAR_BLOCK, err);

    if (r)
        return r;
    len = tar_header_len(header);
    if (len == 0)
        return archive_not_ours(a, err, "It ends before its index");
    r = get(a, header + TAR_BLOCK, len - TAR_BLOCK, err);
    if (!r)
        r = tar_read_header(ret, header, len, a->params.where, err);
    if (r)
        return r;
    if (a->id.n == 0 && a->at == len)
        a->mtime = ret->mtime; /* the first of all */
    return ret->mtime == a->mtime
               ? 0
               : archive_not_ours(a, err, "Member \"%s\" has another time",
                                  ret->path);
}

static int
unexpected(const struct archive_in *a, const char *found, const char *expected,
           struct err *err)
{
    return archive_not_ours(a, err, "Member \"%s\" stands where \"%s\" should",
                            found, expected);
}

/* Its data, as text to free; no more is taken than comes. */
static int
get_text(struct archive_in *a, struct archive_text *ret, uint64_t len,
         uint64_t max, struct err *err)
{
    size_t n = 0, part;
    char *text = NULL, *grown;
    int r = 0;

    if (len > max)
        return archive_not_ours(
            a, err, "A file that describes it has %" PRIu64 " bytes", len);
    do {
        part = len - n < ARCHIVE_PIECE ? len - n : ARCHIVE_PIECE;
        grown = realloc(text, n + part + 1);
        if (!grown) {
            free(text);
            return err_nomem(err);
        }
        text = grown;
        r = get(a, text + n, part, err);
        n += part;
    } while (!r && n < len);
    if (!r)
        r = get_zeros(a, tar_padding(len), err);
    if (r) {
        free(text);
        return r;
    }
    text[n] = '\0';
    *ret = (struct archive_text){text, n};
    return 0;
}

/* ---- heads and ends of volumes ---- */

static int
get_head(struct archive_in *a, struct err *err)
{
    struct archive_text text = {0};
    struct archive_volume id = {0};
    struct tar_member m;
    int r = get_header(a, &m, err);

    if (!r && strcmp(m.path, ARCHIVE_HEAD_NAME) != 0)
        return unexpected(a, m.path, ARCHIVE_HEAD_NAME, err);
    if (!r)
        r = get_text(a, &text, m.len, ARCHIVE_HEAD_MAX, err);
    if (!r)
        r = archive_head_parse(&id, text.at, text.len, a->store->name, err);
    free(text.at);
    if (r)
        return r;
    if (id.number != a->id.number + 1 ||
        (a->id.n > 0 && (id.n != a->id.n || memcmp(id.bag, a->id.bag, 32))))
        return archive_not_ours(a, err,
                                "Volume %u of %u stands where volume %u of "
                                "this archive should",
                                id.number, id.n, a->id.number + 1);
    a->id = id;
    return 0;
}

static int
begin_volume(struct archive_in *a, struct err *err)
{
    if (!a->is_forward) {
        a->store = a->stores[a->id.number];
        a->at = 0;
    }
    a->base = a->at;
    return get_head(a, err);
}

static int
check_end(struct archive_in *a, struct err *err)
{
    unsigned char more;
    size_t n = 0;
    int r;

    if (a->is_forward && a->id.number < a->id.n)
        return 0;
    r = store_in_read(a->store, a->at, &more, 1, &n, err);
    return r || n == 0
               ? r
               : archive_not_ours(a, err, "Something follows behind its end");
}

/* The index is known: it lists what was met. */
static int
end_volume(struct archive_in *a, const struct tar_member *m, struct err *err)
{
    uint64_t offset = a->at - a->base;
    size_t n;
    int r = archive_index_end(&a->index, &a->id, offset, err);

    if (!r && m->len != a->index.len)
        r = archive_not_ours(a, err, "Its index is not of what is in it");
    for (size_t at = 0; at < a->index.len && !r; at += n) {
        n = a->index.len - at < ARCHIVE_PIECE ? a->index.len - at
                                              : ARCHIVE_PIECE;
        r = get(a, a->piece, n, err);
        if (!r && memcmp(a->piece, a->index.text + at, n) != 0)
            r = archive_not_ours(a, err, "Its index is not of what is in it");
    }
    archive_index_clear(&a->index);
    if (!r)
        r = get_zeros(a, TAR_END, err);
    return r ? r : check_end(a, err);
}

/* ---- the tags ---- */

static int
walk_tag(struct archive_in *a, unsigned i, struct err *err)
{
    struct tar_member m;
    int r = get_header(a, &m, err);

    if (r)
        return r;
    if (strcmp(m.path, archive_tags[i]) != 0)
        return unexpected(a, m.path, archive_tags[i], err);
    a->tag_places[i] = (struct archive_member){
        .volume = 1, .offset = a->at, .len = m.len, .path = archive_tags[i]};
    r = get_text(a, &a->tags[i], m.len,
                 i == ARCHIVE_MANIFEST ? MANIFEST_MAX : TAG_MAX, err);
    return r || i != ARCHIVE_README ? r : get_head(a, err);
}

static int
enter(struct archive_in *a, const struct archive_member *m, struct err *err)
{
    struct archive_place p = {
        .offset = m->offset, .len = m->len, .path = m->path};

    memcpy(p.sha256, m->sha256, 32);
    return archive_index_add(&a->index, &p, err);
}

/* What was read is what the list of them says. */
static int
check_tag(struct archive_in *a, unsigned i, struct err *err)
{
    struct archive_member *m = &a->members.all[i];
    const struct archive_text *text = &a->tags[i];
    int r = digesting_begin(a->digest, err);

    if (!r)
        r = digesting_add(a->digest, text->at, text->len, err);
    if (!r)
        r = digesting_expect(a->digest, m->sha256, m->path, err);
    m->volume = a->tag_places[i].volume;
    m->offset = a->tag_places[i].offset;
    m->len = a->tag_places[i].len;
    return r ? r : enter(a, m, err);
}

static int
check_bag(struct archive_in *a, struct err *err)
{
    const struct archive_text *bagit = &a->tags[ARCHIVE_BAGIT];
    int64_t date = 0;
    int r;

    if (bag_check_declaration(bagit->at, bagit->len) != 0)
        return archive_not_ours(a, err, "Its bagit.txt is of no bag of ours");
    if (memcmp(a->members.all[ARCHIVE_TAG_MANIFEST].sha256, a->id.bag, 32))
        return archive_not_ours(a, err, "It is of another bag than it says");
    r = archive_bag_date(a->tags[ARCHIVE_BAG_INFO].at, &date, err);
    if (!r && date != a->mtime)
        r = archive_not_ours(a, err,
                             "Its members have another date than its bag");
    return r;
}

int
archive_walk_tags(struct archive_in *a, struct err *err)
{
    char *manifest;
    int r = 0;

    for (unsigned i = 0; i < ARCHIVE_N_TAGS && !r; i++)
        r = walk_tag(a, i, err);
    if (r)
        return r;
    manifest =
        strndup(a->tags[ARCHIVE_MANIFEST].at, a->tags[ARCHIVE_MANIFEST].len);
    if (!manifest)
        return err_nomem(err);
    r = archive_members_parse(&a->members, manifest, err);
    if (!r)
        r = archive_members_digest_tags(&a->members,
                                        a->tags[ARCHIVE_TAG_MANIFEST].at,
                                        a->tags[ARCHIVE_TAG_MANIFEST].len, err);
    for (unsigned i = 0; i < ARCHIVE_N_TAGS && !r; i++)
        r = check_tag(a, i, err);
    a->next = ARCHIVE_N_TAGS;
    return r ? r : check_bag(a, err);
}

/* ---- members ---- */

const struct archive_member *
archive_in_peek(const struct archive_in *a)
{
    return a->next < a->members.n ? &a->members.all[a->next] : NULL;
}

/* Behind what was taken of the last one, or not. */
static int
leave(struct archive_in *a, struct err *err)
{
    size_t padding = a->padding;

    a->padding = 0;
    if (a->left == 0)
        return get_zeros(a, padding, err);
    a->at += a->left + padding;
    a->left = 0;
    return 0;
}

/* What the index has said of it, or what is known now. */
static int
locate(struct archive_in *a, struct archive_member *m, uint64_t len,
       struct err *err)
{
    uint64_t offset = a->at - a->base;

    if (m->volume == 0) {
        m->volume = a->id.number;
        m->offset = offset;
        m->len = len;
    }
    if (m->volume != a->id.number || m->offset != offset || m->len != len)
        return archive_not_ours(
            a, err, "Member \"%s\" is not where its index has it", m->path);
    return enter(a, m, err);
}

static int
next_member(struct archive_in *a, struct tar_member *found, struct err *err)
{
    int r = get_header(a, found, err);

    if (r || strcmp(found->path, ARCHIVE_INDEX_NAME) != 0)
        return r;
    if (a->id.number == a->id.n)
        return archive_not_ours(a, err, "\"%s\" is missing",
                                a->members.all[a->next].path);
    r = end_volume(a, found, err);
    if (!r)
        r = begin_volume(a, err);
    return r ? r : get_header(a, found, err);
}

static int
end(struct archive_in *a, struct err *err)
{
    struct tar_member found;
    int r = get_header(a, &found, err);

    if (!r && strcmp(found.path, ARCHIVE_INDEX_NAME) != 0)
        return unexpected(a, found.path, ARCHIVE_INDEX_NAME, err);
    if (!r && a->id.number < a->id.n)
        return archive_not_ours(a, err, "All is in it before its last volume");
    if (!r)
        r = end_volume(a, &found, err);
    return r ? r : ARCHIVE_E_END;
}

int
archive_in_next(struct archive_in *a, const struct archive_member **ret,
                struct err *err)
{
    struct tar_member found;
    struct archive_member *m;
    int r = archive_stop_check(a->params.stop, err);

    if (!r)
        r = leave(a, err);
    if (!r && a->next == a->members.n)
        return end(a, err);
    if (!r)
        r = next_member(a, &found, err);
    if (r)
        return r;
    m = &a->members.all[a->next];
    if (strcmp(found.path, m->path) != 0)
        return unexpected(a, found.path, m->path, err);
    r = locate(a, m, found.len, err);
    if (r)
        return r;
    a->next++;
    a->left = m->len;
    a->padding = tar_padding(m->len);
    *ret = m;
    return 0;
}

int
archive_in_take(struct archive_in *a, archive_take *give, void *arg,
                struct err *err)
{
    const struct archive_member *m = &a->members.all[a->next - 1];
    size_t n;
    int r = digesting_begin(a->digest, err);

    while (!r && a->left > 0) {
        n = a->left < ARCHIVE_PIECE ? a->left : ARCHIVE_PIECE;
        r = get(a, a->piece, n, err);
        a->left -= r ? 0 : n;
        if (!r)
            r = digesting_add(a->digest, a->piece, n, err);
        if (!r && give)
            r = give(arg, a->piece, n, err);
        if (!r)
            r = archive_stop_check(a->params.stop, err);
    }
    return r ? r : digesting_expect(a->digest, m->sha256, m->path, err);
}
