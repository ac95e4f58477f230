/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/staged_file.h"
#include "tests/engines.h"
#include "tests/refuse.h"
#include "tests/sink_faulty.h"
#include "tests/staging.h"

TestSuite(staged_file, .init = staging_begin, .fini = staging_end);

static void
assert_sha256sum_agrees(const struct staged_file_seal *seal)
{
    char command[128], judged[65], ours[65];
    FILE *p;

    for (int i = 0; i < 32; i++)
        snprintf(ours + 2 * i, 3, "%02x", seal->sha256[i]);
    snprintf(command, sizeof command, "sha256sum %s/t.1", staging.dir);
    p = popen(command, "r");
    cr_assert_not_null(p);
    cr_assert_eq(fread(judged, 1, 64, p), 64);
    judged[64] = '\0';
    pclose(p);
    cr_assert_str_eq(ours, judged);
}

/* Lengths about which a mistake is likely. */
static const uint64_t lengths[] = {
    0,
    1,
    4095,
    4096,
    4097,
    BUFFER_PIECE - 1,
    BUFFER_PIECE,
    BUFFER_PIECE + 1,
    3 * BUFFER_PIECE,
    5 * BUFFER_PIECE + 12345,
};

static void
assert_all_lengths_arrive(struct sink *s)
{
    struct staged_file_seal seal;
    struct err err;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        cr_assert_eq(staging_stage(s, lengths[i], &seal, &err), 0, "%s",
                     err.message);
        cr_assert_eq(seal.len, lengths[i]);
        cr_assert(staging_is_whole(lengths[i]), "%llu bytes",
                  (unsigned long long)lengths[i]);
        assert_sha256sum_agrees(&seal);
        unlinkat(staging.file.dir_fd, "t.1", 0);
    }
}

ParameterizedTestParameters(staged_file, every_byte_arrives_whatever_the_length)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, staged_file, every_byte_arrives_whatever_the_length)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);

    assert_all_lengths_arrive(s);
}

ParameterizedTestParameters(staged_file, bytes_are_the_same_without_o_direct)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, staged_file, bytes_are_the_same_without_o_direct)
{
    const struct refusal set_flags = {__NR_fcntl, EINVAL, 1, F_SETFL};
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);

    refuse(&set_flags, 1);
    assert_all_lengths_arrive(s);
}

static int uring_errnos[] = {ENOSYS, EPERM};

ParameterizedTestParameters(staged_file, bytes_are_the_same_without_io_uring)
{
    return cr_make_param_array(int, uring_errnos, 2);
}

ParameterizedTest(int *sys, staged_file, bytes_are_the_same_without_io_uring)
{
    const struct refusal uring[] = {
        {__NR_io_uring_setup, *sys, REFUSE_ANY, 0},
        {__NR_io_uring_enter, *sys, REFUSE_ANY, 0},
        {__NR_io_uring_register, *sys, REFUSE_ANY, 0},
    };
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err, why;

    refuse(uring, 3);
    cr_assert_eq(sink_new_best(&s, &staging.sink, &why, &err), 0);
    cr_assert_str_eq(sink_describe(s), "sync");
    cr_assert_eq(why.sys, *sys);
    cr_assert_str_not_empty(why.hint);
    assert_all_lengths_arrive(s);
}

ParameterizedTestParameters(staged_file, name_appears_only_at_commit)
{
    return cr_make_param_array(int, engines, N_ENGINES);
}

ParameterizedTest(int *e, staged_file, name_appears_only_at_commit)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);
    cleanup_(staged_file_freep) struct staged_file *f = NULL;
    struct staged_file_seal seal;
    struct stat st;
    struct err err;

    staging.file.sink = s;
    cr_assert_eq(staged_file_open(&f, &staging.file, &err), 0);
    cr_assert_eq(staging_fill(f, 3 << 20, &err), 0);
    cr_assert(staging_exists("t.1.part"));
    cr_assert(!staging_exists("t.1"));

    cr_assert_eq(staged_file_commit(f, &seal, &err), 0);
    cr_assert_eq(fstatat(staging.file.dir_fd, "t.1", &st, 0), 0);
    cr_assert_eq(st.st_size, 3 << 20);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
    cr_assert(!staging_exists("t.1.part"));
}

ParameterizedTestParameters(staged_file, what_is_not_committed_is_removed)
{
    return cr_make_param_array(int, engines, N_ENGINES);
}

