/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/dir.h"
#include "io/fd.h"
#include "tests/scratch.h"

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

TestSuite(dir, .init = scratch_begin, .fini = scratch_end);

static ino_t
inode(int fd)
{
    struct stat st;

    cr_assert_eq(fstat(fd, &st), 0);
    return st.st_ino;
}

Test(dir, missing_one_is_an_outcome_unless_it_may_be_made)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(dir_open_private(&fd, scratch_fd, "run", 0, &err),
                 DIR_E_MISSING);
    cr_assert_eq(fd, -1);
    cr_assert_eq(dir_open_private(&fd, scratch_fd, "run", 1, &err), 0);
    cr_assert_eq(inode(fd), scratch_inode("run"));
}

Test(dir, new_one_is_for_its_owner_only_whatever_the_umask)
{
    cleanup_(fd_closep) int fd = -1;
    struct stat st;
    struct err err;

    umask(0);
    cr_assert_eq(dir_open_private(&fd, scratch_fd, "run", 1, &err), 0);
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

    cr_assert_eq(dir_open_private(&fd, scratch_fd, "run", 1, &err), 0);
    cr_assert_eq(synced, scratch_inode("."));
    cr_assert_eq(dir_open_private(&below_fd, scratch_fd, "run/data/", 1, &err),
                 0);
    cr_assert_eq(synced, scratch_inode("run"));
}

Test(dir, name_that_cannot_be_made_durable_is_a_failure)
{
    int fd = -1;
    struct err err;

    sync_error = EIO;
    cr_assert_lt(dir_open_private(&fd, scratch_fd, "run", 1, &err), 0);
    cr_assert_eq(fd, -1);
    cr_assert_str_eq(
        err.message,
        "could not sync the parent of \"run\": Input/output error");
}

Test(dir, parent_must_exist)
{
    int fd = -1;
    struct err err;

    cr_assert_lt(dir_open_private(&fd, scratch_fd, "no/run", 1, &err), 0);
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

    cr_assert_eq(
        dir_open_private(&absolute_fd, AT_FDCWD, scratch_path, 0, &err), 0);
    cr_assert_eq(inode(absolute_fd), scratch_inode("."));
    cr_assert_eq(fchdir(scratch_fd), 0);
    cr_assert_eq(dir_open_private(&current_fd, AT_FDCWD, "./", 1, &err), 0);
    cr_assert_eq(inode(current_fd), scratch_inode("."));
}

Test(dir, links_above_it_are_followed)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(mkdirat(scratch_fd, "home", 0755), 0);
    cr_assert_eq(symlinkat("home", scratch_fd, "link"), 0);
    cr_assert_eq(dir_open_private(&fd, scratch_fd, "link/run", 1, &err), 0);
    cr_assert_eq(inode(fd), scratch_inode("home/run"));
}

Test(dir, others_may_read_it)
{
    cleanup_(fd_closep) int fd = -1;
    struct err err;

    cr_assert_eq(mkdirat(scratch_fd, "run", 0755), 0);
    cr_assert_eq(dir_open_private(&fd, scratch_fd, "run", 0, &err), 0);
}

static void
make_mode(mode_t mode)
{
    cr_assert_eq(mkdirat(scratch_fd, "run", 0700), 0);
    cr_assert_eq(fchmodat(scratch_fd, "run", mode, 0), 0);
}

static void
make_file(void)
{
    scratch_put("run", "", 0);
}

static void
make_fifo(void)
{
    cr_assert_eq(mkfifoat(scratch_fd, "run", 0600), 0);
}

static void
make_link(void)
{
    cr_assert_eq(mkdirat(scratch_fd, "private", 0700), 0);
    cr_assert_eq(symlinkat("private", scratch_fd, "run"), 0);
}

