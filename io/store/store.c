/* SPDX-License-Identifier: PostgreSQL */
#include "io/store/store.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "io/store/store_kinds.h"

int
store_is_stream(const char *where)
{
    return strcmp(where, "-") == 0;
}

static int
is_url(const char *where)
{
    size_t scheme = strspn(where, "abcdefghijklmnopqrstuvwxyz0123456789");

    return scheme > 0 && strncmp(where + scheme, "://", 3) == 0;
}

static int
is_object(const char *where)
{
    return strncmp(where, "s3://", 5) == 0;
}

static int
unknown_kind(const char *where, struct err *err)
{
    err_set(err, ERR_USAGE, "\"%s\" is not a place that can be reached", where);
    return err_hint(err, "Give the name of a file, s3://BUCKET/KEY, or - for "
                         "standard input and output.");
}

/* ---- reading ---- */

int
store_in_open(struct store_in **ret, const char *where, struct err *err)
{
    if (store_is_stream(where))
        return store_pipe_in(ret, STDIN_FILENO, "standard input", err);
    if (is_object(where))
        return store_object_in(ret, where, err);
    if (is_url(where))
        return unknown_kind(where, err);
    return store_file_in(ret, where, err);
}

struct store_in *
store_in_free(struct store_in *s)
{
    return s ? s->ops->free(s) : NULL;
}

int
store_in_read(struct store_in *s, uint64_t offset, void *to, size_t len,
              size_t *ret_n, struct err *err)
{
    return s->ops->read(s, offset, to, len, ret_n, err);
}

int
store_in_read_all(struct store_in *s, uint64_t offset, void *to, size_t len,
                  struct err *err)
{
    size_t n;
    int r = store_in_read(s, offset, to, len, &n, err);

    if (r || n == len)
        return r;
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" ends at offset %" PRIu64 ", expected %" PRIu64
                   " at least",
                   s->name, offset + n, offset + len);
}

/* ---- writing ---- */

int
store_out_open(struct store_out **ret, const struct store_out_params *p,
               struct err *err)
{
    if (store_is_stream(p->where))
        return store_pipe_out(ret, STDOUT_FILENO, "standard output", err);
    if (is_object(p->where))
        return store_object_out(ret, p, err);
    if (is_url(p->where))
        return unknown_kind(p->where, err);
    return store_file_out(ret, p, err);
}

struct store_out *
store_out_free(struct store_out *s)
{
    return s ? s->ops->free(s) : NULL;
}

int
store_out_append(struct store_out *s, const void *data, size_t len,
                 struct err *err)
{
    return s->ops->append(s, data, len, err);
}

int
store_out_commit(struct store_out *s, struct err *err)
{
    return s->ops->commit(s, err);
}

int
store_remove(const char *where, struct err *err)
{
    if (is_object(where))
        return store_object_remove(where, err);
    return is_url(where) ? unknown_kind(where, err)
                         : store_file_remove(where, err);
}