ParameterizedTest(int *e, staged_file, what_is_not_committed_is_removed)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);
    struct staged_file *f = NULL;
    struct err err;

    staging.file.sink = s;
    cr_assert_eq(staged_file_open(&f, &staging.file, &err), 0);
    cr_assert_eq(staging_fill(f, 3 << 20, &err), 0);
    staged_file_free(f);
    cr_assert(!staging_exists("t.1"));
    cr_assert(!staging_exists("t.1.part"));
    cr_assert_eq(sink_in_flight(s), 0);
}

Test(staged_file, what_is_committed_has_no_part_to_remove)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    struct staged_file *f = NULL;
    struct staged_file_seal seal;
    struct err err;

    staging.file.sink = s;
    cr_assert_eq(staged_file_open(&f, &staging.file, &err), 0);
    cr_assert_eq(staged_file_commit(f, &seal, &err), 0);

    /* Another's, that has come since. */
    cr_assert_eq(symlinkat("x", staging.file.dir_fd, "t.1.part"), 0);
    staged_file_free(f);
    cr_assert(staging_exists("t.1.part"));
}

ParameterizedTestParameters(staged_file, room_not_used_is_given_back)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, staged_file, room_not_used_is_given_back)
{
    static const uint64_t used[] = {0, 1, 4096, 1 << 20, (1 << 20) + 1};
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &staging.sink);
    struct staged_file_seal seal;
    struct stat st;
    struct err err;

    staging.file.expected_len = 16 << 20;
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(staging_stage(s, used[i], &seal, &err), 0, "%s",
                     err.message);
        cr_assert_eq(fstatat(staging.file.dir_fd, "t.1", &st, 0), 0);
        cr_assert_leq(st.st_blocks * 512, (off_t)used[i] + 4096);
        cr_assert(staging_is_whole(used[i]));
        unlinkat(staging.file.dir_fd, "t.1", 0);
    }
}

Test(staged_file, room_is_set_aside_at_the_start)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    cleanup_(staged_file_freep) struct staged_file *f = NULL;
    struct stat st;
    struct err err;

    staging.file.sink = s;
    staging.file.expected_len = 16 << 20;
    cr_assert_eq(staged_file_open(&f, &staging.file, &err), 0);
    cr_assert_eq(fstatat(staging.file.dir_fd, "t.1.part", &st, 0), 0);
    cr_assert_eq(st.st_size, 0);
    cr_assert_geq(st.st_blocks * 512, 16 << 20);
}

Test(staged_file, a_file_system_that_sets_nothing_aside_is_used_as_it_is)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    refuse_one(__NR_fallocate, EOPNOTSUPP);
    staging.file.expected_len = 16 << 20;
    cr_assert_eq(staging_stage(s, 1 << 20, &seal, &err), 0);
    cr_assert(staging_is_whole(1 << 20));
}

Test(staged_file, a_part_of_another_is_not_overwritten)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    cr_assert_eq(symlinkat("elsewhere", staging.file.dir_fd, "t.1.part"), 0);
    cr_assert_lt(staging_stage(s, 1, &seal, &err), 0);
    cr_assert_str_eq(err.message, "could not create \"t.1.part\": File exists");
    cr_assert(staging_exists("t.1.part"));
}

/* With the flag that forbids it, and where the flag is not known. */
static int rename_errnos[] = {0, EINVAL, ENOSYS};

ParameterizedTestParameters(staged_file, a_name_already_there_is_not_replaced)
{
    return cr_make_param_array(int, rename_errnos, 3);
}

ParameterizedTest(int *sys, staged_file, a_name_already_there_is_not_replaced)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    if (*sys)
        refuse_one(__NR_renameat2, *sys);
    cr_assert_eq(staging_stage(s, 4096, &seal, &err), 0, "%s", err.message);
    cr_assert(!staging_exists("t.1.part"));

    cr_assert_lt(staging_stage(s, 1, &seal, &err), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_eq(err.sys, EEXIST);
    cr_assert_str_eq(err.message, "could not rename \"t.1.part\" to \"t.1\": "
                                  "File exists");
    cr_assert(!staging_exists("t.1.part"));
    cr_assert(staging_is_whole(4096));
}

Test(staged_file, a_name_that_may_not_last_is_taken_back)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    struct staged_file_seal seal;
    struct err err;

    refuse_one(__NR_fsync, EIO);
    cr_assert_lt(staging_stage(s, 4096, &seal, &err), 0);
    cr_assert_str_eq(err.message, "could not sync the directory of \"t.1\": "
                                  "Input/output error");
    cr_assert(!staging_exists("t.1"));
    cr_assert(!staging_exists("t.1.part"));
}

