/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/members.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/bag.h"
#include "formats/tar.h"

const char *const archive_tags[ARCHIVE_N_TAGS] = {
    [ARCHIVE_README] = "README.txt",
    [ARCHIVE_BAGIT] = "bagit.txt",
    [ARCHIVE_BAG_INFO] = "bag-info.txt",
    [ARCHIVE_TAG_MANIFEST] = "tagmanifest-sha256.txt",
    [ARCHIVE_MANIFEST] = "manifest-sha256.txt",
};

static int
corrupt(struct err *err, const char *name, const char *why)
{
    err_set(err, ERR_CORRUPT, "the bag does not fit together: \"%s\" %s", name,
            why);
    return -1;
}

/* ---- what a path says ---- */

static const char *
after(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

/* A number from 1 on; what comes after it, or NULL. */
static const char *
read_number(const char *at, uint64_t *ret)
{
    const char *begin = at;

    for (*ret = 0; *at >= '0' && *at <= '9' && at - begin < 19; at++)
        *ret = *ret * 10 + (uint64_t)(*at - '0');
    return at > begin && *begin != '0' ? at : NULL;
}

/* "12-name/34.text.lz4" */
static int
read_table(struct archive_member *m, const char *at)
{
    m->kind = ARCHIVE_TABLE;
    at = read_number(at, &m->table);
    if (!at || *at != '-' || !(at = strchr(at, '/')))
        return -1;
    at = read_number(at + 1, &m->chunk);
    return at && *at == '.' && !strchr(at, '/') ? 0 : -1;
}

/* "34.copy.lz4", "35-metadata.copy.lz4" */
static int
read_large_objects(struct archive_member *m, const char *at)
{
    at = read_number(at, &m->chunk);
    if (!at || strchr(at, '/'))
        return -1;
    m->kind =
        *at == '-' ? ARCHIVE_LARGE_OBJECT_METADATA : ARCHIVE_LARGE_OBJECTS;
    return *at == '.' || after(at, "-metadata.") ? 0 : -1;
}

static int
read_path(struct archive_member *m)
{
    const char *data = after(m->path, "data/"), *rest;

    if (!data || !tar_is_plain_path(m->path))
        return -1;
    if ((rest = after(data, "tables/")))
        return read_table(m, rest);
    if ((rest = after(data, "large-objects/")))
        return read_large_objects(m, rest);
    m->kind = ARCHIVE_DOCUMENT;
    rest = strchr(data, '/');
    return !rest || !strchr(rest + 1, '/') ? 0 : -1;
}

/* ---- their order ---- */

/* The catalogue before what it speaks of. */
static int
document_rank(const struct archive_member *m)
{
    return strcmp(m->path, "data/catalog.json") != 0;
}

static int
compare(const void *a, const void *b)
{
    const struct archive_member *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->chunk != y->chunk)
        return x->chunk < y->chunk ? -1 : 1;
    if (document_rank(x) != document_rank(y))
        return document_rank(x) - document_rank(y);
    return strcmp(x->path, y->path);
}

/* Two of one number would be two files of one chunk. */
static int
check_order(const struct archive_members *m, struct err *err)
{
    const char *manifest = archive_tags[ARCHIVE_MANIFEST];

    for (size_t i = ARCHIVE_N_TAGS; i + 1 < m->n; i++)
        if (m->all[i].kind == m->all[i + 1].kind &&
            m->all[i].chunk == m->all[i + 1].chunk &&
            (m->all[i].chunk > 0 ||
             strcmp(m->all[i].path, m->all[i + 1].path) == 0))
            return corrupt(err, manifest, "lists a file twice");
    if (m->n == ARCHIVE_N_TAGS ||
        strcmp(m->all[ARCHIVE_N_TAGS].path, "data/catalog.json") != 0)
        return corrupt(err, manifest, "does not list catalog.json");
    return 0;
}

/* ---- the list ---- */

void
archive_members_clear(struct archive_members *m)
{
    free(m->all);
    free(m->text);
    *m = (struct archive_members){0};
}

