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
#include <sys/wait.h>
#include <unistd.h>

#include "loader/run/run_dir.h"

static char base[] = "/tmp/run-dir.XXXXXX";
static char path[64]; /* base/run; does not exist yet */
static struct run_dir *d;
static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static void
set_up(void)
{
    umask(0);
    cr_assert(mkdtemp(base));
    snprintf(path, sizeof path, "%s/run", base);
}

static void
tear_down(void)
{
    char command[64];

    run_dir_free(d);
    snprintf(command, sizeof command, "rm -rf %s", base);
    cr_assert_eq(system(command), 0);
}

TestSuite(run_dir, .init = set_up, .fini = tear_down, .timeout = 60);

/* The name of something under the run directory. */
static const char *
in_run(const char *name)
{
    static char full[128];

    snprintf(full, sizeof full, "%s/%s", path, name);
    return full;
}

static void
put_file(const char *name)
{
    int fd = open(in_run(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    cr_assert_geq(fd, 0, "%s", name);
    close(fd);
}

static int
exists(const char *name)
{
    struct stat st;

    return lstat(in_run(name), &st) == 0;
}

/* A run as the next command finds it. */
static void
make_run(void)
{
    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
    put_file("run.db");
    d = run_dir_free(d);
}

static void
refused(enum run_dir_mode mode, enum err_class class, const char *message)
{
    char expected[256];

    cr_assert_lt(run_dir_open(&d, path, mode, &err), 0);
    cr_assert_null(d);
    cr_assert_eq(err.class, class, "%s", err.message);
    snprintf(expected, sizeof expected, message, path);
    cr_assert_str_eq(err.message, expected);
}

/* ---- whose it is ---- */

Test(run_dir, what_it_makes_is_for_the_owner_alone)
{
    static const struct {
        const char *name;
        mode_t mode;
    } parts[] = {
        {".", S_IFDIR | 0700},
        {"lock", S_IFREG | 0600},
        {"data", S_IFDIR | 0700},
        {"data/tables", S_IFDIR | 0700},
        {"data/tables/1-t", S_IFDIR | 0700},
    };
    struct stat st;
    int fd;

    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
    ok(run_dir_open_table(d, "1-t", &fd, &err));
    close(fd);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cr_assert_eq(stat(in_run(parts[i].name), &st), 0);
        cr_assert_eq(st.st_mode, parts[i].mode, "%s", parts[i].name);
    }
}

Test(run_dir, an_empty_private_directory_becomes_a_run_directory)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
}

Test(run_dir, a_run_interrupted_before_its_catalogue_is_begun_again)
{
    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
    d = run_dir_free(d);
    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
}

Test(run_dir, a_directory_with_other_things_in_it_is_left_alone)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    put_file("letter.txt");
    put_file("lock");
    refused(RUN_DIR_CREATE, ERR_USAGE, "\"%s\" is not a run directory");
    cr_assert_str_eq(err.hint,
                     "Name a directory that is empty or does not exist yet.");
    cr_assert_not(exists("data"));
}

Test(run_dir, only_create_makes_one)
{
    refused(RUN_DIR_OPEN, ERR_USAGE, "\"%s\" is not a run directory");
    refused(RUN_DIR_LOOK, ERR_USAGE, "\"%s\" is not a run directory");
    cr_assert_neq(access(path, F_OK), 0);

    cr_assert_eq(mkdir(path, 0700), 0);
    refused(RUN_DIR_OPEN, ERR_USAGE, "\"%s\" is not a run directory");
    refused(RUN_DIR_LOOK, ERR_USAGE, "\"%s\" is not a run directory");
    cr_assert_not(exists("lock"));
}

Test(run_dir, the_parent_must_exist)
{
    strcat(path, "/below");
    cr_assert_lt(run_dir_open(&d, path, RUN_DIR_CREATE, &err), 0);
    cr_assert(strstr(err.message, path), "%s", err.message);
}

static void
make_file(void)
{
    close(creat(path, 0600));
}

static void
make_open_to_all(void)
{
    make_run();
    cr_assert_eq(chmod(path, 0777), 0);
}

static void
make_link(void)
{
    char to[80];

    make_run();
    snprintf(to, sizeof to, "%s.real", path);
    cr_assert_eq(rename(path, to), 0);
    cr_assert_eq(symlink(to, path), 0);
}

static void
make_lock_a_link(void)
{
    make_run();
    cr_assert_eq(unlink(in_run("lock")), 0);
    cr_assert_eq(symlink("run.db", in_run("lock")), 0);
}

static void
make_lock_a_second_name(void)
{
    char from[128];

    make_run();
    snprintf(from, sizeof from, "%s", in_run("run.db"));
    cr_assert_eq(unlink(in_run("lock")), 0);
    cr_assert_eq(link(from, in_run("lock")), 0);
}

static void
make_lock_a_pipe(void)
{
    make_run();
    cr_assert_eq(unlink(in_run("lock")), 0);
    cr_assert_eq(mkfifo(in_run("lock"), 0600), 0);
}

Test(run_dir, what_could_be_a_trap_is_refused)
{
    static const struct {
        const char *name;
        void (*make)(void);
    } cases[] = {
        {"a file", make_file},
        {"writable by others", make_open_to_all},
        {"a symbolic link", make_link},
        {"lock is a symbolic link", make_lock_a_link},
        {"lock is another file's second name", make_lock_a_second_name},
        {"lock is a pipe", make_lock_a_pipe},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "%s/%zu", base, i);
        cases[i].make();
        for (int mode = RUN_DIR_CREATE; mode <= RUN_DIR_LOOK; mode++) {
            cr_assert_lt(run_dir_open(&d, path, mode, &err), 0, "%s",
                         cases[i].name);
            cr_assert_null(d);
            cr_assert_neq(err.message[0], '\0');
        }
    }
}

