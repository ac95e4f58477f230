/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "loader/catalog/facts.h"

struct document {
    struct durable_file *file;
    struct age_encoder *encoder; /* NULL: as it is */
};

int
document_open(struct document **ret, int dir_fd, const char *name,
              const struct age_recipients *to, struct err *err)
{
    cleanup_(document_freep) struct document *d = calloc(1, sizeof *d);
    int r;

    if (!d)
        return err_nomem(err);
    r = durable_file_open(&d->file, dir_fd, name, err);
    if (!r && to)
        r = age_encoder_new(&d->encoder, err);
    if (!r && to)
        r = age_encoder_begin(d->encoder, to, durable_file_out(d->file), err);
    if (!r)
        *ret = take(d);
    return r;
}

struct document *
document_free(struct document *d)
{
    if (!d)
        return NULL;
    age_encoder_free(d->encoder);
    durable_file_free(d->file);
    free(d);
    return NULL;
}

const struct bytes_out *
document_out(struct document *d)
{
    return d->encoder ? age_encoder_out(d->encoder) : durable_file_out(d->file);
}

int
document_commit(struct document *d, unsigned char ret_sha256[32],
                struct err *err)
{
    int r = d->encoder ? age_encoder_end(d->encoder, err) : 0;

    return r ? r : durable_file_commit(d->file, ret_sha256, err);
}

/* ---- removing ---- */

static int
remove_name(int fd, const char *name, struct err *err)
{
    char part[80];
    int r = dir_remove(fd, name, err);

    snprintf(part, sizeof part, "%s.part", name);
    return r ? r : dir_remove(fd, part, err);
}

/* Both of a kind: facts say which it is. */
static int
remove_all(int data_fd, int schema_fd, const struct facts *f, struct err *err)
{
    int r = remove_name(data_fd, facts_schema_file(f), err);

    for (enum facts_document d = 0; d < FACTS_N_DOCUMENTS && !r; d++) {
        const char *name = facts_document_file(f, d);
        const char *slash = strchr(name, '/');

        if (!slash)
            r = remove_name(data_fd, name, err);
        else if (schema_fd >= 0)
            r = remove_name(schema_fd, slash + 1, err);
    }
    return r;
}

int
documents_remove(const struct run_dir *dir, struct err *err)
{
    char somebody[] = "";
    const struct facts plain = {0}, encrypted = {.recipients = somebody};
    cleanup_(fd_closep) int data_fd = -1;
    cleanup_(fd_closep) int schema_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 0, err);
    if (r)
        return r == DIR_E_MISSING ? 0 : r;
    r = dir_open_private(&schema_fd, data_fd, "schema", 0, err);
    if (r < 0)
        return r;
    r = remove_all(data_fd, schema_fd, &plain, err);
    return r ? r : remove_all(data_fd, schema_fd, &encrypted, err);
}
