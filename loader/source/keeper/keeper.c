/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "loader/catalog/capture.h"
#include "loader/pg/conninfo.h"
#include "loader/pg/snapshot.h"
#include "loader/source/keeper/keeper_files.h"

enum {
    END_WAIT_MS = 15000,    /* it has at most a lock statement to give up */
    REPAIR_WAIT_MS = 10000, /* a holder is replaced within a beat or two */
    INSIST_MS = 2000,
    NAP_US = 20000,
    HEAR_MS = 100, /* how long a request to stop may go unnoticed */
    ANSWER_MAX = 16 << 10,
};

/* ---- start ---- */

/* The words for it; numbers need room of their own. */
struct words {
    const char **argv;
    char **patterns; /* owned, the last of argv */
    unsigned n_patterns;
    char hours[16], timeout[16], lsn[CAPTURE_LSN];
};

enum { WORDS_BESIDES = 24 };

static void
free_words(struct words *w)
{
    for (unsigned i = 0; i < w->n_patterns; i++)
        free(w->patterns[i]);
    free(w->patterns);
    free(w->argv);
}

static void
add_words(struct words *w, unsigned *n, const char *option, const char *value)
{
    if (!value)
        return;
    w->argv[(*n)++] = option;
    w->argv[(*n)++] = value;
}

/* A pattern stands in one word with its option: it may begin with a dash. */
static int
choose_patterns(struct words *w, const struct selection *selection,
                struct err *err)
{
    unsigned n = 0;

    while (selection_option(selection, n))
        n++;
    w->patterns = calloc(n + 1, sizeof *w->patterns);
    w->argv = calloc(WORDS_BESIDES + n + 1, sizeof *w->argv);
    if (!w->patterns || !w->argv)
        return err_nomem(err);
    for (; w->n_patterns < n; w->n_patterns++)
        if (asprintf(&w->patterns[w->n_patterns], "%s=%s",
                     selection_option(selection, w->n_patterns),
                     selection_pattern(selection, w->n_patterns)) < 0)
            return err_nomem(err);
    return 0;
}

static void
choose_words(struct words *w, const struct run_dir *dir,
             const struct keeper_params *p, const char *conninfo)
{
    unsigned n = 0;

    snprintf(w->hours, sizeof w->hours, "%u", p->hours);
    snprintf(w->timeout, sizeof w->timeout, "%u", p->slot_timeout_s);
    w->argv[n++] = "pghaul";
    w->argv[n++] = "keeper";
    w->argv[n++] = "--json";
    add_words(w, &n, "--source", conninfo);
    add_words(w, &n, "--dir", run_dir_path(dir));
    add_words(w, &n, "--keeper-hours", w->hours);
    for (unsigned i = 0; i < w->n_patterns; i++)
        w->argv[n++] = w->patterns[i];
    if (!p->slot)
        return;
    w->argv[n++] = "--cdc";
    add_words(w, &n, "--slot", p->slot);
    add_words(w, &n, "--plugin", p->plugin);
    add_words(w, &n, "--publication", p->publication);
    if (p->slot_lsn)
        w->argv[n++] = capture_lsn(w->lsn, p->slot_lsn);
    else
        add_words(w, &n, "--slot-timeout", w->timeout);
}

/* Our own program, in a session of its own so that no terminal's Ctrl-C
   reaches it; its answer comes through the pipe. */
static int
spawn_keeper(const struct words *words, const struct conninfo_child *db,
             int answer_fd, struct err *err)
{
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
                    (char *const *)words->argv, db->env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return r ? err_sys(err, r, "could not start the keeper") : 0;
}

/* ---- its answer ---- */

struct answer {
    char text[ANSWER_MAX];
    size_t len;
};

/* Lines that say what it waits for are shown, and not kept. */
static void
pass_on_waiting(struct answer *a, struct progress *progress)
{
    static const char begins[] = "{\"waiting\":";
    char *end;

    while (a->len >= sizeof begins &&
           strncmp(a->text, begins, sizeof begins - 1) == 0 &&
           (end = memchr(a->text, '\n', a->len))) {
        cleanup_(manifest_freep) struct manifest *m = NULL;
        size_t n = (size_t)(end - a->text) + 1;
        struct manifest_at root;
        struct err ignored;

        if (!manifest_parse(&m, "the keeper's word", a->text, n, &ignored)) {
            root = manifest_root(m);
            progress_note(progress, "%s", manifest_string(&root, "waiting"));
        }
        memmove(a->text, a->text + n, a->len + 1 - n);
        a->len -= n;
    }
}

