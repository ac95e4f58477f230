/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/staged.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
check_bytes(struct reader *file, const struct catalog_chunk *k, struct err *err)
{
    const struct bytes_in *in = reader_in(file);
    unsigned char sha256[32];
    int r;

    if (in->len != k->file_len) {
        err_set(err, ERR_CORRUPT, "\"%s\" has the wrong length", k->file);
        return err_detail(err, "It has %" PRIu64 " bytes, not %" PRIu64 ".",
                          in->len, k->file_len);
    }
    r = reader_sha256(file, sha256, err);
    if (r || memcmp(sha256, k->sha256, sizeof sha256) == 0)
        return r;
    err_set(err, ERR_CORRUPT, "\"%s\" is damaged", k->file);
    return err_detail(err, "Its SHA-256 is not the one in the catalogue.");
}

int
staged_open(struct reader **ret, const struct run_dir *dir,
            const struct catalog_chunk *k, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    char *path;
    int r;

    if (asprintf(&path, "data/%s", k->file) < 0)
        return err_nomem(err);
    r = reader_open(&file, run_dir_fd(dir), path, err);
    free(path);
    if (!r)
        r = check_bytes(file, k, err);
    if (!r)
        *ret = take(file);
    return r;
}

int
staged_begin(struct chunk_reader *reader, struct reader *file,
             const struct catalog_chunk *k, const unsigned char run[16],
             uint64_t lsn, struct err *err)
{
    struct chunk_head head = {
        .chunk = k->id,
        .table = k->table->id,
        .lsn = lsn,
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
