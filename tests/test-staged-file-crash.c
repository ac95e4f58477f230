/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/staged_file.h"
#include "tests/engines.h"
#include "tests/refuse.h"
#include "tests/staging.h"
#include "tests/traced.h"

enum { LEN = (1 << 20) + 12345 };

TestSuite(staged_file_crash, .init = staging_begin, .fini = staging_end);

/* In a child: what every worker does, from the ring to the name. */
static void
work(void *arg)
{
    struct sink *s = engine_new(*(int *)arg, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    staging.file.expected_len = LEN;
    if (staging_stage(s, LEN, &seal, &err))
        _exit(1);
    sink_free(s);
}

/*
 * The order of durability.
 */

struct order {
    long calls[8];
    unsigned n;
};

static int
note_call(void *seen, long nr)
{
    struct order *o = seen;

    switch (nr) {
    case __NR_pwrite64:
        if (o->n > 0 && o->calls[o->n - 1] == nr)
            return 0; /* one more */
        /* fall through */
    case __NR_fallocate:
    case __NR_ftruncate:
    case __NR_fsync:
    case __NR_fdatasync:
    case __NR_renameat2:
        cr_assert_lt(o->n, 8);
        o->calls[o->n++] = nr;
    }
    return 0;
}

Test(staged_file_crash, order_is_data_length_sync_name_directory)
{
    const long expected[] = {__NR_fallocate, __NR_pwrite64,  __NR_ftruncate,
                             __NR_fdatasync, __NR_renameat2, __NR_fsync};
    int e = ENGINE_SYNC;
    struct order o = {.n = 0};

    cr_assert_eq(traced_run(work, &e, note_call, &o), 0);
    cr_assert_eq(o.n, sizeof expected / sizeof *expected);
    cr_assert_arr_eq(o.calls, expected, sizeof expected);
}

/*
 * Sudden death.
 */

static int
count_down(void *seen, long nr)
{
    (void)nr;
    return (*(int *)seen)-- == 0;
}

ParameterizedTestParameters(staged_file_crash, killed_anywhere_no_half_of_it)
{
    static int real[] = {ENGINE_URING, ENGINE_SYNC};

    return cr_make_param_array(int, real, 2);
}

ParameterizedTest(int *e, staged_file_crash, killed_anywhere_no_half_of_it)
{
    int n_whole = 0, n_part = 0, n_none = 0, n_left, r, at = 0;

    do {
        n_left = at++;
        r = traced_run(work, e, count_down, &n_left);
        cr_assert(r == 0 || r == TRACED_KILLED);

        if (staging_exists("t.1")) {
            cr_assert(staging_is_whole(LEN), "killed at system call %d", at);
            cr_assert(!staging_exists("t.1.part"));
            n_whole++;
        } else if (staging_exists("t.1.part")) {
            n_part++;
        } else {
            n_none++;
        }
        unlinkat(staging.file.dir_fd, "t.1", 0);
        unlinkat(staging.file.dir_fd, "t.1.part", 0);
    } while (r == TRACED_KILLED);

    /* It was killed before, within and after. */
    cr_assert_gt(n_none, 0);
    cr_assert_gt(n_part, 5);
    cr_assert_gt(n_whole, 1);
}

/*
 * File systems of our own, that may be filled and broken.
 */

static void
own_mounts(void)
{
    if (geteuid() != 0)
        cr_skip_test("mounting a file system needs root");
    if (unshare(CLONE_NEWNS) < 0)
        cr_skip_test("no mount namespace: %m");
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        cr_skip_test("mounts are not our own, as in a chroot: %m");
}

static void
mount_tmpfs(unsigned size_kb)
{
    char options[32];

    snprintf(options, sizeof options, "size=%uk", size_kb);
    cr_assert_eq(mount("staging", staging.dir, "tmpfs", 0, options), 0);
    staging_reopen();
}

static void
unmount(void)
{
    close(staging.file.dir_fd);
    cr_assert_eq(umount(staging.dir), 0);
    staging.file.dir_fd = -1;
}

ParameterizedTestParameters(staged_file_crash, a_full_disk_is_said_and_left)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, staged_file_crash, a_full_disk_is_said_and_left)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    own_mounts();
    for (unsigned size_kb = 64; size_kb < LEN / 1024; size_kb += 64) {
        mount_tmpfs(size_kb);
        for (int aside = 0; aside < 2; aside++) {
            staging.file.expected_len = aside ? LEN : 0;
            cr_assert_lt(staging_stage(s, LEN, &seal, &err), 0);
            cr_assert_eq(err.sys, ENOSPC);
            cr_assert_str_not_empty(err.hint);
            cr_assert(!staging_exists("t.1"));
            cr_assert(!staging_exists("t.1.part"));
        }
        cr_assert_str_eq(err.message,
                         "could not set aside 1060921 bytes for \"t.1.part\": "
                         "No space left on device");
        unmount();
    }

    mount_tmpfs(LEN / 1024 + 64);
    cr_assert_eq(staging_stage(s, LEN, &seal, &err), 0, "%s", err.message);
    cr_assert(staging_is_whole(LEN));
    unmount();
    staging_reopen();
}

/* Run a shell command on the image, $1, and the directory, $2. */
static int
run(const char *command)
{
    char line[256];

    snprintf(line, sizeof line, "f() { %s; }; f %s.img %s", command,
             staging.dir, staging.dir);
    return system(line);
}

/* What was in memory only is gone. */
static void
cut_power(void)
{
    const unsigned no_log_flush = 2;

    cr_assert_eq(
        ioctl(staging.file.dir_fd, _IOR('X', 125, unsigned), &no_log_flush), 0);
    unmount();
    cr_assert_eq(run("mount -o loop $1 $2"), 0);
    staging_reopen();
}

/* A step of commit that the kernel says it made, and did not. */
static struct {
    int lie;
    int name_stays;
    int whole;
} steps[] = {
    {REFUSE_ANY, 1, 1}, /* none: the promise */
    {__NR_fsync, 0, 0}, /* these show that the promise needs each */
    {__NR_fdatasync, 1, 0},
};

ParameterizedTestParameters(staged_file_crash, a_name_outlives_a_power_cut)
{
    return cr_make_param_array(__typeof__(*steps), steps, 3);
}

ParameterizedTest(__typeof__(*steps) *t, staged_file_crash,
                  a_name_outlives_a_power_cut)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct staged_file_seal seal;
    struct err err;

    own_mounts();
    if (run("truncate -s 32M $1 && mkfs.ext4 -q $1 && mount -o loop $1 $2"))
        cr_skip_test("no ext4 on a loop device");
    staging_reopen();

    s = engine_new(t->lie == REFUSE_ANY ? ENGINE_URING : ENGINE_SYNC,
                   &staging.sink);
    if (t->lie != REFUSE_ANY) {
        refuse_one(t->lie, 0);
        /* Bytes past the page cache would be safe by luck. */
        refuse(&(struct refusal){__NR_fcntl, EINVAL, 1, F_SETFL}, 1);
    }
    cr_assert_eq(staging_stage(s, LEN, &seal, &err), 0, "%s", err.message);
    cut_power();
    cr_expect_eq(staging_exists("t.1"), t->name_stays);
    cr_expect_eq(staging_is_whole(LEN), t->whole);
    unmount();
    staging_reopen();
    cr_expect_eq(run("rm $1"), 0);
}
