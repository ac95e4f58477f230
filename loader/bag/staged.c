/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/staged.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int
staged_open_document(struct reader **ret, const struct run_dir *dir,
                     const char *name, const unsigned char sha256[32],
                     struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char found[32];
    int r;

    r = open_file(&file, dir, name, err);
    if (!r)
        r = reader_sha256(file, found, err);
    if (!r)
        r = compare(name, found, sha256, err);
    if (!r)
        *ret = take(file);
    return r;
}

static int
check_bytes(struct reader *file, const struct catalog_chunk *k, struct err *err)
{
    const struct bytes_in *in = reader_in(file);
    unsigned char found[32];
    int r;

    if (in->len != k->file_len) {
        err_set(err, ERR_CORRUPT, "\"%s\" has the wrong length", k->file);
        return err_detail(err, "It has %" PRIu64 " bytes, not %" PRIu64 ".",
                          in->len, k->file_len);
    }
    r = reader_sha256(file, found, err);
    return r ? r : compare(k->file, found, k->sha256, err);
}

int
staged_open(struct reader **ret, const struct run_dir *dir,
            const struct catalog_chunk *k, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    int r;

    r = open_file(&file, dir, k->file, err);
    if (!r)
        r = check_bytes(file, k, err);
    if (!r)
        *ret = take(file);
    return r;
}

int
staged_begin(struct chunk_reader *reader, struct reader *file,
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
    r = chunk_reader_begin(reader, reader_in(file), err);
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
