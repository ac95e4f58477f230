/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/pace.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "loader/run/notice.h"

#define FILE_NAME "pace.json"
#define END_NAME "let-go.json"

static json_t *
limits_json(const struct guard_limits *l)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < N_VITALS; i++)
        if (l->max[i] > 0)
            json_object_set_new(o, vitals_names[i],
                                manifest_u64_json(l->max[i]));
    return o;
}

int
pace_write(const struct run_dir *dir, const struct pace *p, struct err *err)
{
    json_t *o = json_object();

    json_object_set_new(o, "pid", json_integer(p->pid));
    json_object_set_new(o, "total_bytes", manifest_u64_json(p->total));
    json_object_set_new(o, "done_bytes", manifest_u64_json(p->done));
    json_object_set_new(o, "bytes_per_s", manifest_u64_json(p->bytes_per_s));
    if (p->left_ms != FORECAST_NEVER)
        json_object_set_new(o, "left_ms", manifest_u64_json(p->left_ms));
    json_object_set_new(o, "workers_allowed", json_integer(p->n_allowed));
    json_object_set_new(o, "workers", json_integer(p->n_workers));
    if (p->limit[0])
        json_object_set_new(o, "limit", json_string(p->limit));
    if (p->forecast[0])
        json_object_set_new(o, "forecast", json_string(p->forecast));
    if (p->stall[0])
        json_object_set_new(o, "stall", json_string(p->stall));
    json_object_set_new(o, "limits", limits_json(&p->limits));
    return notice_write(dir, FILE_NAME, o, err);
}

static void
read_words(char *to, size_t size, const struct manifest_at *at,
           const char *member)
{
    const char *words =
        manifest_has(at, member) ? manifest_string(at, member) : NULL;

    snprintf(to, size, "%s", words ? words : "");
}

static void
parse(const struct manifest_at *root, struct pace *p)
{
    struct manifest_at limits = manifest_object(root, "limits");

    p->pid = (pid_t)manifest_u64(root, "pid", 1, INT_MAX);
    p->total = manifest_u64(root, "total_bytes", 0, UINT64_MAX);
    p->done = manifest_u64(root, "done_bytes", 0, UINT64_MAX);
    p->bytes_per_s = manifest_u64(root, "bytes_per_s", 0, UINT64_MAX);
    p->left_ms = manifest_has(root, "left_ms")
                     ? manifest_u64(root, "left_ms", 0, UINT64_MAX)
                     : FORECAST_NEVER;
    p->n_allowed = (unsigned)manifest_u64(root, "workers_allowed", 0, UINT_MAX);
    p->n_workers = (unsigned)manifest_u64(root, "workers", 0, UINT_MAX);
    read_words(p->limit, sizeof p->limit, root, "limit");
    read_words(p->forecast, sizeof p->forecast, root, "forecast");
    read_words(p->stall, sizeof p->stall, root, "stall");
    for (unsigned i = 0; i < N_VITALS; i++)
        if (manifest_has(&limits, vitals_names[i]))
            p->limits.max[i] =
                manifest_u64(&limits, vitals_names[i], 0, UINT64_MAX);
}

int
pace_read(const struct run_dir *dir, struct pace *ret, struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct pace p = {0};
    struct manifest_at root;
    int r = notice_read(dir, FILE_NAME, &m, err);

    if (r)
        return r == NOTICE_E_NONE ? PACE_E_NONE : r;
    root = manifest_root(m);
    parse(&root, &p);
    r = manifest_check(m, err);
    if (!r)
        *ret = p;
    return r;
}

void
pace_remove(const struct run_dir *dir)
{
    notice_remove(dir, FILE_NAME);
    notice_remove(dir, END_NAME);
}

void
pace_write_end(const struct run_dir *dir, const char *why)
{
    json_t *o = json_object();
    struct err ignored;

    json_object_set_new(o, "why", json_string(why));
    notice_write(dir, END_NAME, o, &ignored);
}

void
pace_read_end(const struct run_dir *dir, char to[GUARD_WORDS])
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct manifest_at root;
    struct err ignored;

    to[0] = '\0';
    if (notice_read(dir, END_NAME, &m, &ignored))
        return;
    root = manifest_root(m);
    read_words(to, GUARD_WORDS, &root, "why");
}
