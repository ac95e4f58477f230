/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/dir.h"
#include "io/fd.h"

/* The library's fsync() is this one: it tells what was synced, or fails. */
static ino_t synced;
static int sync_error;

int
fsync(int fd)
{
    struct stat st;

    if (sync_error) {
        errno = sync_error;
        return -1;
    }
    fstat(fd, &st);
    synced = st.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

static char base[] = "/tmp/test-dir.XXXXXX";
static int base_fd;

static void
make_base(void)
{
    umask(022);
    cr_assert_not_null(mkdtemp(base));
    base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(base_fd, 0);
}

static void
remove_base(void)
{
    char command[64];

    close(base_fd);
    snprintf(command, sizeof command, "rm -rf %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(dir, .init = make_base, .fini = remove_base);

static void
touch(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    close(fd);
}

static ino_t
inode(int dir_fd, const char *name)
{
    struct stat st;

    cr_assert_eq(fstatat(dir_fd, name, &st, 0), 0);
    return st.st_ino;
}

Test(dir, missing_one_is_an_outcome_unless_it_may_be_made)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(dir_open_private(&fd, base_fd, "run", 0, &err), DIR_E_MISSING);
    cr_assert_eq(fd, -1);
    cr_assert_eq(dir_open_private(&fd, base_fd, "run", 1, &err), 0);
    cr_assert_eq(inode(fd, "."), inode(base_fd, "run"));
}

Test(dir, new_one_is_for_its_owner_only_whatever_the_umask)
{
    cleanup_(fd_closep) int fd = -1;
    struct stat st;
    struct err err;

    umask(0);
    cr_assert_eq(dir_open_private(&fd, base_fd, "run", 1, &err), 0);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    cr_assert_eq(st.st_uid, geteuid());
    cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

Test(dir, new_ones_name_is_durable)
{
    cleanup_(fd_closep) int fd = -1;
    cleanup_(fd_closep) int below_fd = -1;
    struct err err;

    cr_assert_eq(dir_open_private(&fd, base_fd, "run", 1, &err), 0);
    cr_assert_eq(synced, inode(base_fd, "."));
    cr_assert_eq(dir_open_private(&below_fd, base_fd, "run/data/", 1, &err), 0);
    cr_assert_eq(synced, inode(base_fd, "run"));
}

Test(dir, name_that_cannot_be_made_durable_is_a_failure)
{
    int fd = -1;
    struct err err;

    sync_error = EIO;
    cr_assert_lt(dir_open_private(&fd, base_fd, "run", 1, &err), 0);
    cr_assert_eq(fd, -1);
    cr_assert_str_eq(
        err.message,
        "could not sync the parent of \"run\": Input/output error");
}

Test(dir, parent_must_exist)
{
    int fd = -1;
    struct err err;

    cr_assert_lt(dir_open_private(&fd, base_fd, "no/run", 1, &err), 0);
    cr_assert_eq(err.sys, ENOENT);
    cr_assert_str_eq(
        err.message,
        "could not create directory \"no/run\": No such file or directory");
}

Test(dir, path_may_be_absolute_or_the_current_one)
{
    cleanup_(fd_closep) int absolute_fd = -1;
    cleanup_(fd_closep) int current_fd = -1;
    struct err err;

    cr_assert_eq(dir_open_private(&absolute_fd, AT_FDCWD, base, 0, &err), 0);
    cr_assert_eq(inode(absolute_fd, "."), inode(base_fd, "."));
    cr_assert_eq(fchdir(base_fd), 0);
    cr_assert_eq(dir_open_private(&current_fd, AT_FDCWD, "./", 1, &err), 0);
    cr_assert_eq(inode(current_fd, "."), inode(base_fd, "."));
}

Test(dir, links_above_it_are_followed)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(mkdirat(base_fd, "home", 0755), 0);
    cr_assert_eq(symlinkat("home", base_fd, "link"), 0);
    cr_assert_eq(dir_open_private(&fd, base_fd, "link/run", 1, &err), 0);
    cr_assert_eq(inode(fd, "."), inode(base_fd, "home/run"));
}

Test(dir, others_may_read_it)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(mkdirat(base_fd, "run", 0755), 0);
    cr_assert_eq(dir_open_private(&fd, base_fd, "run", 0, &err), 0);
}

static void
make_mode(mode_t mode)
{
    cr_assert_eq(mkdirat(base_fd, "run", 0700), 0);
    cr_assert_eq(fchmodat(base_fd, "run", mode, 0), 0);
}

static void
make_file(void)
{
    touch(base_fd, "run");
}

static void
make_fifo(void)
{
    cr_assert_eq(mkfifoat(base_fd, "run", 0600), 0);
}

static void
make_link(void)
{
    cr_assert_eq(mkdirat(base_fd, "private", 0700), 0);
    cr_assert_eq(symlinkat("private", base_fd, "run"), 0);
}

static void
make_dangling_link(void)
{
    cr_assert_eq(symlinkat("nowhere", base_fd, "run"), 0);
}

static void
make_group_writable(void)
{
    make_mode(0770);
}

static void
make_world_writable(void)
{
    make_mode(0702);
}

static void
make_sticky(void)
{
    make_mode(01777);
}

static const struct refusal {
    const char *path;
    void (*prepare)(void);
    enum err_class class;
    const char *message;
    const char *detail;
} refusals[] = {
    {"run", make_file, ERR_USAGE, "\"run\" is not a directory", ""},
    {"run", make_fifo, ERR_USAGE, "\"run\" is not a directory", ""},
    {"run", make_link, ERR_REFUSED, "\"run\" is a symbolic link", ""},
    {"run/", make_link, ERR_REFUSED, "\"run/\" is a symbolic link", ""},
    {"run/.", make_link, ERR_REFUSED, "\"run/.\" is a symbolic link", ""},
    {"./run/.//", make_link, ERR_REFUSED, "\"./run/.//\" is a symbolic link",
     ""},
    {"run", make_dangling_link, ERR_REFUSED, "\"run\" is a symbolic link", ""},
    {"run", make_group_writable, ERR_REFUSED,
     "directory \"run\" is writable by others", "Its mode is 0770."},
    {"run", make_world_writable, ERR_REFUSED,
     "directory \"run\" is writable by others", "Its mode is 0702."},
    {"run", make_sticky, ERR_REFUSED, "directory \"run\" is writable by others",
     "Its mode is 1777."},
};

Test(dir, what_is_not_private_is_refused_with_the_reason_and_a_hint)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *t = &refusals[i];
        struct err err;
        int fd = -1;

        t->prepare();
        for (int create = 0; create < 2; create++) {
            cr_assert_lt(dir_open_private(&fd, base_fd, t->path, create, &err),
                         0, "%s: not refused", t->message);
            cr_assert_eq(fd, -1);
            cr_assert_eq(err.class, t->class);
            cr_assert_str_eq(err.message, t->message);
            cr_assert_str_eq(err.detail, t->detail);
            cr_assert_str_not_empty(err.hint);
        }
        remove_base();
        strcpy(base, "/tmp/test-dir.XXXXXX");
        make_base();
    }
}

