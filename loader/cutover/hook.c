/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "io/cleanup.h"
#include "loader/pg/conninfo.h"

enum { N_OURS = 4 };

struct environment {
    struct conninfo_child base; /* ours without secrets */
    char *ours[N_OURS];
    char **all; /* borrows from both */
};

static int
put(struct environment *e, unsigned i, const char *name, const char *value,
    struct err *err)
{
    return asprintf(&e->ours[i], "%s=%s", name, value) < 0 ? err_nomem(err) : 0;
}

static int
put_conninfo(struct environment *e, unsigned i, const char *name,
             const char *conninfo, struct err *err)
{
    cleanup_(freep) char *shown = NULL;
    int r = conninfo_display(&shown, conninfo, err);

    return r ? r : put(e, i, name, shown, err);
}

static int
join(struct environment *e, struct err *err)
{
    unsigned n = 0;

    while (e->base.env[n])
        n++;
    e->all = calloc(n + N_OURS + 1, sizeof *e->all);
    if (!e->all)
        return err_nomem(err);
    /* Of two of one name the first is found. */
    for (unsigned i = 0; i < N_OURS; i++)
        e->all[i] = e->ours[i];
    for (unsigned i = 0; i < n; i++)
        e->all[N_OURS + i] = e->base.env[i];
    return 0;
}

static int
environment_make(struct environment *e, const struct hook *h, struct err *err)
{
    int r = conninfo_child_new(&e->base, NULL, err);

    if (!r)
        r = put(e, 0, "PGHAUL_TRAFFIC", h->traffic, err);
    if (!r)
        r = put(e, 1, "PGHAUL_RUN", h->run, err);
    if (!r)
        r = put_conninfo(e, 2, "PGHAUL_SOURCE", h->source, err);
    if (!r)
        r = put_conninfo(e, 3, "PGHAUL_TARGET", h->target, err);
    return r ? r : join(e, err);
}

static void
environment_clear(struct environment *e)
{
    conninfo_child_free(&e->base);
    for (unsigned i = 0; i < N_OURS; i++)
        free(e->ours[i]);
    free(e->all);
}

static int
spawn(pid_t *ret, const struct hook *h, char **env)
{
    const char *const argv[] = {"sh", "-c", h->command, NULL};
    posix_spawn_file_actions_t files;
    int r;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    r = posix_spawn(ret, "/bin/sh", &files, NULL, (char *const *)argv, env);
    posix_spawn_file_actions_destroy(&files);
    return r;
}

static int
judge(int status, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return err_set(err, ERR_REFUSED, "the hook ended with status %d",
                       WEXITSTATUS(status));
    return err_set(err, ERR_REFUSED, "the hook was ended by signal %d",
                   WTERMSIG(status));
}

int
hook_run(const struct hook *h, struct err *err)
{
    struct environment e = {.base = {.passfile_fd = -1}};
    int status, r = environment_make(&e, h, err);
    pid_t pid;

    if (!r) {
        r = spawn(&pid, h, e.all);
        if (r)
            r = err_sys(err, r, "could not run \"/bin/sh\"");
    }
    environment_clear(&e);
    if (r)
        return r;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return judge(status, err);
}