static void
make_dangling_link(void)
{
    cr_assert_eq(symlinkat("nowhere", scratch_fd, "run"), 0);
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
            cr_assert_lt(
                dir_open_private(&fd, scratch_fd, t->path, create, &err), 0,
                "%s: not refused", t->message);
            cr_assert_eq(fd, -1);
            cr_assert_eq(err.class, t->class);
            cr_assert_str_eq(err.message, t->message);
            cr_assert_str_eq(err.detail, t->detail);
            cr_assert_str_not_empty(err.hint);
        }
        scratch_end();
        scratch_begin();
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
        cr_assert_eq(fchownat(scratch_fd, "run", NOBODY, NOBODY, 0), 0);
    }
    cr_assert_lt(dir_open_private(&fd, scratch_fd, path, 1, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert(strstr(err.message, "belongs to another user"));
    if (geteuid() == 0)
        cr_assert_str_eq(err.detail, "Its owner is user id 65534, this "
                                     "program runs as 0.");
    cr_assert_str_not_empty(err.hint);
}

Test(dir, link_swapped_in_at_any_instant_is_never_followed)
{
    int n_opened = 0, n_refused = 0;
    ino_t run;
    pid_t pid;

    make_link(); /* "run", to "private", which is as good as can be */
    cr_assert_eq(mkdirat(scratch_fd, "link", 0700), 0);
    run = scratch_inode("link");

    pid = scratch_swap("run", "link");
    for (int i = 0; i < 10000; i++) {
        cleanup_(fd_closep) int fd = -1;
        struct err err;

        if (dir_open_private(&fd, scratch_fd, "run", 1, &err) < 0) {
            cr_assert_eq(err.class, ERR_REFUSED, "%s", err.message);
            n_refused++;
        } else {
            cr_assert_eq(inode(fd), run, "followed at attempt %d", i);
            n_opened++;
        }
    }
    scratch_swap_end(pid);
    cr_assert_gt(n_opened, 0);
    cr_assert_gt(n_refused, 0);
}

Test(dir, removing_what_is_not_there_is_no_failure)
{
    struct err err;

    scratch_put("file", "", 0);
    cr_assert_eq(dir_remove(scratch_fd, "file", &err), 0);
    cr_assert_eq(faccessat(scratch_fd, "file", F_OK, 0), -1);
    cr_assert_eq(dir_remove(scratch_fd, "file", &err), 0);
}

Test(dir, removing_a_link_leaves_what_it_points_to)
{
    struct err err;

    scratch_put("file", "", 0);
    cr_assert_eq(symlinkat("file", scratch_fd, "link"), 0);
    cr_assert_eq(dir_remove(scratch_fd, "link", &err), 0);
    cr_assert_eq(faccessat(scratch_fd, "file", F_OK, 0), 0);
}

Test(dir, what_cannot_be_removed_is_named)
{
    struct err err;

    cr_assert_eq(mkdirat(scratch_fd, "sub", 0700), 0);
    cr_assert_lt(dir_remove(scratch_fd, "sub", &err), 0);
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
        cr_assert_eq(dir_remove(scratch_fd, name, &err), 0);
    return l->n_visits == l->stop_after ? 42 : 0;
}

Test(dir, each_name_is_visited_once_without_the_dots)
{
    struct err err;

    scratch_put("a", "", 0);
    scratch_put("b", "", 0);
    cr_assert_eq(mkdirat(scratch_fd, "c", 0700), 0);
    cr_assert_eq(symlinkat("nowhere", scratch_fd, "d"), 0);

    /* Twice: one listing leaves no trace for the next. */
    for (int round = 0; round < 2; round++) {
        struct letters l = {0};

        cr_assert_eq(dir_each(scratch_fd, visit, &l, &err), 0);
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
        scratch_put((char[]){c, '\0'}, "", 0);
    cr_assert_eq(dir_each(scratch_fd, visit, &l, &err), 42);
    cr_assert_eq(l.n_visits, 2);
}

Test(dir, names_may_be_removed_while_they_are_visited)
{
    struct letters l = {.remove = 1};
    char name[16];
    struct err err;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        scratch_put(name, "", 0);
    }
    cr_assert_eq(dir_each(scratch_fd, visit, &l, &err), 0);
    cr_assert_eq(l.n_visits, 3000);
}

static int
list_below(void *arg, const char *name)
{
    struct letters *outer = arg, inner = {0};
    struct err err;

    (void)name;
    outer->n_visits++;
    cr_assert_eq(dir_each(scratch_fd, visit, &inner, &err), 0);
    cr_assert_eq(inner.n_visits, 3);
    return 0;
}

Test(dir, listing_may_be_nested_in_a_listing)
{
    struct letters l = {0};
    struct err err;

    for (char c = 'a'; c <= 'c'; c++)
        scratch_put((char[]){c, '\0'}, "", 0);
    cr_assert_eq(dir_each(scratch_fd, list_below, &l, &err), 0);
    cr_assert_eq(l.n_visits, 3);
}

Test(dir, what_is_not_a_directory_cannot_be_listed)
{
    struct letters l = {0};
    struct err err;

    cr_assert_lt(dir_each(-1, visit, &l, &err), 0);
    cr_assert_eq(err.sys, EBADF);
}
