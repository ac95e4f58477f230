/* SPDX-License-Identifier: PostgreSQL */
#include "formats/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "io/cleanup.h"
#include "io/printable.h"

enum { MODE = 0600 };

int
tar_is_plain_path(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-+";

    if (strlen(path) >= TAR_PATH_MAX)
        return 0;
    for (;; path++) {
        size_t n = strspn(path, allowed);

        if (n == 0 || (n <= 2 && strncmp(path, "..", n) == 0))
            return 0;
        path += n;
        if (*path != '/')
            return *path == '\0';
    }
}

static struct archive *
writer_free(struct archive *a)
{
    archive_write_free(a);
    return NULL;
}
DEFINE_CLEANUP(struct archive *, writer_free)

static struct archive *
reader_free(struct archive *a)
{
    archive_read_free(a);
    return NULL;
}
DEFINE_CLEANUP(struct archive *, reader_free)

static struct archive_entry *
entry_free(struct archive_entry *e)
{
    archive_entry_free(e);
    return NULL;
}
DEFINE_CLEANUP(struct archive_entry *, entry_free)

/* ---- writing ---- */

struct header {
    unsigned char *to;
    size_t len;
    int is_complete; /* data, which will not come this way, are not wanted */
};

static la_ssize_t
take_bytes(struct archive *a, void *arg, const void *data, size_t len)
{
    struct header *h = arg;

    if (h->is_complete || h->len + len > TAR_HEADER_MAX) {
        archive_set_error(a, ENAMETOOLONG, "header too long");
        return -1;
    }
    memcpy(h->to + h->len, data, len);
    h->len += len;
    return (la_ssize_t)len;
}

static struct archive_entry *
make_entry(const struct tar_member *m)
{
    struct archive_entry *e = archive_entry_new();

    if (!e)
        return NULL;
    archive_entry_set_pathname(e, m->path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, MODE);
    archive_entry_set_size(e, (la_int64_t)m->len);
    archive_entry_set_mtime(e, (time_t)m->mtime, 0);
    archive_entry_set_uid(e, 0);
    archive_entry_set_gid(e, 0);
    return e;
}

int
tar_write_header(unsigned char to[TAR_HEADER_MAX], size_t *ret_len,
                 const struct tar_member *m, struct err *err)
{
    struct header h = {.to = to};
    cleanup_(writer_freep) struct archive *a = archive_write_new();
    cleanup_(entry_freep) struct archive_entry *e = make_entry(m);
    int r;

    if (!a || !e)
        return err_nomem(err);
    /* Unblocked: each write arrives as it is made. */
    if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
        archive_write_open(a, &h, NULL, take_bytes, NULL) != ARCHIVE_OK)
        return err_nomem(err);
    r = archive_write_header(a, e);
    *ret_len = h.len;
    h.is_complete = 1; /* not archive_write_fail(): that would leak */
    if (r == ARCHIVE_OK && (h.len == TAR_BLOCK || h.len == TAR_HEADER_MAX))
        return 0;
    err_set(err, ERR_SYSTEM, "could not make a tar header for \"%s\"", m->path);
    if (archive_error_string(a))
        err_detail(err, "%s", archive_error_string(a));
    return -1;
}

/* ---- reading ---- */

size_t
tar_header_len(const unsigned char block[TAR_BLOCK])
{
    static const unsigned char zeros[TAR_BLOCK];
    enum { TYPE_AT = 156 };

    if (memcmp(block, zeros, TAR_BLOCK) == 0)
        return 0;
    return block[TYPE_AT] == 'x' ? TAR_HEADER_MAX : TAR_BLOCK;
}

static int
not_ours(const char *archive, const char *path, const char *what,
         struct err *err)
{
    char shown[PRINTABLE_SIZE(TAR_PATH_MAX)];

    err_set(err, ERR_CORRUPT, "\"%s\" is not an archive as pghaul writes it",
            archive);
    if (path)
        return err_detail(err, "Member \"%s\" %s.",
                          printable(shown, sizeof shown, path), what);
    return err_detail(err, "%s.", what);
}

static const char *
why_not(struct archive_entry *e, const char *path)
{
    if (archive_entry_hardlink(e))
        return "is a hard link";
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        break;
    case AE_IFLNK:
        return "is a symbolic link";
    case AE_IFDIR:
        return "is a directory";
    case AE_IFCHR:
    case AE_IFBLK:
        return "is a device";
    case AE_IFIFO:
        return "is a FIFO";
    default:
        return "is no regular file";
    }
    if (archive_entry_sparse_count(e) > 0)
        return "is a sparse file";
    if (!tar_is_plain_path(path))
        return "has a name that is not allowed";
    if (!archive_entry_size_is_set(e) || archive_entry_size(e) < 0)
        return "has no length";
    return NULL;
}

/* What it says of itself, whoever wrote it. */
static int
parse(struct tar_member *ret, const unsigned char *header, size_t len,
      const char *archive, struct err *err)
{
    cleanup_(reader_freep) struct archive *a = archive_read_new();
    struct archive_entry *e;
    const char *path, *why;

    if (!a)
        return err_nomem(err);
    if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_open_memory(a, header, len) != ARCHIVE_OK ||
        archive_read_next_header(a, &e) != ARCHIVE_OK)
        return not_ours(archive, NULL, "A header is damaged, or is no tar's",
                        err);
    path = archive_entry_pathname(e);
    if (!path)
        return not_ours(archive, NULL, "A member has no name", err);
    why = why_not(e, path);
    if (why)
        return not_ours(archive, path, why, err);
    strcpy(ret->path, path);
    ret->len = (uint64_t)archive_entry_size(e);
    ret->mtime = archive_entry_mtime(e);
    return 0;
}

int
tar_read_header(struct tar_member *ret, const unsigned char *header, size_t len,
                const char *archive, struct err *err)
{
    unsigned char ours[TAR_HEADER_MAX];
    size_t ours_len;
    int r;

    r = parse(ret, header, len, archive, err);
    if (!r)
        r = tar_write_header(ours, &ours_len, ret, err);
    if (r)
        return r;
    if (ours_len == len && memcmp(ours, header, len) == 0)
        return 0;
    return not_ours(archive, ret->path,
                    "has a header that says more than its "
                    "name and its length",
                    err);
}
