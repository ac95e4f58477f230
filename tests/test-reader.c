/* SPDX-License-Identifier: PostgreSQL */
#undef _FORTIFY_SOURCE /* its pread() is inline, and could not be replaced */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "io/fd.h"
#include "io/reader.h"
#include "tests/scratch.h"

/*
 * The library's pread() is this one: it may answer less than it was asked
 * for, be interrupted before each answer, or fail.
 */
static size_t read_max = SIZE_MAX;
static int interrupted, interrupt;
static int read_error;

ssize_t
pread(int fd, void *to, size_t len, off_t offset)
{
    interrupted = interrupt && !interrupted;
    if (interrupted || read_error) {
        errno = interrupted ? EINTR : read_error;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, len < read_max ? len : read_max,
                   offset);
}

TestSuite(reader, .init = scratch_begin, .fini = scratch_end);

static struct reader *
open_file(const char *name)
{
    struct reader *f = NULL;
    struct err err;

    cr_assert_eq(reader_open(&f, scratch_fd, name, &err), 0, "%s", err.message);
    return f;
}

static int
read_at(struct reader *f, uint64_t offset, void *to, size_t len,
        struct err *err)
{
    const struct bytes_in *in = reader_in(f);

    return in->read_at(in->from, offset, to, len, err);
}

Test(reader, file_is_a_source_of_bytes_with_a_name_and_a_length)
{
    cleanup_(reader_freep) struct reader *f = NULL;

    cr_assert_eq(mkdirat(scratch_fd, "tables", 0700), 0);
    cr_assert_eq(mkdirat(scratch_fd, "tables/1-t", 0700), 0);
    scratch_put("tables/1-t/1.lz4", "0123456789", 10);
    f = open_file("tables/1-t/1.lz4");
    cr_assert_eq(reader_in(f)->len, 10);
    cr_assert_str_eq(reader_in(f)->name, "tables/1-t/1.lz4");
}

Test(reader, any_range_can_be_read_to_the_last_byte)
{
    cleanup_(reader_freep) struct reader *f = NULL;
    char got[10];
    struct err err;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    for (size_t begin = 0; begin <= 10; begin++) {
        for (size_t end = begin; end <= 10; end++) {
            cr_assert_eq(read_at(f, begin, got, end - begin, &err), 0);
            cr_assert_eq(memcmp(got, &"0123456789"[begin], end - begin), 0);
        }
    }
}

Test(reader, short_and_interrupted_reads_go_on)
{
    cleanup_(reader_freep) struct reader *f = NULL;
    char got[10];
    struct err err;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    interrupt = 1;
    for (read_max = 1; read_max <= 10; read_max++) {
        memset(got, 0, sizeof got);
        cr_assert_eq(read_at(f, 0, got, 10, &err), 0);
        cr_assert_eq(memcmp(got, "0123456789", 10), 0);
    }
}

static const struct beyond {
    uint64_t offset;
    size_t len;
    const char *message;
} beyonds[] = {
    {0, 11, "\"f\" ends at offset 10, expected 11"},
    {9, 2, "\"f\" ends at offset 10, expected 11"},
    {10, 1, "\"f\" ends at offset 10, expected 11"},
    {11, 0, "\"f\" ends at offset 10, expected 11"},
    {1ull << 63, 1, "\"f\" ends at offset 10, expected 9223372036854775809"},
    {UINT64_MAX, 1, "\"f\" ends at offset 10, expected 18446744073709551615"},
    {1, SIZE_MAX, "\"f\" ends at offset 10, expected 18446744073709551615"},
};

Test(reader, bytes_beyond_the_end_are_corruption_and_none_is_read)
{
    cleanup_(reader_freep) struct reader *f = NULL;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    for (size_t i = 0; i < sizeof beyonds / sizeof *beyonds; i++) {
        const struct beyond *t = &beyonds[i];
        char got = 'x';
        struct err err;

        cr_assert_lt(read_at(f, t->offset, &got, t->len, &err), 0);
        cr_assert_eq(err.class, ERR_CORRUPT);
        cr_assert_str_eq(err.message, t->message);
        cr_assert_eq(got, 'x');
    }
}