static struct {
    struct sink_fault fault;
    char message[80];
    char hint[32]; /* a part of it */
} failures[] = {
    {{SINK_WRITE, 1, 0, -ENOSPC},
     "could not write \"t.1.part\" at offset 0: No space left on device",
     "Make room"},
    {{SINK_WRITE, 2, 0, -EFBIG},
     "could not write \"t.1.part\" at offset 372736: File too large",
     "ulimit -f"},
    {{SINK_WRITE, 1, 0, -EIO},
     "could not write \"t.1.part\" at offset 0: Input/output error",
     ""},
    {{SINK_SYNC, 1, 0, -EIO},
     "could not sync \"t.1.part\": Input/output error",
     ""},
    {{SINK_SYNC, 1, 0, -EDQUOT},
     "could not sync \"t.1.part\": Disk quota exceeded",
     "Make room"},
};

ParameterizedTestParameters(staged_file, a_failure_leaves_nothing_behind)
{
    return cr_make_param_array(__typeof__(*failures), failures,
                               sizeof failures / sizeof *failures);
}

ParameterizedTest(__typeof__(*failures) *t, staged_file,
                  a_failure_leaves_nothing_behind)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new_faulty(ENGINE_SYNC, &staging.sink, &t->fault, 1);
    struct staged_file_seal seal;
    struct err err;

    cr_assert_lt(staging_stage(s, 4 << 20, &seal, &err), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_str_eq(err.message, t->message);
    cr_assert(strstr(err.hint, t->hint), "%s", err.hint);
    cr_assert_eq(sink_in_flight(s), 0);
    cr_assert(!staging_exists("t.1"));
    cr_assert(!staging_exists("t.1.part"));

    /* The same sink, a new file. */
    cr_assert_eq(staging_stage(s, 4 << 20, &seal, &err), 0);
    cr_assert(staging_is_whole(4 << 20));
}

Test(staged_file, broken_file_cannot_be_committed, .signal = SIGABRT)
{
    const struct sink_fault fault = {SINK_WRITE, 1, 1, -EIO};
    struct staged_file_seal seal;
    struct staged_file *f = NULL;
    struct err err;

    staging.file.sink =
        engine_new_faulty(ENGINE_SYNC, &staging.sink, &fault, 1);
    staged_file_open(&f, &staging.file, &err);
    staging_fill(f, 4 << 20, &err);
    staging_remove();
    staged_file_commit(f, &seal, &err);
}

ParameterizedTestParameters(staged_file, a_limit_on_files_is_an_error)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, staged_file, a_limit_on_files_is_an_error)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct staged_file_seal seal;
    struct err err;

    signal(SIGXFSZ, SIG_IGN); /* as main() does */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192}), 0);
    s = engine_new(*e, &staging.sink);
    cr_assert_lt(staging_stage(s, 1 << 20, &seal, &err), 0);
    cr_assert_eq(err.sys, EFBIG);
    cr_assert(strstr(err.hint, "ulimit -f"));
    cr_assert(!staging_exists("t.1.part"));
}

/* Is t.1.part open with O_DIRECT?  As the kernel tells it. */
static int
is_direct(void)
{
    char path[300], target[300];
    unsigned flags = 0;
    DIR *fds = opendir("/proc/self/fd");
    const struct dirent *e;
    ssize_t n;
    FILE *info;

    while ((e = readdir(fds))) {
        n = readlinkat(dirfd(fds), e->d_name, target, sizeof target - 1);
        if (n < 0 || !memmem(target, (size_t)n, "t.1.part", 8))
            continue;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%s", e->d_name);
        info = fopen(path, "r");
        cr_assert_eq(fscanf(info, "pos: %*d flags: %o", &flags), 1);
        fclose(info);
    }
    closedir(fds);
    return (flags & O_DIRECT) != 0;
}

Test(staged_file, goes_around_the_page_cache_where_that_is_possible)
{
    cleanup_(sink_freep) struct sink *s =
        engine_new(ENGINE_SYNC, &staging.sink);
    cleanup_(staged_file_freep) struct staged_file *f = NULL;
    struct err err;
    int possible, fd;

    fd =
        openat(staging.file.dir_fd, "t.1", O_WRONLY | O_CREAT | O_DIRECT, 0600);
    possible = fd >= 0;
    close(fd);

    staging.file.sink = s;
    cr_assert_eq(staged_file_open(&f, &staging.file, &err), 0);
    cr_assert_eq(is_direct(), possible);
}