/* ---- the lock ---- */

/* A process that holds the run until it is killed. */
static pid_t
start_holder(void)
{
    int fds[2];
    pid_t pid;
    char byte;

    cr_assert_eq(pipe(fds), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* when the test fails */
        ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
        cr_assert_eq(write(fds[1], "x", 1), 1);
        pause();
    }
    cr_assert_eq(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    return pid;
}

static void
end_holder(pid_t pid)
{
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(run_dir, a_second_process_is_told_who_is_at_work)
{
    char message[128];
    pid_t holder;

    make_run();
    holder = start_holder();
    snprintf(message, sizeof message,
             "run directory \"%%s\" is in use by process %d", (int)holder);
    refused(RUN_DIR_OPEN, ERR_REFUSED, message);
    refused(RUN_DIR_CREATE, ERR_REFUSED, message);
    end_holder(holder);
}

Test(run_dir, kill_9_of_the_holder_frees_it)
{
    pid_t holder;

    make_run();
    holder = start_holder();
    end_holder(holder);
    ok(run_dir_open(&d, path, RUN_DIR_OPEN, &err));
    cr_assert_eq(run_dir_holder(d), getpid());
}

Test(run_dir, a_look_tells_who_is_at_work_and_keeps_nobody_out)
{
    cleanup_(run_dir_freep) struct run_dir *look = NULL;
    pid_t holder;

    make_run();
    holder = start_holder();
    ok(run_dir_open(&look, path, RUN_DIR_LOOK, &err));
    cr_assert_eq(run_dir_holder(look), holder);
    end_holder(holder);
    cr_assert_eq(run_dir_holder(look), 0);

    ok(run_dir_open(&d, path, RUN_DIR_OPEN, &err));
    cr_assert_eq(run_dir_holder(look), getpid());
}

Test(run_dir, a_holder_that_has_not_said_who_it_is_is_unknown)
{
    cleanup_(run_dir_freep) struct run_dir *look = NULL;

    make_run();
    ok(run_dir_open(&d, path, RUN_DIR_OPEN, &err));
    cr_assert_eq(truncate(in_run("lock"), 0), 0);
    ok(run_dir_open(&look, path, RUN_DIR_LOOK, &err));
    cr_assert_eq(run_dir_holder(look), -1);
}

/* ---- tables ---- */

Test(run_dir, table_names_are_safe_for_every_file_system)
{
    static const struct {
        uint64_t n;
        const char *name;
        const char *expected;
    } cases[] = {
        {1, "orders", "1-orders"},
        {2, "Orders_2024", "2-Orders_2024"},
        {3, "../../etc/passwd", "3-______etc_passwd"},
        {4, "a\nb\"; rm -rf ~", "4-a_b___rm__rf__"},
        {5, "\xc3\xa9t\xc3\xa9", "5-__t__"},
        {6, "", "6-"},
        {7, "%s%n", "7-_s_n"},
        {UINT64_MAX, "0123456789012345678901234567890123456789tail",
         "18446744073709551615-0123456789012345678901234567890123456789"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[RUN_DIR_NAME];

        run_dir_table_name(name, cases[i].n, cases[i].name);
        cr_assert_str_eq(name, cases[i].expected);
    }
}

/* ---- sweeping ---- */

static int
keep_listed(void *arg, const char *name, struct err *why)
{
    (void)arg;
    (void)why;
    return strcmp(name, "tables/1-t/1.copy.lz4") == 0;
}

static int
cannot_say(void *arg, const char *name, struct err *why)
{
    (void)arg;
    return err_set(why, ERR_CORRUPT, "cannot say about \"%s\"", name);
}

static void
open_with_table(const char *name)
{
    int fd;

    ok(run_dir_open(&d, path, RUN_DIR_CREATE, &err));
    ok(run_dir_open_table(d, name, &fd, &err));
    close(fd);
}

Test(run_dir, sweep_leaves_what_is_kept_and_nothing_else)
{
    unsigned n = 99;
    int fd;

    open_with_table("1-t");
    ok(run_dir_open_table(d, "2-u", &fd, &err));
    close(fd);
    put_file("data/catalog.json");
    put_file("data/tables/1-t/1.copy.lz4");
    put_file("data/tables/1-t/1.copy.lz4.part");
    put_file("data/tables/1-t/2.copy.lz4");
    put_file("data/tables/2-u/3.copy.lz4");
    put_file("data/tables/stray");
    cr_assert_eq(symlink(base, in_run("data/tables/3-link")), 0);

    ok(run_dir_sweep(d, keep_listed, NULL, &n, &err));
    cr_assert_eq(n, 5);
    cr_assert(exists("data/catalog.json"));
    cr_assert(exists("data/tables/1-t/1.copy.lz4"));
    cr_assert_not(exists("data/tables/1-t/1.copy.lz4.part"));
    cr_assert_not(exists("data/tables/1-t/2.copy.lz4"));
    cr_assert_not(exists("data/tables/2-u"));
    cr_assert_not(exists("data/tables/stray"));
    cr_assert_not(exists("data/tables/3-link"));
    cr_assert_eq(access(base, F_OK), 0);
}

Test(run_dir, sweep_deletes_nothing_when_it_cannot_be_said_what_to_keep)
{
    unsigned n = 99;

    open_with_table("1-t");
    put_file("data/tables/1-t/1.copy.lz4");
    cr_assert_lt(run_dir_sweep(d, cannot_say, NULL, &n, &err), 0);
    cr_assert_str_eq(err.message, "cannot say about \"tables/1-t/1.copy.lz4\"");
    cr_assert_eq(n, 99);
    cr_assert(exists("data/tables/1-t/1.copy.lz4"));
}