enum { NOBODY = 65534 };

Test(dir, another_users_is_refused_also_to_root)
{
    const char *path = "/"; /* root's, for all others */
    struct err err;
    int fd = -1;

    if (geteuid() == 0) {
        path = "run";
        make_mode(0700);
        cr_assert_eq(fchownat(base_fd, "run", NOBODY, NOBODY, 0), 0);
    }
    cr_assert_lt(dir_open_private(&fd, base_fd, path, 1, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert(strstr(err.message, "belongs to another user"));
    if (geteuid() == 0)
        cr_assert_str_eq(err.detail, "Its owner is user id 65534, this "
                                     "program runs as 0.");
    cr_assert_str_not_empty(err.hint);
}

/* Swap "run" and "link" without end, until killed. */
static pid_t
start_swapping(void)
{
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    while (pid == 0)
        renameat2(base_fd, "run", base_fd, "link", RENAME_EXCHANGE);
    return pid;
}

Test(dir, link_swapped_in_at_any_instant_is_never_followed)
{
    int n_opened = 0, n_refused = 0;
    ino_t run;
    pid_t pid;

    make_link(); /* "run", to "private", which is as good as can be */
    cr_assert_eq(mkdirat(base_fd, "link", 0700), 0);
    run = inode(base_fd, "link");

    pid = start_swapping();
    for (int i = 0; i < 10000; i++) {
        cleanup_(fd_closep) int fd = -1;
        struct err err;

        if (dir_open_private(&fd, base_fd, "run", 1, &err) < 0) {
            cr_assert_eq(err.class, ERR_REFUSED, "%s", err.message);
            n_refused++;
        } else {
            cr_assert_eq(inode(fd, "."), run, "followed at attempt %d", i);
            n_opened++;
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert_gt(n_opened, 0);
    cr_assert_gt(n_refused, 0);
}

Test(dir, removing_what_is_not_there_is_no_failure)
{
    struct err err;

    touch(base_fd, "file");
    cr_assert_eq(dir_remove(base_fd, "file", &err), 0);
    cr_assert_eq(faccessat(base_fd, "file", F_OK, 0), -1);
    cr_assert_eq(dir_remove(base_fd, "file", &err), 0);
}

Test(dir, removing_a_link_leaves_what_it_points_to)
{
    struct err err;

    touch(base_fd, "file");
    cr_assert_eq(symlinkat("file", base_fd, "link"), 0);
    cr_assert_eq(dir_remove(base_fd, "link", &err), 0);
    cr_assert_eq(faccessat(base_fd, "file", F_OK, 0), 0);
}

Test(dir, what_cannot_be_removed_is_named)
{
    struct err err;

    cr_assert_eq(mkdirat(base_fd, "sub", 0700), 0);
    cr_assert_lt(dir_remove(base_fd, "sub", &err), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_str_eq(err.message, "could not remove \"sub\": Is a directory");
}

/* Names are single letters; seen holds how often each came. */
struct letters {
    int n_visits;
    int stop_after;
    int remove;
    int seen[256];
};

static int
visit(void *arg, const char *name)
{
    struct letters *l = arg;
    struct err err;

    l->n_visits++;
    l->seen[(unsigned char)name[0]]++;
    if (l->remove)
        cr_assert_eq(dir_remove(base_fd, name, &err), 0);
    return l->n_visits == l->stop_after ? 42 : 0;
}

Test(dir, each_name_is_visited_once_without_the_dots)
{
    struct err err;

    touch(base_fd, "a");
    touch(base_fd, "b");
    cr_assert_eq(mkdirat(base_fd, "c", 0700), 0);
    cr_assert_eq(symlinkat("nowhere", base_fd, "d"), 0);

    /* Twice: one listing leaves no trace for the next. */
    for (int round = 0; round < 2; round++) {
        struct letters l = {0};

        cr_assert_eq(dir_each(base_fd, visit, &l, &err), 0);
        cr_assert_eq(l.n_visits, 4);
        for (int c = 'a'; c <= 'd'; c++)
            cr_assert_eq(l.seen[c], 1);
    }
}

Test(dir, visiting_stops_with_the_first_answer)
{
    struct letters l = {.stop_after = 2};
    struct err err;

    for (char c = 'a'; c <= 'e'; c++)
        touch(base_fd, (char[]){c, '\0'});
    cr_assert_eq(dir_each(base_fd, visit, &l, &err), 42);
    cr_assert_eq(l.n_visits, 2);
}

Test(dir, names_may_be_removed_while_they_are_visited)
{
    struct letters l = {.remove = 1};
    char name[16];
    struct err err;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        touch(base_fd, name);
    }
    cr_assert_eq(dir_each(base_fd, visit, &l, &err), 0);
    cr_assert_eq(l.n_visits, 3000);
}

static int
list_below(void *arg, const char *name)
{
    struct letters *outer = arg, inner = {0};
    struct err err;

    (void)name;
    outer->n_visits++;
    cr_assert_eq(dir_each(base_fd, visit, &inner, &err), 0);
    cr_assert_eq(inner.n_visits, 3);
    return 0;
}

Test(dir, listing_may_be_nested_in_a_listing)
{
    struct letters l = {0};
    struct err err;

    for (char c = 'a'; c <= 'c'; c++)
        touch(base_fd, (char[]){c, '\0'});
    cr_assert_eq(dir_each(base_fd, list_below, &l, &err), 0);
    cr_assert_eq(l.n_visits, 3);
}

Test(dir, what_is_not_a_directory_cannot_be_listed)
{
    struct letters l = {0};
    struct err err;

    cr_assert_lt(dir_each(-1, visit, &l, &err), 0);
    cr_assert_eq(err.sys, EBADF);
}
