/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/tool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader/pg/conninfo.h"

enum {
    MAX_ARGS = 32,
    LAST_WORDS = 900, /* of a child's messages; fits into err.detail */
};

/* ---- finding ---- */

/* The major version that "PATH --version" prints; 0 when it does not run. */
static int
major_of(const char *path)
{
    const char *const args[] = {"--version", NULL};
    const struct tool_params p = {.path = path, .args = args, .stdout_fd = -1};
    struct err ignored;
    char *text = NULL;
    size_t len, i;
    int major = 0;

    if (tool_capture(&p, 4096, &text, &len, &ignored))
        return 0;
    i = strcspn(text, "0123456789");
    if (i < len)
        major = atoi(text + i);
    free(text);
    return major;
}

struct found {
    char *path;
    int major;
    char seen[512]; /* for the error: all that there is */
};

/* Keep the candidate when it is new enough and older than the one we have. */
static void
consider(struct found *f, const char *path, int at_least)
{
    size_t n = strlen(f->seen);
    int major;

    if (access(path, X_OK) < 0)
        return;
    major = major_of(path);
    if (major == 0)
        return;
    snprintf(f->seen + n, sizeof f->seen - n, "%s%s (%d)", n ? ", " : "", path,
             major);
    if (major < at_least || (f->path && f->major <= major))
        return;
    free(f->path);
    f->path = strdup(path);
    f->major = major;
}

static void
consider_path_variable(struct found *f, const char *program, int major)
{
    const char *at = getenv("PATH");
    char path[4096];
    size_t len;

    for (; at && *at; at += len + (at[len] == ':')) {
        len = strcspn(at, ":");
        if (len > 0 && (size_t)snprintf(path, sizeof path, "%.*s/%s", (int)len,
                                        at, program) < sizeof path)
            consider(f, path, major);
    }
}

static void
consider_installed(struct found *f, const char *program, int major)
{
    static const char *const places[] = {
        "/usr/lib/postgresql/*/bin/%s", /* Debian */
        "/usr/pgsql-*/bin/%s",          /* PGDG's RPMs */
    };
    char pattern[256];
    glob_t g;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        /* Both are literals with one %s. */
        size_t head = strcspn(places[i], "%");

        snprintf(pattern, sizeof pattern, "%.*s%s", (int)head, places[i],
                 program);
        if (glob(pattern, 0, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                consider(f, g.gl_pathv[k], major);
            globfree(&g);
        }
    }
}

int
tool_find(char **ret, const char *program, int major, struct err *err)
{
    struct found f = {0};

    /* What Debian has in PATH is a script that looks for these, slowly. */
    consider_installed(&f, program, major);
    if (!f.path || f.major != major)
        consider_path_variable(&f, program, major);
    if (f.path) {
        *ret = f.path;
        return 0;
    }
    err_set(err, ERR_REFUSED, "there is no %s for PostgreSQL %d", program,
            major);
    if (f.seen[0])
        err_detail(err, "Found: %s.", f.seen);
    return err_hint(err, "Install the client programs of PostgreSQL %d.",
                    major);
}

int
tool_find_for_schema(char **ret, const char *program, int major,
                     struct err *err)
{
    struct err ignored;

    if (major < TOOL_KNOWS_PUBLIC &&
        tool_find(ret, program, TOOL_KNOWS_PUBLIC, &ignored) == 0)
        return 0;
    return tool_find(ret, program, major, err);
}

/* ---- running ---- */

struct child {
    pid_t pid;
    int out_fd; /* -1: not ours to read */
    int err_fd;
    char words[LAST_WORDS]; /* the last of what it said on stderr */
    size_t n_words;
};

