/* SPDX-License-Identifier: PostgreSQL */
#include "formats/archive_index.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"

enum { HEX = 65, LINE_MAX_LEN = 2 * 21 + HEX + TAR_PATH_MAX + 1 };

static const char index_head[] = "pghaul archive index\n";

static int
malformed(const char *archive, const char *what, struct err *err)
{
    err_set(err, ERR_CORRUPT, "\"%s\" is not an archive as pghaul writes it",
            archive);
    return err_detail(err, "Its %s is malformed.", what);
}

static int
too_new(const char *archive, unsigned version, struct err *err)
{
    err_set(err, ERR_REFUSED, "archive \"%s\" has version %u", archive,
            version);
    return err_hint(err, "It was written by a newer pghaul: use that, or "
                         "unpack it with tar and follow its README.txt.");
}

/* "pghaul archive 2 ...": whatever follows may be different. */
static int
refuse_newer(const char *text, const char *archive, struct err *err)
{
    unsigned version;

    if (sscanf(text, "pghaul archive %9u", &version) == 1 &&
        version > ARCHIVE_VERSION)
        return too_new(archive, version, err);
    return 0;
}

/* ---- archive.txt ---- */

size_t
archive_head_print(char to[ARCHIVE_HEAD_MAX], const struct archive_volume *v)
{
    char hex[HEX];

    hex_encode(hex, v->bag, 32);
    return (size_t)snprintf(to, ARCHIVE_HEAD_MAX,
                            "pghaul archive %d\nvolume %u of %u\nbag %s\n",
                            ARCHIVE_VERSION, v->number, v->n, hex);
}

static int
is_volume(const struct archive_volume *v)
{
    return v->number >= 1 && v->number <= v->n && v->n <= ARCHIVE_VOLUMES_MAX;
}

int
archive_head_parse(struct archive_volume *ret, const char *text, size_t len,
                   const char *archive, struct err *err)
{
    char copy[ARCHIVE_HEAD_MAX] = "", again[ARCHIVE_HEAD_MAX];
    char hex[HEX] = "";

    memcpy(copy, text, len < sizeof copy ? len : sizeof copy - 1);
    if (refuse_newer(copy, archive, err))
        return -1;
    /* What is not, byte for byte, what we would print is not ours. */
    if (sscanf(copy, "pghaul archive %*u volume %9u of %9u bag %64[0-9a-f]",
               &ret->number, &ret->n, hex) != 3 ||
        hex_decode(ret->bag, 32, hex) || !is_volume(ret) ||
        archive_head_print(again, ret) != len || memcmp(again, text, len) != 0)
        return malformed(archive, ARCHIVE_HEAD_NAME, err);
    return 0;
}

/* ---- writing the index ---- */

static int
make_room(struct archive_index *x, size_t more, struct err *err)
{
    size_t room = x->room ? x->room : 64 << 10;
    char *grown;

    while (room < x->len + more)
        room *= 2;
    if (room == x->room)
        return 0;
    grown = realloc(x->text, room);
    if (!grown)
        return err_nomem(err);
    x->text = grown;
    x->room = room;
    return 0;
}

static void
append(struct archive_index *x, const char *text)
{
    size_t len = strlen(text);

    assert(x->len + len <= x->room);
    memcpy(x->text + x->len, text, len);
    x->len += len;
}

int
archive_index_add(struct archive_index *x, const struct archive_place *p,
                  struct err *err)
{
    char line[LINE_MAX_LEN + 1], hex[HEX];

    if (make_room(x, LINE_MAX_LEN + sizeof index_head, err))
        return -1;
    if (x->len == 0)
        append(x, index_head);
    hex_encode(hex, p->sha256, 32);
    snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " %s %s\n", p->offset,
             p->len, hex, p->path);
    append(x, line);
    return 0;
}

void
archive_index_clear(struct archive_index *x)
{
    free(x->text);
    *x = (struct archive_index){0};
}

static void
print_foot(char to[ARCHIVE_FOOT], const struct archive_foot *f)
{
    char bag[HEX], sha256[HEX], text[ARCHIVE_FOOT];

    hex_encode(bag, f->volume.bag, 32);
    hex_encode(sha256, f->sha256, 32);
    snprintf(text, sizeof text,
             "pghaul archive %d foot\nvolume %u of %u\nbag %s\nindex %" PRIu64
             " %" PRIu64 " %s",
             ARCHIVE_VERSION, f->volume.number, f->volume.n, bag, f->offset,
             f->len, sha256);
    snprintf(to, ARCHIVE_FOOT, "%-*s", ARCHIVE_FOOT - 1, text);
    to[ARCHIVE_FOOT - 1] = '\n';
}

int
archive_index_end(struct archive_index *x, const struct archive_volume *v,
                  uint64_t offset, struct err *err)
{
    struct archive_foot foot = {.volume = *v, .offset = offset};
    size_t padding;

    if (make_room(x, sizeof index_head + 2 * TAR_BLOCK, err))
        return -1;
    if (x->len == 0)
        append(x, index_head);
    padding = tar_padding(x->len);
    memset(x->text + x->len, '\n', padding);
    x->len += padding;
    foot.len = x->len;
    SHA256((const unsigned char *)x->text, x->len, foot.sha256);
    print_foot(x->text + x->len, &foot);
    x->len += ARCHIVE_FOOT;
    return 0;
}

/* ---- reading it ---- */

int
archive_foot_parse(struct archive_foot *ret, const char block[ARCHIVE_FOOT],
                   const char *archive, struct err *err)
{
    char copy[ARCHIVE_FOOT + 1] = "", again[ARCHIVE_FOOT];
    char bag[HEX] = "", sha256[HEX] = "";

    memcpy(copy, block, ARCHIVE_FOOT);
    if (refuse_newer(copy, archive, err))
        return -1;
    if (sscanf(copy,
               "pghaul archive %*u foot volume %9u of %9u bag %64[0-9a-f]"
               " index %18" SCNu64 " %18" SCNu64 " %64[0-9a-f]",
               &ret->volume.number, &ret->volume.n, bag, &ret->offset,
               &ret->len, sha256) != 6 ||
        hex_decode(ret->volume.bag, 32, bag) ||
        hex_decode(ret->sha256, 32, sha256) || !is_volume(&ret->volume)) {
        err_set(err, ERR_CORRUPT,
                "\"%s\" does not end as an archive of pghaul does", archive);
        return err_hint(err, "It is not one, or is cut short, or something "
                             "has been added to it.");
    }
    print_foot(again, ret);
    return memcmp(again, block, ARCHIVE_FOOT) == 0
               ? 0
               : malformed(archive, "foot", err);
}

int
archive_index_next(char **at, struct archive_place *ret, const char *archive,
                   struct err *err)
{
    char *line, hex[HEX] = "";
    int path_at = 0;

    if (!*at)
        return 0;
    if (strncmp(*at, index_head, strlen(index_head)) == 0)
        *at += strlen(index_head);
    line = strsep(at, "\n");
    if (!*line)
        return *at && (*at)[strspn(*at, "\n")]
                   ? malformed(archive, ARCHIVE_INDEX_NAME, err)
                   : 0;
    if (sscanf(line, "%18" SCNu64 " %18" SCNu64 " %64[0-9a-f] %n", &ret->offset,
               &ret->len, hex, &path_at) != 3 ||
        path_at == 0 || hex_decode(ret->sha256, 32, hex) ||
        !tar_is_plain_path(line + path_at))
        return malformed(archive, ARCHIVE_INDEX_NAME, err);
    ret->path = line + path_at;
    return 1;
}