/* 1: it has said all.  Waits a moment at most. */
static int
hear_some(int fd, struct answer *a, struct err *err)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (poll(&in, 1, HEAR_MS) <= 0)
        return 0;
    n = read(fd, a->text + a->len, sizeof a->text - 1 - a->len);
    if (n < 0)
        return errno == EINTR
                   ? 0
                   : err_sys(err, errno, "could not hear the keeper");
    a->len += (size_t)n;
    a->text[a->len] = '\0';
    return n == 0 || a->len == sizeof a->text - 1;
}

static int
read_answer(int fd, struct answer *a, const struct keeper_params *p,
            struct err *err)
{
    int r = 0;

    while (!r) {
        if (stop_level(p->stop) != STOP_RUN)
            return err_set(err, ERR_CANCELLED, "interrupted");
        r = hear_some(fd, a, err);
        pass_on_waiting(a, p->progress);
    }
    return r < 0 ? r : 0;
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
ask_keeper(const struct words *words, const struct conninfo_child *db,
           const struct keeper_params *p, struct err *err)
{
    cleanup_(fd_closep) int answer_fd = -1;
    cleanup_(freep) struct answer *a = calloc(1, sizeof *a);
    int pipe_fds[2], r;

    if (!a)
        return err_nomem(err);
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_sys(err, errno, "could not start the keeper");
    answer_fd = pipe_fds[0];
    r = spawn_keeper(words, db, pipe_fds[1], err);
    close(pipe_fds[1]);
    if (!r)
        r = read_answer(answer_fd, a, p, err);
    return r ? r : judge_answer(a->text, err);
}

/* Whatever it has come to: it ends, and what it made goes with it. */
static int
end_unwanted(const struct run_dir *dir)
{
    struct err ignored;

    keeper_end(dir, &ignored);
    return -1;
}

int
keeper_start(const struct run_dir *dir, const struct keeper_params *p,
             struct keeper_look *ret, struct err *err)
{
    struct conninfo_child db;
    struct words words = {0};
    int r;

    r = conninfo_child_new(&db, p->conninfo, err);
    if (r)
        return r;
    r = choose_patterns(&words, p->selection, err);
    if (!r) {
        choose_words(&words, dir, p, db.conninfo);
        r = ask_keeper(&words, &db, p, err);
    }
    free_words(&words);
    conninfo_child_free(&db);
    if (!r)
        r = keeper_look(dir, ret, err);
    if (r == KEEPER_E_NONE)
        r = err_set(err, ERR_REFUSED, "the keeper has ended already");
    return r ? end_unwanted(dir) : 0;
}

/* ---- look, join, end ---- */

int
keeper_look(const struct run_dir *dir, struct keeper_look *ret, struct err *err)
{
    return keeper_files_holder(dir) ? keeper_files_read(dir, ret, err)
                                    : KEEPER_E_NONE;
}

/* What the keeper said before it ended; 0: nothing. */
static int
last_words(const struct keeper_look *look, struct err *err)
{
    if (!look->lost[0])
        return 0;
    err_set(err, ERR_REFUSED, "the snapshot of this export is lost");
    err_detail(err, "%s", look->lost);
    return look->hint[0] ? err_hint(err, "%s", look->hint) : -1;
}

int
keeper_check(const struct run_dir *dir, struct err *err)
{
    struct keeper_look look;
    struct err ignored;

    if (keeper_files_read(dir, &look, &ignored) || !look.in_vain)
        return 0;
    return last_words(&look, err);
}

static int
lost(const struct run_dir *dir, struct err *err)
{
    struct keeper_look look;
    struct err ignored;

    if (!keeper_files_read(dir, &look, &ignored) && last_words(&look, err))
        return -1;
    err_set(err, ERR_REFUSED, "the snapshot of this export is lost");
    return err_detail(err, "Its keeper has ended.");
}

static int
join_any(const struct keeper_look *look, struct session **s,
         const struct session_params *p, struct err *err)
{
    int r = err_set(err, ERR_REFUSED, "the keeper holds no snapshot");

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
            return lost(dir, err);
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
    uint64_t insist = 0; /* when: the second word ends a wait in the server */
    pid_t pid, told = 0;

    while ((pid = keeper_files_holder(dir)) != 0) {
        if ((pid != told || clock_ms() >= insist) && kill(pid, SIGTERM) < 0 &&
            errno != ESRCH)
            return err_sys(err, errno, "could not end keeper %d", (int)pid);
        if (pid != told)
            insist = clock_ms() + INSIST_MS;
        else if (clock_ms() >= insist)
            insist = UINT64_MAX;
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