static const char *
stem(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int
spawn(struct child *c, const struct tool_params *p, const char *const *argv,
      const int out[2], const int errors[2], const struct conninfo_child *db)
{
    posix_spawn_file_actions_t files;
    int r;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(
        &files, p->stdout_fd >= 0 ? p->stdout_fd : out[1], 1);
    posix_spawn_file_actions_adddup2(&files, errors[1], 2);
    /* To itself: this is how close-on-exec is taken off for the child. */
    if (db->passfile_fd >= 0)
        posix_spawn_file_actions_adddup2(&files, db->passfile_fd,
                                         db->passfile_fd);
    r = posix_spawn(&c->pid, p->path, &files, NULL, (char *const *)argv,
                    db->env);
    posix_spawn_file_actions_destroy(&files);
    return r;
}

static void
close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int
start(struct child *c, const struct tool_params *p, struct err *err)
{
    struct conninfo_child db;
    const char *argv[MAX_ARGS + 4] = {stem(p->path)};
    int out[2] = {-1, -1}, errors[2] = {-1, -1};
    size_t n = 1;
    int r;

    for (size_t i = 0; p->args[i]; i++) {
        assert(n < MAX_ARGS);
        argv[n++] = p->args[i];
    }
    r = conninfo_child_new(&db, p->conninfo, err);
    if (r)
        return r;
    if (p->conninfo) {
        argv[n++] = "-d";
        argv[n++] = db.conninfo;
    }

    if (pipe2(errors, O_CLOEXEC) < 0 ||
        (p->stdout_fd < 0 && pipe2(out, O_CLOEXEC) < 0))
        r = errno;
    else
        r = spawn(c, p, argv, out, errors, &db);
    conninfo_child_free(&db);
    if (r) {
        close_pair(out);
        close_pair(errors);
        return err_sys(err, r, "could not run \"%s\"", p->path);
    }
    close(errors[1]);
    if (out[1] >= 0)
        close(out[1]);
    c->out_fd = out[0];
    c->err_fd = errors[0];
    return 0;
}

/* Keep the last LAST_WORDS bytes that the child says.  0: it says no more. */
static int
listen_to(struct child *c)
{
    char more[512];
    size_t len, drop;
    ssize_t n = read(c->err_fd, more, sizeof more);

    if (n < 0 && errno == EINTR)
        return 1;
    if (n <= 0)
        return 0;
    len = (size_t)n;
    drop = c->n_words + len > sizeof c->words
               ? c->n_words + len - sizeof c->words
               : 0;
    memmove(c->words, c->words + drop, c->n_words - drop);
    c->n_words -= drop;
    memcpy(c->words + c->n_words, more, len);
    c->n_words += len;
    return 1;
}

struct catch
{
    char *text;
    size_t len, max;
};

/* 1: more may come; 0: the end; <0: -errno. */
static int
take_output(struct child *c, struct catch *to)
{
    char more[64 << 10];
    ssize_t n = read(c->out_fd, more, sizeof more);
    char *grown;

    if (n < 0 && errno == EINTR)
        return 1;
    if (n <= 0)
        return n < 0 ? -errno : 0;
    if (to->len + (size_t)n > to->max)
        return -EFBIG;
    grown = realloc(to->text, to->len + (size_t)n + 1);
    if (!grown)
        return -ENOMEM;
    to->text = grown;
    memcpy(to->text + to->len, more, (size_t)n);
    to->len += (size_t)n;
    to->text[to->len] = '\0';
    return 1;
}

/* Until both of the child's outputs end.  0, -errno or -ECANCELED. */
static int
attend(struct child *c, const struct tool_params *p, struct catch *to)
{
    enum { OUT, ERRORS, STOP };
    struct pollfd fds[3] = {
        [OUT] = {.fd = c->out_fd, .events = POLLIN},
        [ERRORS] = {.fd = c->err_fd, .events = POLLIN},
        [STOP] = {.fd = p->stop ? stop_fd(p->stop) : -1, .events = POLLIN},
    };
    int r;

    while (fds[OUT].fd >= 0 || fds[ERRORS].fd >= 0) {
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (fds[STOP].revents)
            return -ECANCELED;
        if (fds[ERRORS].revents && !listen_to(c))
            fds[ERRORS].fd = -1;
        if (fds[OUT].revents) {
            r = take_output(c, to);
            if (r < 0)
                return r;
            if (r == 0)
                fds[OUT].fd = -1;
        }
    }
    return 0;
}

/* Reap it; its status decides, unless we ended it ourselves (r). */
static int
finish(struct child *c, const struct tool_params *p, int r, struct err *err)
{
    const enum err_class class = p->conninfo ? ERR_SERVER : ERR_SYSTEM;
    int status;

    if (r < 0)
        kill(c->pid, SIGTERM);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(c->err_fd);
    if (c->out_fd >= 0)
        close(c->out_fd);

    if (r == -ECANCELED)
        return err_set(err, ERR_CANCELLED, "interrupted");
    if (r < 0)
        return err_sys(err, -r, "could not read the output of %s",
                       stem(p->path));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        err_set(err, class, "%s failed with exit status %d", stem(p->path),
                WEXITSTATUS(status));
    else
        err_set(err, class, "%s was ended by signal %d", stem(p->path),
                WTERMSIG(status));
    while (c->n_words > 0 && c->words[c->n_words - 1] == '\n')
        c->n_words--;
    return err_detail(err, "%.*s", (int)c->n_words, c->words);
}

static int
run(const struct tool_params *p, struct catch *to, struct err *err)
{
    struct child c = {.out_fd = -1, .err_fd = -1};
    int r;

    r = start(&c, p, err);
    if (r)
        return r;
    return finish(&c, p, attend(&c, p, to), err);
}

int
tool_run(const struct tool_params *p, struct err *err)
{
    assert(p->stdout_fd >= 0);
    return run(p, NULL, err);
}

int
tool_capture(const struct tool_params *p, size_t max, char **ret,
             size_t *ret_len, struct err *err)
{
    struct catch to = {.max = max};
    int r;

    assert(p->stdout_fd < 0);
    to.text = calloc(1, 1);
    if (!to.text)
        return err_nomem(err);
    r = run(p, &to, err);
    if (r) {
        free(to.text);
        return r;
    }
    *ret = to.text;
    *ret_len = to.len;
    return 0;
}