static size_t
count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int
add_line(struct archive_members *m, char *line, struct err *err)
{
    struct archive_member *one = &m->all[m->n];
    char *path;

    if (bag_read_entry(line, one->sha256, &path) < 0)
        return corrupt(err, archive_tags[ARCHIVE_MANIFEST], "is malformed");
    one->path = path;
    if (read_path(one) < 0) {
        corrupt(err, archive_tags[ARCHIVE_MANIFEST],
                "lists what is no file of a run");
        return err_detail(err, "The file is \"%.200s\".", path);
    }
    m->n++;
    return 0;
}

static int
parse(struct archive_members *m, struct err *err)
{
    char *rest = m->text, *line;
    int r = 0;

    m->all = calloc(ARCHIVE_N_TAGS + count_lines(m->text) + 1, sizeof *m->all);
    if (!m->all)
        return err_nomem(err);
    for (; m->n < ARCHIVE_N_TAGS; m->n++)
        m->all[m->n].path = archive_tags[m->n];
    while (!r && (line = strsep(&rest, "\n")) && *line)
        r = add_line(m, line, err);
    if (!r && rest && *rest)
        r = corrupt(err, archive_tags[ARCHIVE_MANIFEST], "is malformed");
    if (r)
        return r;
    qsort(m->all + ARCHIVE_N_TAGS, m->n - ARCHIVE_N_TAGS, sizeof *m->all,
          compare);
    return check_order(m, err);
}

int
archive_members_parse(struct archive_members *ret, char *text, struct err *err)
{
    struct archive_members m = {.text = text};
    int r = parse(&m, err);

    if (r)
        archive_members_clear(&m);
    else
        *ret = m;
    return r;
}

const struct archive_member *
archive_members_find(const struct archive_members *m, enum archive_kind kind,
                     uint64_t chunk)
{
    size_t lo = ARCHIVE_N_TAGS, hi = m->n, mid;

    while (lo < hi) {
        const struct archive_member *at = &m->all[mid = lo + (hi - lo) / 2];

        if (at->kind == kind && at->chunk == chunk)
            return at;
        if (at->kind < kind || (at->kind == kind && at->chunk < chunk))
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static int
take_tag(struct archive_members *m, char *line, unsigned *found,
         struct err *err)
{
    unsigned char sha256[32];
    char *path;

    if (bag_read_entry(line, sha256, &path) < 0)
        return corrupt(err, archive_tags[ARCHIVE_TAG_MANIFEST], "is malformed");
    for (unsigned i = 0; i < ARCHIVE_N_TAGS; i++)
        if (strcmp(path, archive_tags[i]) == 0 && i != ARCHIVE_TAG_MANIFEST &&
            !(*found & 1u << i)) {
            memcpy(m->all[i].sha256, sha256, sizeof sha256);
            *found |= 1u << i;
            return 0;
        }
    return corrupt(err, archive_tags[ARCHIVE_TAG_MANIFEST],
                   "does not list the files that it should");
}

int
archive_members_digest_tags(struct archive_members *m, const char *tagmanifest,
                            size_t len, struct err *err)
{
    cleanup_(freep) char *copy = strndup(tagmanifest, len);
    char *rest = copy, *line;
    unsigned found = 1u << ARCHIVE_TAG_MANIFEST;
    int r = 0;

    if (!copy)
        return err_nomem(err);
    SHA256((const unsigned char *)tagmanifest, len,
           m->all[ARCHIVE_TAG_MANIFEST].sha256);
    while (!r && (line = strsep(&rest, "\n")) && *line)
        r = take_tag(m, line, &found, err);
    if (!r && found != (1u << ARCHIVE_N_TAGS) - 1)
        r = corrupt(err, archive_tags[ARCHIVE_TAG_MANIFEST],
                    "does not list the files that it should");
    return r;
}

int
archive_bag_date(const char *bag_info, int64_t *ret, struct err *err)
{
    const char *at = strstr(bag_info, "\nBagging-Date: ");
    struct tm day = {0};
    const char *end;

    if (at)
        at = strchr(at, ':') + 2;
    end = at ? strptime(at, "%Y-%m-%d", &day) : NULL;
    if (!end || *end != '\n')
        return corrupt(err, archive_tags[ARCHIVE_BAG_INFO],
                       "does not say when it was sealed");
    *ret = timegm(&day);
    return 0;
}
