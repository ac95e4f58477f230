/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/staged.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/fd.h"

enum { PIECE = 256 << 10 }; /* stays in a core's cache */

/* name is below data/. */
static int
open_file(struct reader **ret, const struct run_dir *dir, const char *name,
          struct err *err)
{
    char *path;
    int r;

    if (asprintf(&path, "data/%s", name) < 0)
        return err_nomem(err);
    r = reader_open(ret, run_dir_fd(dir), path, err);
    free(path);
    if (r && err->sys == ENOENT)
        return err_set(err, ERR_CORRUPT, "\"%s\" is missing", name);
    return r;
}

static int
compare(const char *name, const unsigned char found[32],
        const unsigned char expected[32], struct err *err)
{
    if (memcmp(found, expected, 32) == 0)
        return 0;
    err_set(err, ERR_CORRUPT, "\"%s\" is damaged", name);
    return err_detail(err, "Its SHA-256 is not the one in the catalogue.");
}

int
staged_digest(const struct run_dir *dir, const char *name,
              unsigned char ret_sha256[32], struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    int r;

    r = open_file(&file, dir, name, err);
    return r ? r : reader_sha256(file, ret_sha256, err);
}

int
staged_check(const struct run_dir *dir, const char *name,
             const unsigned char sha256[32], struct err *err)
{
    unsigned char found[32];
    int r;

    r = staged_digest(dir, name, found, err);
    return r ? r : compare(name, found, sha256, err);
}

struct staged {
    const struct staged_source *from;
    const struct bytes_in *in; /* the plain ones, when all is checked */
    struct reader *file;       /* of the run directory; or else... */
    void *held;                /* ...of the source */
    struct age_view *view;     /* of what is encrypted */
};

const struct bytes_in *
staged_in(const struct staged *s)
{
    return s->in;
}

/* ---- what is encrypted ---- */

static int
is_encrypted(const char *name)
{
    static const char end[] = STAGED_ENCRYPTED;
    size_t len = strlen(name), n = sizeof end - 1;

    return len > n && strcmp(name + len - n, end) == 0;
}

static int
begin_view(struct age_view *v, const struct bytes_in *in,
           const struct age_identities *identities, struct err *err)
{
    cleanup_(age_identities_freep) struct age_identities *none = NULL;
    int r = identities ? 0 : age_identities_new(&none, err);

    if (!r)
        r = age_view_begin(v, in, identities ? identities : none, err);
    if (r && err->class == ERR_REFUSED)
        err_hint(err, "Give one of the secret keys that it was encrypted to "
                      "with --identity or --identity-command.");
    return r;
}

/* From here on its plain bytes are read. */
static int
decrypt(struct staged *s, const char *name,
        const struct age_identities *identities, struct err *err)
{
    int r;

    if (!is_encrypted(name))
        return 0;
    r = age_view_new(&s->view, err);
    if (!r)
        r = begin_view(s->view, s->in, identities, err);
    if (!r)
        s->in = age_view_in(s->view);
    return r;
}

int
staged_check_key(const struct run_dir *dir, const char *name,
                 const struct age_identities *identities, struct err *err)
{
    cleanup_(staged_freep) struct staged *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    r = open_file(&s->file, dir, name, err);
    if (r)
        return r;
    s->in = reader_in(s->file);
    return decrypt(s, name, identities, err);
}

/* ---- documents ---- */

int
staged_open_document(struct staged **ret, const struct staged_document *d,
                     struct err *err)
{
    cleanup_(staged_freep) struct staged *s = calloc(1, sizeof *s);
    unsigned char found[32];
    int r;

    if (!s)
        return err_nomem(err);
    r = open_file(&s->file, d->dir, d->name, err);
    if (!r)
        r = reader_sha256(s->file, found, err);
    if (!r)
        r = compare(d->name, found, d->sha256, err);
    if (r)
        return r;
    s->in = reader_in(s->file);
    r = decrypt(s, d->name, d->identities, err);
    if (!r)
        *ret = take(s);
    return r;
}

static int
write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    ssize_t n;

    for (; len > 0; at += n, len -= (size_t)n) {
        n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            n = 0;
        if (n < 0)
            return err_sys(err, errno, "could not write to memory");
    }
    return 0;
}

static int
copy_into(int fd, const struct bytes_in *in, struct err *err)
{
    cleanup_(freep) unsigned char *piece = malloc(PIECE);
    size_t n;
    int r = piece ? 0 : err_nomem(err);

    for (uint64_t at = 0; at < in->len && !r; at += n) {
        n = in->len - at < PIECE ? in->len - at : PIECE;
        r = in->read_at(in->from, at, piece, n, err);
        if (!r)
            r = write_all(fd, piece, n, err);
    }
    return r;
}