Test(reader, file_that_is_cut_while_open_is_corrupt_where_it_ends)
{
    cleanup_(reader_freep) struct reader *f = NULL;
    unsigned char sha256[32];
    char got[10];
    struct err err;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    scratch_put("f", "0123", 4);
    cr_assert_eq(read_at(f, 0, got, 4, &err), 0);
    cr_assert_lt(read_at(f, 0, got, 10, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
    cr_assert_str_eq(err.message, "\"f\" ends at offset 4, expected 10");

    cr_assert_lt(read_at(f, 8, got, 2, &err), 0);
    cr_assert_str_eq(err.message, "\"f\" ends at offset 4, expected 10");
    cr_assert_lt(reader_sha256(f, sha256, &err), 0);
    cr_assert_str_eq(err.message, "\"f\" ends at offset 4, expected 10");
}

Test(reader, disk_that_fails_is_told_with_file_and_offset)
{
    cleanup_(reader_freep) struct reader *f = NULL;
    unsigned char sha256[32];
    char got[10];
    struct err err;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    read_error = EIO;
    cr_assert_lt(read_at(f, 3, got, 4, &err), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_eq(err.sys, EIO);
    cr_assert_str_eq(err.message,
                     "could not read \"f\" at offset 3: Input/output error");
    cr_assert_lt(reader_sha256(f, sha256, &err), 0);
    cr_assert_str_eq(err.message,
                     "could not read \"f\" at offset 0: Input/output error");
}

/* All have a plain file "f" and a directory "d" with a plain file "f". */
static void
make_nothing(void)
{
}

static void
make_link(void)
{
    cr_assert_eq(symlinkat("f", scratch_fd, "x"), 0);
}

static void
make_link_in_the_middle(void)
{
    cr_assert_eq(symlinkat("d", scratch_fd, "x"), 0);
}

static void
make_dangling_link(void)
{
    cr_assert_eq(symlinkat("nowhere", scratch_fd, "x"), 0);
}

static void
make_hard_link(void)
{
    cr_assert_eq(linkat(scratch_fd, "f", scratch_fd, "x", 0), 0);
}

static void
make_fifo(void)
{
    cr_assert_eq(mkfifoat(scratch_fd, "x", 0600), 0);
}

#define NOT_A_NAME " is not the name of a file below its directory"

static const struct refusal {
    const char *name;
    void (*prepare)(void);
    enum err_class class;
    const char *message;
} refusals[] = {
    {"x", make_link, ERR_REFUSED, "\"x\" goes through a symbolic link"},
    {"x", make_dangling_link, ERR_REFUSED,
     "\"x\" goes through a symbolic link"},
    {"x/f", make_link_in_the_middle, ERR_REFUSED,
     "\"x/f\" goes through a symbolic link"},
    {"x", make_hard_link, ERR_REFUSED, "\"x\" has 2 names, expected one"},
    {"x", make_fifo, ERR_REFUSED, "\"x\" is not a regular file"},
    {"d", make_nothing, ERR_REFUSED, "\"d\" is not a regular file"},
    {"", make_nothing, ERR_REFUSED, "\"\"" NOT_A_NAME},
    {"/etc/passwd", make_nothing, ERR_REFUSED, "\"/etc/passwd\"" NOT_A_NAME},
    {"../f", make_nothing, ERR_REFUSED, "\"../f\"" NOT_A_NAME},
    {"d/../f", make_nothing, ERR_REFUSED, "\"d/../f\"" NOT_A_NAME},
    {"d/..", make_nothing, ERR_REFUSED, "\"d/..\"" NOT_A_NAME},
    {"./f", make_nothing, ERR_REFUSED, "\"./f\"" NOT_A_NAME},
    {"d//f", make_nothing, ERR_REFUSED, "\"d//f\"" NOT_A_NAME},
    {"d/", make_nothing, ERR_REFUSED, "\"d/\"" NOT_A_NAME},
    {"f/f", make_nothing, ERR_SYSTEM,
     "could not open \"f/f\": Not a directory"},
    {"x", make_nothing, ERR_SYSTEM,
     "could not open \"x\": No such file or directory"},
    {"x/f", make_nothing, ERR_SYSTEM,
     "could not open \"x/f\": No such file or directory"},
};

Test(reader, what_is_not_a_plain_file_of_one_name_is_refused, .timeout = 60)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *t = &refusals[i];
        struct reader *f = NULL;
        struct err err;

        scratch_put("f", "plain", 5);
        cr_assert_eq(mkdirat(scratch_fd, "d", 0700), 0);
        scratch_put("d/f", "plain", 5);
        t->prepare();
        cr_assert_lt(reader_open(&f, scratch_fd, t->name, &err), 0,
                     "%s: not refused", t->message);
        cr_assert_null(f);
        cr_assert_str_eq(err.message, t->message);
        cr_assert_eq(err.class, t->class);
        scratch_end();
        scratch_begin();
    }
}

Test(reader, neither_a_file_nor_a_refusal_leaves_a_descriptor_behind)
{
    struct reader *f = NULL;
    struct err err;
    int before = dup(scratch_fd), after;

    make_fifo();
    cr_assert_eq(mkdirat(scratch_fd, "d", 0700), 0);
    cr_assert_eq(mkdirat(scratch_fd, "d/d", 0700), 0);
    scratch_put("d/d/f", "plain", 5);
    f = reader_free(open_file("d/d/f"));
    cr_assert_lt(reader_open(&f, scratch_fd, "x", &err), 0);
    cr_assert_lt(reader_open(&f, scratch_fd, "d/d/missing", &err), 0);
    cr_assert_lt(reader_open(&f, scratch_fd, "d/..", &err), 0);
    after = dup(scratch_fd);
    cr_assert_eq(after, before + 1);
    close(before);
    close(after);
}

/* The names are swapped while they are walked; what is read must be ours. */
static void
race(const char *a, const char *b, const char *name)
{
    pid_t pid = scratch_swap(a, b);
    int n_opened = 0, n_refused = 0;

    for (int i = 0; i < 10000; i++) {
        cleanup_(reader_freep) struct reader *f = NULL;
        struct err err;
        char got;

        if (reader_open(&f, scratch_fd, name, &err) < 0) {
            n_refused++;
            continue;
        }
        cr_assert_eq(read_at(f, 0, &got, 1, &err), 0);
        cr_assert_eq(got, 'o', "followed at attempt %d", i);
        n_opened++;
    }
    scratch_swap_end(pid);
    cr_assert_gt(n_opened, 0);
    cr_assert_gt(n_refused, 0);
}

Test(reader, link_swapped_in_for_the_file_is_never_followed)
{
    scratch_put("f", "ours", 4);
    scratch_put("secret", "secret", 6);
    cr_assert_eq(symlinkat("secret", scratch_fd, "link"), 0);
    race("f", "link", "f");
}

Test(reader, link_swapped_in_for_a_directory_is_never_followed)
{
    cr_assert_eq(mkdirat(scratch_fd, "d", 0700), 0);
    cr_assert_eq(mkdirat(scratch_fd, "secret", 0700), 0);
    scratch_put("d/f", "ours", 4);
    scratch_put("secret/f", "secret", 6);
    cr_assert_eq(symlinkat("secret", scratch_fd, "link"), 0);
    race("d", "link", "d/f");
}

/* As sha256sum(1) says it. */
static void
digest_by_tool(const char *name, char ret[65])
{
    char command[128];
    FILE *pipe;

    snprintf(command, sizeof command, "sha256sum %s/%s", scratch_path, name);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    cr_assert_not_null(fgets(ret, 65, pipe));
    pclose(pipe);
}

static void
digest_by_reader(const char *name, char ret[65])
{
    cleanup_(reader_freep) struct reader *f = open_file(name);
    unsigned char sha256[32];
    struct err err;

    cr_assert_eq(reader_sha256(f, sha256, &err), 0, "%s", err.message);
    for (int i = 0; i < 32; i++)
        snprintf(ret + i * 2, 3, "%02x", sha256[i]);
}

Test(reader, digest_of_nothing_is_the_known_one)
{
    char got[65];

    scratch_put("f", "", 0);
    digest_by_reader("f", got);
    cr_assert_str_eq(got, "e3b0c44298fc1c149afbf4c8996fb924"
                          "27ae41e4649b934ca495991b7852b855");
}

Test(reader, digest_is_what_sha256sum_says_whatever_the_length)
{
    static const size_t lens[] = {1, 262143, 262144, 262145, 786433};
    unsigned char *data = malloc(786433);

    for (size_t i = 0; i < 786433; i++)
        data[i] = (unsigned char)(i ^ i >> 8 ^ i >> 16);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char got[65], expected[65];

        scratch_put("f", data, lens[i]);
        digest_by_tool("f", expected);
        digest_by_reader("f", got);
        cr_assert_str_eq(got, expected, "%zu bytes", lens[i]);
    }
    free(data);
}

