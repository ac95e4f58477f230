/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/reporting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/durable_file.h"
#include "io/fd.h"

static struct report_params
params(const struct workplace *w, const struct facts *f)
{
    return (struct report_params){
        .dir = w->dir,
        .catalog = w->catalog,
        .facts = f,
        .version = PGHAUL_VERSION,
        .at_work = run_dir_holder(w->dir) != 0,
    };
}

int
reporting_make(struct report **ret, const struct workplace *w,
               const struct facts *f, struct err *err)
{
    const struct report_params p = params(w, f);

    return report_make(ret, &p, err);
}

int
reporting_judge(struct report **ret, const struct workplace *w,
                const struct facts *f, struct err *err)
{
    struct report_params p = params(w, f);

    p.verdict_only = 1;
    return report_make(ret, &p, err);
}

/* ---- a page is put together in memory: its size has a bound ---- */

static int
html_text_of(struct report *r, char **ret, size_t *ret_len, struct err *err)
{
    FILE *f = open_memstream(ret, ret_len);
    int e;

    if (!f)
        return err_nomem(err);
    e = report_html(r, f, err);
    return fclose(f) && !e ? err_nomem(err) : e;
}

static int
put_html(struct report *r, const struct bytes_out *out, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    size_t len;
    int e = html_text_of(r, &text, &len, err);

    return e ? e : bytes_out_append(out, text, len, err);
}

/* ---- to a file ---- */

typedef int put_fn(struct report *r, const struct bytes_out *out,
                   struct err *err);

static int
to_file(struct report *r, put_fn *put, int dir_fd, const char *name,
        struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    int e = durable_file_open(&file, dir_fd, name, err);

    if (!e)
        e = put(r, durable_file_out(file), err);
    return e ? e : durable_file_commit(file, NULL, err);
}

int
reporting_write(const struct workplace *w, const struct facts *f,
                struct err *err)
{
    cleanup_(report_freep) struct report *r = NULL;
    int e;

    events_flush(w->events);
    e = reporting_make(&r, w, f, err);
    if (!e)
        e = to_file(r, report_json, run_dir_fd(w->dir), "report.json", err);
    if (!e)
        e = to_file(r, put_html, run_dir_fd(w->dir), "report.html", err);
    return e;
}

/* ---- to standard output ---- */

static int
reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    (void)min;
    (void)err;
    *room = to;
    return 0;
}

static int
advance(void *to, size_t n, struct err *err)
{
    return fwrite(to, 1, n, stdout) == n
               ? 0
               : err_sys(err, errno, "could not write to standard output");
}

static int
to_stdout(struct report *r, put_fn *put, struct err *err)
{
    cleanup_(freep) void *buffer = malloc(BYTES_OUT_MIN_MAX);
    const struct bytes_out out = {
        .to = buffer,
        .reserve = reserve,
        .advance = advance,
    };

    return buffer ? put(r, &out, err) : err_nomem(err);
}

/* ---- to a path ---- */

static int
open_folder(const char *path, const char **ret_name, struct err *err)
{
    const char *slash = strrchr(path, '/');
    cleanup_(freep) char *folder = NULL;
    int fd;

    *ret_name = slash ? slash + 1 : path;
    folder = !slash          ? strdup(".")
             : slash == path ? strdup("/")
                             : strndup(path, (size_t)(slash - path));
    if (!folder)
        return err_nomem(err);
    if (!**ret_name)
        return err_set(err, ERR_USAGE, "\"%s\" is not the name of a file",
                       path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "could not open \"%s\"", folder) : fd;
}

static int
to_path(struct report *r, put_fn *put, const char *path, struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    const char *name;

    if (strcmp(path, "-") == 0)
        return to_stdout(r, put, err);
    fd = open_folder(path, &name, err);
    return fd < 0 ? -1 : to_file(r, put, fd, name, err);
}

int
reporting_html_to(struct report *r, const char *path, struct err *err)
{
    return to_path(r, put_html, path, err);
}

int
reporting_json_to(struct report *r, const char *path, struct err *err)
{
    return to_path(r, report_json, path, err);
}