int
staged_document_fd(int *ret_fd, const struct staged_document *d,
                   struct err *err)
{
    cleanup_(staged_freep) struct staged *s = NULL;
    cleanup_(fd_closep) int fd = -1;
    char path[80];
    int r = staged_open_document(&s, d, err);

    if (r)
        return r;
    snprintf(path, sizeof path, "data/%s", d->name);
    /* Not close-on-exec: the child opens it by its number. */
    fd = s->view ? memfd_create("pghaul-document", 0)
                 : openat(run_dir_fd(d->dir), path, O_RDONLY | O_NOFOLLOW);
    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (s->view)
        r = copy_into(fd, s->in, err);
    if (!r)
        *ret_fd = fd_take(&fd);
    return r;
}

/* ---- chunks ---- */

static EVP_MD_CTX *
digest_free(EVP_MD_CTX *digest)
{
    EVP_MD_CTX_free(digest);
    return NULL;
}
DEFINE_CLEANUP(EVP_MD_CTX *, digest_free)

/* What reader_sha256() does for a file. */
static int
digest_bytes(const struct bytes_in *in, unsigned char ret[32], struct err *err)
{
    cleanup_(digest_freep) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    cleanup_(freep) unsigned char *piece = malloc(PIECE);
    int good = digest && piece && EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    size_t n;
    int r = 0;

    for (uint64_t at = 0; good && at < in->len && !r; at += n) {
        n = in->len - at < PIECE ? in->len - at : PIECE;
        r = in->read_at(in->from, at, piece, n, err);
        good = r || EVP_DigestUpdate(digest, piece, n);
    }
    if (r)
        return r;
    if (good && EVP_DigestFinal_ex(digest, ret, NULL))
        return 0;
    return err_set(err, ERR_SYSTEM, "could not compute the SHA-256 of \"%s\"",
                   in->name);
}

static int
check_bytes(const struct staged *s, const struct catalog_chunk *k,
            struct err *err)
{
    unsigned char found[32];
    int r;

    if (s->in->len != k->file_len) {
        err_set(err, ERR_CORRUPT, "\"%s\" has the wrong length", k->file);
        return err_detail(err, "It has %" PRIu64 " bytes, not %" PRIu64 ".",
                          s->in->len, k->file_len);
    }
    r = s->file ? reader_sha256(s->file, found, err)
                : digest_bytes(s->in, found, err);
    return r ? r : compare(k->file, found, k->sha256, err);
}

static int
open_bytes(struct staged *s, const struct catalog_chunk *k, struct err *err)
{
    const struct staged_source *from = s->from;
    int r;

    if (from->ops)
        return from->ops->open(from->arg, k, &s->in, &s->held, err);
    r = open_file(&s->file, from->dir, k->file, err);
    if (!r)
        s->in = reader_in(s->file);
    return r;
}

int
staged_open(struct staged **ret, const struct staged_source *from,
            const struct catalog_chunk *k, struct err *err)
{
    cleanup_(staged_freep) struct staged *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    s->from = from;
    r = open_bytes(s, k, err);
    if (!r)
        r = check_bytes(s, k, err);
    if (!r)
        r = decrypt(s, k->file, from->identities, err);
    if (!r)
        *ret = take(s);
    return r;
}

struct staged *
staged_free(struct staged *s)
{
    if (!s)
        return NULL;
    age_view_free(s->view);
    if (s->held)
        s->from->ops->close(s->from->arg, s->held);
    reader_free(s->file);
    free(s);
    return NULL;
}

int
staged_open_checked(struct staged **ret, const struct bytes_in *in,
                    const char *name, const struct age_identities *identities,
                    struct err *err)
{
    cleanup_(staged_freep) struct staged *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    s->in = in;
    r = decrypt(s, name, identities, err);
    if (!r)
        *ret = take(s);
    return r;
}

int
staged_begin(struct chunk_reader *reader, const struct staged *s,
             const struct catalog_chunk *k, const unsigned char run[16],
             struct err *err)
{
    struct chunk_head head = {
        .chunk = k->id,
        .table = k->table->id,
        .lsn = k->table->lsn,
        .format = k->table->format,
        .n_columns = k->table->n_columns,
    };
    int r;

    memcpy(head.run, run, sizeof head.run);
    r = chunk_reader_begin(reader, s->in, err);
    if (r)
        return r;
    head.codec = chunk_reader_head(reader)->codec; /* any will do */
    r = chunk_reader_expect(reader, &head, err);
    if (r)
        return r;
    if (digest_equal(&chunk_reader_totals(reader)->digest, &k->totals.digest))
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" states other totals than the catalogue", k->file);
}
