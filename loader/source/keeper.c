/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/manifest.h"
#include "io/clock.h"
#include "io/fd.h"
#include "loader/pg/conninfo.h"
#include "loader/pg/snapshot.h"
#include "loader/source/keeper_files.h"

enum {
    END_WAIT_MS = 15000,    /* it has at most a lock statement to give up */
    REPAIR_WAIT_MS = 10000, /* a holder is replaced within a beat or two */
    NAP_US = 20000,
    ANSWER_MAX = 16 << 10,
};

/* ---- start ---- */

/* Our own program, in a session of its own so that no terminal's Ctrl-C
   reaches it; its answer comes through the pipe. */
static int
spawn_keeper(const struct run_dir *dir, const struct conninfo_child *db,
             int answer_fd, struct err *err)
{
    const char *const argv[] = {
        "pghaul", "keeper",          "--source", db->conninfo,
        "--dir",  run_dir_path(dir), "--json",   NULL,
    };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    pid_t pid;
    int r;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, answer_fd, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (db->passfile_fd >= 0)
        posix_spawn_file_actions_adddup2(&files, db->passfile_fd,
                                         db->passfile_fd);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    r = posix_spawn(&pid, "/proc/self/exe", &files, &attributes,
                    (char *const *)argv, db->env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return r ? err_sys(err, r, "could not start the keeper") : 0;
}

/* All that it says until it closes its output. */
static int
read_answer(int fd, char *to, size_t size, struct err *err)
{
    size_t len = 0;
    ssize_t n;

    for (;;) {
        n = read(fd, to + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not hear the keeper");
        if (n == 0 || len + (size_t)n == size - 1)
            break;
        len += (size_t)n;
    }
    to[len] = '\0';
    return 0;
}

static void
copy_part(char *to, size_t size, const struct manifest_at *at,
          const char *member)
{
    if (manifest_has(at, member))
        snprintf(to, size, "%s", manifest_string(at, member));
}

/* What it failed with becomes our failure. */
static int
judge_answer(const char *text, struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct manifest_at root, e;
    int r;

    r = manifest_parse(&m, "the keeper's answer", text, strlen(text), err);
    if (r)
        return err_set(err, ERR_SYSTEM, "the keeper ended without an answer");
    root = manifest_root(m);
    if (manifest_has(&root, "keeping"))
        return 0;
    e = manifest_object(&root, "error");
    *err = (struct err){.class =
                            (enum err_class)manifest_u64(&e, "status", 1, 255)};
    copy_part(err->message, sizeof err->message, &e, "message");
    copy_part(err->detail, sizeof err->detail, &e, "detail");
    copy_part(err->hint, sizeof err->hint, &e, "hint");
    copy_part(err->sqlstate, sizeof err->sqlstate, &e, "sqlstate");
    return -1;
}

static int
ask_keeper(const struct run_dir *dir, const struct conninfo_child *db,
           struct err *err)
{
    cleanup_(fd_closep) int answer_fd = -1;
    char answer[ANSWER_MAX];
    int pipe_fds[2], r;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_sys(err, errno, "could not start the keeper");
    answer_fd = pipe_fds[0];
    r = spawn_keeper(dir, db, pipe_fds[1], err);
    close(pipe_fds[1]);
    if (!r)
        r = read_answer(answer_fd, answer, sizeof answer, err);
    return r ? r : judge_answer(answer, err);
}

int
keeper_start(const struct run_dir *dir, const char *conninfo,
             const struct stop *stop, struct keeper_look *ret, struct err *err)
{
    struct conninfo_child db;
    int r;

    r = conninfo_child_new(&db, conninfo, err);
    if (r)
        return r;
    r = ask_keeper(dir, &db, err);
    conninfo_child_free(&db);
    if (!r)
        r = stop_check(stop, err);
    if (!r)
        r = keeper_look(dir, ret, err);
    if (r == KEEPER_E_NONE)
        r = err_set(err, ERR_REFUSED, "the keeper has ended already");
    return r;
}

/* ---- look, join, end ---- */

int
keeper_look(const struct run_dir *dir, struct keeper_look *ret, struct err *err)
{
    return keeper_files_holder(dir) ? keeper_files_read(dir, ret, err)
                                    : KEEPER_E_NONE;
}

static int
lost(struct err *err)
{
    err_set(err, ERR_REFUSED, "the snapshot of this export is lost");
    return err_detail(err, "Its keeper has ended.");
}

static int
join_any(const struct keeper_look *look, struct session **s,
         const struct session_params *p, struct err *err)
{
    int r = lost(err);

    for (int i = 0; i < KEEPER_HOLDERS; i++) {
        if (!look->snapshots[i][0])
            continue;
        r = snapshot_join(s, p, look->snapshots[i], err);
        if (r == 0 || err->class != ERR_REFUSED)
            break;
    }
    return r;
}

int
keeper_join(const struct run_dir *dir, const char *origin, struct session **s,
            const struct session_params *p, struct err *err)
{
    uint64_t deadline = clock_ms() + REPAIR_WAIT_MS;
    struct keeper_look look;
    int r;

    for (;;) {
        r = keeper_look(dir, &look, err);
        if (r == KEEPER_E_NONE || (!r && strcmp(look.origin, origin) != 0))
            return lost(err);
        if (!r)
            r = join_any(&look, s, p, err);
        if (!r || err->class != ERR_REFUSED || clock_ms() >= deadline)
            return r;
        clock_nap_us(NAP_US);
    }
}

int
keeper_end(const struct run_dir *dir, struct err *err)
{
    uint64_t deadline = clock_ms() + END_WAIT_MS;
    pid_t pid, told = 0;

    while ((pid = keeper_files_holder(dir)) != 0) {
        if (pid != told && kill(pid, SIGTERM) < 0 && errno != ESRCH)
            return err_sys(err, errno, "could not end keeper %d", (int)pid);
        told = pid;
        if (clock_ms() >= deadline)
            return err_set(err, ERR_SYSTEM, "keeper %d does not end", (int)pid);
        clock_nap_us(NAP_US);
    }
    /* When it was our child, it is a zombie now. */
    if (told > 0)
        waitpid(told, NULL, WNOHANG);
    return 0;
}
