/* SPDX-License-Identifier: PostgreSQL */
#include "io/dir.h"
#include "io/fd.h"
#include "loader/bag/document.h"
#include "loader/inventory/inventory.h"
#include "loader/inventory/inventory_sql.h"
#include "loader/pg/copy_out.h"

static int
write_lines(struct session *s, const struct bytes_out *out, struct err *err)
{
    int r;

    for (;;) {
        cleanup_(session_freememp) char *message = NULL;
        size_t n;

        r = copy_out_next(s, &message, &n, err);
        if (r)
            return r == COPY_OUT_E_END ? 0 : r;
        r = bytes_out_append(out, message, n, err);
        if (r) {
            copy_out_abandon(s);
            return r;
        }
    }
}

int
inventory_write(const struct run_dir *dir, struct session *s, const char *with,
                const struct age_recipients *to, struct facts *f,
                struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    cleanup_(document_freep) struct document *file = NULL;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 1, err);
    if (!r)
        r = document_open(&file, data_fd,
                          facts_document_file(f, FACTS_INVENTORY), to, err);
    if (!r)
        r = inventory_copy(s, with, err);
    if (!r)
        r = write_lines(s, document_out(file), err);
    if (!r)
        r = document_commit(file, f->documents[FACTS_INVENTORY].sha256, err);
    f->documents[FACTS_INVENTORY].present = !r;
    return r;
}
