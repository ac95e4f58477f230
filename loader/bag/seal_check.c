/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/bag.h"
#include "formats/hex.h"
#include "io/reader.h"
#include "loader/bag/seal.h"

enum {
    SMALL_MAX = 64 << 10, /* of the small files: ours have some 400 bytes */
    PIECE = 64 << 10,     /* of the large one */
};

static int
is_there(const struct run_dir *dir, const char *name)
{
    return faccessat(run_dir_fd(dir), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
corrupt(struct err *err, const char *name, const char *why)
{
    err_set(err, ERR_CORRUPT, "the bag does not fit together: \"%s\" %s", name,
            why);
    return err_hint(err, "\"sha256sum -c\" with tagmanifest-sha256.txt, and "
                         "then with manifest-sha256.txt, finds what has "
                         "changed.  Carry the run here again.");
}

static int
open_tag(struct reader **ret, const struct run_dir *dir, const char *name,
         struct err *err)
{
    int r = reader_open(ret, run_dir_fd(dir), name, err);

    return r && err->sys == ENOENT ? corrupt(err, name, "is missing") : r;
}

/* The whole of a small one, as text to free. */
static int
read_small(char **ret, const struct run_dir *dir, const char *name,
           struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    int r;

    r = open_tag(&file, dir, name, err);
    if (r)
        return r;
    if (reader_in(file)->len > SMALL_MAX)
        return corrupt(err, name, "is too large");
    return reader_text(file, SMALL_MAX, ret, NULL, err);
}

/* ---- bagit.txt ---- */

static int
check_declaration(const struct run_dir *dir, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    int r;

    r = read_small(&text, dir, "bagit.txt", err);
    if (r)
        return r;
    switch (bag_check_declaration(text, strlen(text))) {
    case 0:
        return 0;
    case BAG_E_VERSION:
        return corrupt(err, "bagit.txt", "is of another version than 1.0");
    default:
        return corrupt(err, "bagit.txt", "is not one");
    }
}

/* ---- tagmanifest-sha256.txt ---- */

static int
check_digest(const struct run_dir *dir, const char *name,
             const unsigned char expected[32], struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char found[32];
    int r;

    r = open_tag(&file, dir, name, err);
    if (!r)
        r = reader_sha256(file, found, err);
    if (r)
        return r;
    return memcmp(found, expected, sizeof found) == 0
               ? 0
               : corrupt(err, name, "is not the one that was sealed");
}

static int
check_tags(const struct run_dir *dir, struct err *err)
{
    static const char list[] = "tagmanifest-sha256.txt";
    cleanup_(freep) char *text = NULL;
    char *at, *line, *path;
    unsigned char sha256[32];
    int has_manifest = 0, r;

    r = read_small(&text, dir, list, err);
    for (at = text; !r && (line = strsep(&at, "\n")) && *line;) {
        if (bag_read_entry(line, sha256, &path) < 0)
            return corrupt(err, list, "is malformed");
        has_manifest |= strcmp(path, "manifest-sha256.txt") == 0;
        r = check_digest(dir, path, sha256, err);
    }
    if (!r && !has_manifest)
        r = corrupt(err, list, "does not list manifest-sha256.txt");
    return r;
}

/* ---- manifest-sha256.txt ---- */

/* Looks for one line in a file of any length; a line that is longer than a
   piece is not one of ours. */
static int
find_entry(const struct bytes_in *in, const char *wanted,
           unsigned char ret_sha256[32], struct err *err)
{
    char piece[PIECE + 1], *line, *end, *path;
    int r;

    for (uint64_t offset = 0; offset < in->len;) {
        size_t n = in->len - offset < PIECE ? in->len - offset : PIECE;

        r = in->read_at(in->from, offset, piece, n, err);
        if (r)
            return r;
        piece[n] = '\0';
        for (line = piece; (end = memchr(line, '\n', n - (line - piece)));
             line = end + 1) {
            *end = '\0';
            if (bag_read_entry(line, ret_sha256, &path) == 0 &&
                strcmp(path, wanted) == 0)
                return 0;
        }
        if (line == piece)
            break;
        offset += (size_t)(line - piece);
    }
    return corrupt(err, "manifest-sha256.txt", "does not list catalog.json");
}

/* ---- marks ---- */

int
seal_read_marks(struct seal_marks *ret, const struct run_dir *dir,
                struct err *err)
{
    static const char label[] = "\nMerkle-Root: ";
    cleanup_(freep) char *tags = NULL, *info = NULL;
    unsigned char sha256[32];
    const char *at;
    int r;

    *ret = (struct seal_marks){0};
    if (!seal_is_there(dir))
        return 0;
    r = read_small(&tags, dir, "tagmanifest-sha256.txt", err);
    if (!r)
        r = read_small(&info, dir, "bag-info.txt", err);
    if (r)
        return r;
    SHA256((const unsigned char *)tags, strlen(tags), sha256);
    hex_encode(ret->bag, sha256, sizeof sha256);
    at = strstr(info, label);
    if (at && strcspn(at + strlen(label), "\n") == sizeof ret->root - 1)
        memcpy(ret->root, at + strlen(label), sizeof ret->root - 1);
    return 0;
}

/* Everything else is checked by what stands there. */
static int
check_catalog(const struct run_dir *dir, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char sha256[32];
    int r;

    r = open_tag(&file, dir, "manifest-sha256.txt", err);
    if (!r)
        r = find_entry(reader_in(file), "data/catalog.json", sha256, err);
    return r ? r : check_digest(dir, "data/catalog.json", sha256, err);
}

int
seal_check(const struct run_dir *dir, struct err *err)
{
    int r;

    if (!seal_is_there(dir))
        return is_there(dir, "bagit.txt") ? check_declaration(dir, err) : 0;
    r = check_declaration(dir, err);
    if (!r)
        r = check_tags(dir, err);
    return r ? r : check_catalog(dir, err);
}