Test(reader, digest_of_a_large_file_takes_little_memory)
{
    struct rusage before, after;
    char got[65];

    scratch_put("f", "", 0);
    digest_by_reader("f", got);
    getrusage(RUSAGE_SELF, &before);
    scratch_put("f", "", 0);
    cr_assert_eq(truncate(strcat(strcpy(got, scratch_path), "/f"), 64 << 20),
                 0);
    digest_by_reader("f", got);
    getrusage(RUSAGE_SELF, &after);
    cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 4 << 10, "in KiB");
}

Test(reader, digest_is_of_what_the_disk_holds_not_of_the_cache)
{
    static const char data[1 << 20] = "once";
    cleanup_(fd_closep) int fd = -1;
    struct rusage before, after;
    struct statfs fs;
    char got[65];

    cr_assert_eq(fstatfs(scratch_fd, &fs), 0);
    if (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC)
        cr_skip("neither ext4 nor xfs: reads of the disk may go uncounted");

    scratch_put("f", data, sizeof data);
    fd = openat(scratch_fd, "f", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fsync(fd), 0); /* only clean pages can be let go */
    getrusage(RUSAGE_SELF, &before);
    digest_by_reader("f", got);
    getrusage(RUSAGE_SELF, &after);
    cr_assert_geq((after.ru_inblock - before.ru_inblock) * 512,
                  (long)sizeof data);
}

Test(reader, small_file_is_a_text_and_a_larger_one_an_error)
{
    cleanup_(reader_freep) struct reader *f = NULL;
    cleanup_(freep) char *text = NULL;
    struct err err;
    size_t len;

    scratch_put("f", "0123456789", 10);
    f = open_file("f");
    cr_assert_eq(reader_text(f, 10, &text, &len, &err), 0);
    cr_assert_eq(len, 10);
    cr_assert_str_eq(text, "0123456789");
    freep(&text);
    text = NULL;
    cr_assert_lt(reader_text(f, 9, &text, NULL, &err), 0);
    cr_assert_eq(err.class, ERR_CORRUPT);
    cr_assert_str_eq(err.message, "\"f\" is too large");
    cr_assert_null(text);
}
