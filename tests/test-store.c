/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/store/store.h"
#include "tests/scratch.h"

static struct err err;
static char path[256], part[264];

static void
begin(void)
{
    scratch_begin();
    snprintf(path, sizeof path, "%s/a.tar", scratch_path);
    snprintf(part, sizeof part, "%s.part", path);
}

TestSuite(store, .init = begin, .fini = scratch_end, .timeout = 60);

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static void
put(const char *text, int replace)
{
    const struct store_out_params p = {.where = path, .replace = replace};
    cleanup_(store_out_freep) struct store_out *out = NULL;

    ok(store_out_open(&out, &p, &err));
    for (size_t i = 0; text[i]; i++)
        ok(store_out_append(out, text + i, 1, &err));
    cr_assert(replace || access(path, F_OK) < 0, "it is there too early");
    ok(store_out_commit(out, &err));
    cr_assert_lt(access(part, F_OK), 0);
}

static const char *
got(uint64_t offset, size_t len)
{
    static char text[64];
    cleanup_(store_in_freep) struct store_in *in = NULL;
    size_t n;

    ok(store_in_open(&in, path, &err));
    ok(store_in_read(in, offset, text, len, &n, &err));
    text[n] = '\0';
    return text;
}

Test(store, file_is_there_when_it_is_committed_and_is_read_anywhere)
{
    struct stat st;

    put("0123456789", 0);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_str_eq(got(3, 4), "3456");
    cr_assert_str_eq(got(8, 40), "89");
    cr_assert_str_eq(got(10, 1), "");
    cr_assert_str_eq(got(UINT64_MAX - 2, 1), "");
}

Test(store, one_that_ends_early_is_corrupt_for_who_needs_all)
{
    cleanup_(store_in_freep) struct store_in *in = NULL;
    char text[8];

    put("0123456789", 0);
    ok(store_in_open(&in, path, &err));
    cr_assert_eq(in->len, 10);
    cr_assert_lt(store_in_read_all(in, 5, text, 6, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
}

Test(store, file_is_not_written_over_unless_it_is_asked_for)
{
    const struct store_out_params p = {.where = path};
    cleanup_(store_out_freep) struct store_out *late = NULL;
    struct store_out *out = NULL;

    ok(store_out_open(&late, &p, &err));
    ok(store_out_append(late, "late", 4, &err));
    scratch_put("a.tar", "early", 5);
    cr_assert_eq(store_out_commit(late, &err), STORE_E_EXISTS);
    cr_assert_eq(store_out_open(&out, &p, &err), STORE_E_EXISTS);
    late = store_out_free(late);
    cr_assert_str_eq(got(0, 40), "early");
    put("new", 1);
    cr_assert_str_eq(got(0, 40), "new");
}

Test(store, nothing_stays_of_what_is_given_up)
{
    const struct store_out_params p = {.where = path};
    struct store_out *out = NULL;

    ok(store_out_open(&out, &p, &err));
    ok(store_out_append(out, "x", 1, &err));
    cr_assert_eq(access(part, F_OK), 0);
    store_out_free(out);
    cr_assert_lt(access(part, F_OK), 0);
    cr_assert_lt(access(path, F_OK), 0);
}

Test(store, what_a_crash_left_is_begun_anew_and_what_is_being_written_is_not)
{
    const struct store_out_params p = {.where = path};
    cleanup_(store_out_freep) struct store_out *out = NULL;
    struct store_out *second = NULL;

    scratch_put("a.tar.part", "left by a crash", 15);
    ok(store_out_open(&out, &p, &err));
    cr_assert_lt(store_out_open(&second, &p, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    ok(store_out_append(out, "new", 3, &err));
    ok(store_out_commit(out, &err));
    cr_assert_str_eq(got(0, 40), "new");
}

Test(store, part_that_is_a_link_is_refused)
{
    const struct store_out_params p = {.where = path};
    struct store_out *out = NULL;

    scratch_put("other", "kept", 4);
    cr_assert_eq(symlinkat("other", scratch_fd, "a.tar.part"), 0);
    cr_assert_lt(store_out_open(&out, &p, &err), 0);
    cr_assert_eq(unlinkat(scratch_fd, "a.tar.part", 0), 0);
    cr_assert_eq(linkat(scratch_fd, "other", scratch_fd, "a.tar.part", 0), 0);
    cr_assert_lt(store_out_open(&out, &p, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    snprintf(path, sizeof path, "%s/other", scratch_path);
    cr_assert_str_eq(got(0, 40), "kept");
}

Test(store, pipe_goes_forward_only)
{
    cleanup_(store_in_freep) struct store_in *in = NULL;
    char text[8] = "";
    size_t n;
    pid_t pid;

    cr_assert_eq(mkfifo(path, 0600), 0);
    pid = fork();
    if (pid == 0) {
        const struct store_out_params p = {.where = path};
        struct store_out *out = NULL;

        _exit(store_out_open(&out, &p, &err) ||
              store_out_append(out, "0123456789", 10, &err) ||
              store_out_commit(out, &err));
    }
    ok(store_in_open(&in, path, &err));
    cr_assert(in->is_forward);
    cr_assert_eq(in->len, STORE_LEN_UNKNOWN);
    ok(store_in_read(in, 4, text, 2, &n, &err));
    cr_assert_str_eq(text, "45");
    ok(store_in_read(in, 8, text, 8, &n, &err));
    cr_assert_eq(n, 2);
    ok(store_in_read(in, 20, text, 8, &n, &err));
    cr_assert_eq(n, 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(store, that_is_not_there_or_of_no_known_kind)
{
    struct store_in *in = NULL;

    cr_assert_eq(store_in_open(&in, path, &err), STORE_E_MISSING);
    cr_assert_eq(store_remove(path, &err), STORE_E_MISSING);
    cr_assert_lt(store_in_open(&in, scratch_path, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_lt(store_in_open(&in, "gopher://x/y", &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    put("x", 0);
    ok(store_remove(path, &err));
    cr_assert_lt(access(path, F_OK), 0);
}
