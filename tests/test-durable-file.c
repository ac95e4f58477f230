/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "formats/hex.h"
#include "io/durable_file.h"
#include "tests/refuse.h"
#include "tests/scratch.h"
#include "tests/traced.h"

TestSuite(durable_file, .init = scratch_begin, .fini = scratch_end,
          .timeout = 60);

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static int
write_f(const char *text, size_t times, unsigned char sha256[32])
{
    cleanup_(durable_file_freep) struct durable_file *f = NULL;
    int r = durable_file_open(&f, scratch_fd, "f", &err);

    for (size_t i = 0; i < times && !r; i++)
        r = bytes_out_append(durable_file_out(f), text, strlen(text), &err);
    return r ? r : durable_file_commit(f, sha256, &err);
}

static const char *
content(const char *name)
{
    static char text[64];
    int fd = openat(scratch_fd, name, O_RDONLY | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0)
        return NULL;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n] = '\0';
    return text;
}

Test(durable_file, is_private_and_digested)
{
    char command[128], hex[65], judged[65] = "";
    unsigned char sha256[32];
    struct stat st;
    FILE *p;

    ok(write_f("twelve bytes", 100000, sha256));
    cr_assert_eq(fstatat(scratch_fd, "f", &st, 0), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(st.st_size, 1200000);
    cr_assert_null(content("f.part"));

    snprintf(command, sizeof command, "sha256sum %s/f", scratch_path);
    cr_assert(p = popen(command, "r"));
    cr_assert_eq(fread(judged, 1, 64, p), 64);
    pclose(p);
    hex_encode(hex, sha256, 32);
    cr_assert_str_eq(hex, judged);
}

Test(durable_file, of_a_program_is_what_the_program_wrote)
{
    cleanup_(durable_file_freep) struct durable_file *f = NULL;

    ok(durable_file_open(&f, scratch_fd, "f", &err));
    cr_assert_eq(write(durable_file_fd(f), "theirs", 6), 6);
    cr_assert_null(content("f"));
    ok(durable_file_commit(f, NULL, &err));
    cr_assert_str_eq(content("f"), "theirs");
}

Test(durable_file, given_up_leaves_the_older_one)
{
    cleanup_(durable_file_freep) struct durable_file *f = NULL;

    ok(write_f("old", 1, NULL));
    ok(durable_file_open(&f, scratch_fd, "f", &err));
    ok(bytes_out_append(durable_file_out(f), "new", 3, &err));
    f = durable_file_free(f);
    cr_assert_str_eq(content("f"), "old");
    cr_assert_null(content("f.part"));
}

Test(durable_file, left_over_part_that_is_a_link_is_not_followed)
{
    ok(write_f("mine", 1, NULL));
    cr_assert_eq(renameat(scratch_fd, "f", scratch_fd, "precious"), 0);
    cr_assert_eq(symlinkat("precious", scratch_fd, "f.part"), 0);
    ok(write_f("new", 1, NULL));
    cr_assert_str_eq(content("precious"), "mine");
    cr_assert_str_eq(content("f"), "new");
}

Test(durable_file, full_disk_leaves_the_older_one)
{
    struct rlimit limit = {500000, 500000};

    ok(write_f("old", 1, NULL));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_lt(write_f("twelve bytes", 100000, NULL), 0);
    cr_assert_eq(err.sys, EFBIG);
    cr_assert(strstr(err.message, "could not write \"f.part\""));
    cr_assert_str_eq(content("f"), "old");
    cr_assert_null(content("f.part"));
}

Test(durable_file, that_is_not_on_disk_gets_no_name)
{
    ok(write_f("old", 1, NULL));
    refuse_one(__NR_fdatasync, EIO);
    cr_assert_lt(write_f("new", 1, NULL), 0);
    cr_assert(strstr(err.message, "could not sync \"f.part\""), "%s",
              err.message);
    cr_assert_str_eq(content("f"), "old");
}

Test(durable_file, whose_name_may_not_last_is_taken_back)
{
    ok(write_f("old", 1, NULL));
    refuse_one(__NR_fsync, EIO);
    cr_assert_lt(write_f("new", 1, NULL), 0);
    cr_assert(strstr(err.message, "could not sync the directory of \"f\""),
              "%s", err.message);
    cr_assert_null(content("f"));
}

/* ---- crashes ---- */

struct moment {
    unsigned n, at;
};

static int
is_now(void *seen, long nr)
{
    struct moment *m = seen;

    (void)nr;
    return m->n++ == m->at;
}

static void
write_new(void *arg)
{
    (void)arg;
    write_f("new", 1, NULL);
}

Test(durable_file, killed_at_any_call_is_the_old_or_the_new)
{
    int end = TRACED_KILLED;

    for (unsigned at = 0; end == TRACED_KILLED; at++) {
        struct moment m = {.at = at};

        cr_assert_lt(at, 200);
        ok(write_f("old", 1, NULL));
        end = traced_run(write_new, NULL, is_now, &m);
        cr_assert(content("f"));
        cr_assert(strcmp(content("f"), "old") == 0 ||
                  strcmp(content("f"), "new") == 0);
    }
    cr_assert_str_eq(content("f"), "new");
}

/* ---- the order ---- */

static int
note_call(void *seen, long nr)
{
    char *calls = seen;

    strcat(calls, nr == __NR_write       ? "w"
                  : nr == __NR_fdatasync ? "d"
                  : nr == __NR_renameat  ? "r"
                  : nr == __NR_renameat2 ? "r"
                  : nr == __NR_fsync     ? "s"
                                         : "");
    return 0;
}

Test(durable_file, bytes_come_before_the_name_and_the_name_before_the_end)
{
    char calls[64] = "";

    cr_assert_eq(traced_run(write_new, NULL, note_call, calls), 0);
    cr_assert_str_eq(calls, "wdrs");
}
