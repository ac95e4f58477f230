/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/seal_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/bag.h"
#include "formats/hex.h"
#include "io/dir.h"
#include "io/fd.h"
#include "loader/bag/staged.h"

enum {
    DEPTH_MAX = 4,                      /* of directories below data/ */
    OTHERS_MAX = 2 + FACTS_N_DOCUMENTS, /* files that are not chunks */
};

struct other {
    const char *name;            /* below data/ */
    const unsigned char *sha256; /* what it should be; NULL: not known */
};

struct payload {
    struct catalog *catalog;
    const struct run_dir *dir;
    const struct bytes_out *out;
    struct seal_payload sum;
    struct err *err;
    struct other others[OTHERS_MAX]; /* in the order of their names */
    unsigned n_others, n_added;
};

/* ---- what is no chunk ---- */

static void
add_name(struct payload *p, const char *name, const unsigned char *sha256)
{
    p->others[p->n_others++] = (struct other){name, sha256};
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const struct other *)a)->name,
                  ((const struct other *)b)->name);
}

static void
list_others(struct payload *p, const struct facts *f)
{
    add_name(p, "catalog.json", NULL);
    add_name(p, facts_schema_file(f), f->schema_sha256);
    for (enum facts_document d = 0; d < FACTS_N_DOCUMENTS; d++)
        if (f->documents[d].present)
            add_name(p, facts_document_file(f, d), f->documents[d].sha256);
    qsort(p->others, p->n_others, sizeof *p->others, compare_names);
}

static int
is_other(const struct payload *p, const char *path)
{
    for (unsigned i = 0; i < p->n_others; i++)
        if (strcmp(path, p->others[i].name) == 0)
            return 1;
    return 0;
}

/* ---- what is there must be ours ---- */

static int
refuse(const char *path, struct err *err)
{
    err_set(err, ERR_REFUSED, "\"data/%s\" is no part of the run", path);
    err_detail(err, "What is sealed holds what the catalogue lists, and "
                    "nothing else.");
    return err_hint(err, "Move it away, and run the same command again.");
}

static int
visit_file(struct payload *p, const char *path)
{
    int found = 0, r;

    if (is_other(p, path))
        return 0;
    r = catalog_has_file(p->catalog, path, &found, p->err);
    return r || found ? r : refuse(path, p->err);
}

struct level {
    struct payload *payload;
    int fd;
    const char *path; /* below data/; "" for data/ itself */
    unsigned depth;
};

static int visit_name(void *arg, const char *name);

static int
visit_dir(const struct level *above, const char *name, const char *path)
{
    cleanup_(fd_closep) int fd = -1;
    struct level below = {
        .payload = above->payload, .path = path, .depth = above->depth + 1};

    if (below.depth > DEPTH_MAX)
        return refuse(path, above->payload->err);
    fd = openat(above->fd, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(above->payload->err, errno, "could not open \"data/%s\"",
                       path);
    below.fd = fd;
    return dir_each(fd, visit_name, &below, above->payload->err);
}

static int
visit_name(void *arg, const char *name)
{
    const struct level *level = arg;
    struct payload *p = level->payload;
    cleanup_(freep) char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s%s%s", level->path, *level->path ? "/" : "", name) <
        0) {
        path = NULL;
        return err_nomem(p->err);
    }
    if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(p->err, errno, "could not examine \"data/%s\"", path);
    if (S_ISDIR(st.st_mode))
        return visit_dir(level, name, path);
    return S_ISREG(st.st_mode) ? visit_file(p, path) : refuse(path, p->err);
}

/* ---- what is ours must be there ---- */

static int
add(struct payload *p, const char *path, uint64_t len,
    const unsigned char sha256[32])
{
    cleanup_(freep) char *line = NULL;
    const char *from_root;
    char hex[65];
    int n;

    hex_encode(hex, sha256, 32);
    n = asprintf(&line, "%s  data/%s", hex, path);
    if (n < 0) {
        line = NULL;
        return err_nomem(p->err);
    }
    from_root = line + strlen(hex) + 2;
    merkle_add(&p->sum.tree, line, (size_t)n);
    p->sum.n_files++;
    p->sum.n_bytes += len;
    return bag_write_entry(p->out, sha256, from_root, p->err);
}

static int
add_other(struct payload *p, int data_fd, const struct other *o)
{
    unsigned char sha256[32];
    struct stat st;
    int r;

    r = staged_digest(p->dir, o->name, sha256, p->err);
    if (r)
        return r;
    if (o->sha256 && memcmp(sha256, o->sha256, sizeof sha256) != 0)
        return err_set(p->err, ERR_CORRUPT, "\"data/%s\" is damaged", o->name);
    if (fstatat(data_fd, o->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(p->err, errno, "could not examine \"data/%s\"", o->name);
    return add(p, o->name, (uint64_t)st.st_size, sha256);
}

/* Its bytes are not read: they were digested on their way to the disk. */
static int
add_chunk(struct payload *p, int data_fd, const struct catalog_file *f)
{
    struct stat st;

    if (fstatat(data_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return err_set(p->err, ERR_CORRUPT, "\"data/%s\" is missing",
                           f->name);
        return err_sys(p->err, errno, "could not examine \"data/%s\"", f->name);
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == f->len)
        return add(p, f->name, f->len, f->sha256);
    err_set(p->err, ERR_CORRUPT, "\"data/%s\" has the wrong length", f->name);
    return err_detail(p->err, "It has %jd bytes, not %" PRIu64 ".",
                      (intmax_t)st.st_size, f->len);
}

/* Those whose names come before this one; NULL: all that are left. */
static int
add_others_before(struct payload *p, int data_fd, const char *name)
{
    int r = 0;

    while (!r && p->n_added < p->n_others &&
           (!name || strcmp(p->others[p->n_added].name, name) < 0))
        r = add_other(p, data_fd, &p->others[p->n_added++]);
    return r;
}

static int
add_all(struct payload *p, int data_fd)
{
    struct catalog_file f = {0};
    int r;

    while (!(r = catalog_next_file(p->catalog, &f, p->err))) {
        r = add_others_before(p, data_fd, f.name);
        if (!r)
            r = add_chunk(p, data_fd, &f);
        if (r)
            break;
    }
    catalog_file_clear(&f);
    return r == CATALOG_E_NONE ? add_others_before(p, data_fd, NULL) : r;
}

int
seal_payload_write(struct seal_payload *ret, const struct seal_run *run,
                   const struct bytes_out *out, struct err *err)
{
    struct payload p = {
        .catalog = run->catalog, .dir = run->dir, .out = out, .err = err};
    struct level top = {.payload = &p, .path = ""};
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    list_others(&p, run->facts);
    r = dir_open_private(&data_fd, run_dir_fd(p.dir), "data", 1, err);
    top.fd = data_fd;
    if (!r)
        r = dir_each(data_fd, visit_name, &top, err);
    if (!r)
        r = add_all(&p, data_fd);
    if (!r)
        *ret = p.sum;
    return r;
}
