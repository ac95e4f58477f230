/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/sink.h"
#include "tests/engines.h"
#include "tests/refuse.h"
#include "tests/sink_faulty.h"

enum { PIECE = 8192, DEPTH = 4 };

static struct buffer_pool *pool;
static struct sink_params params = {.depth = DEPTH, .register_buffers = 1};
static int fd;
static unsigned setup_flags_refused; /* by the kernel of this test */

/* In front of liburing's own, to be an older kernel. */
int
io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    int (*real)(unsigned, struct io_uring *, unsigned);

    if (flags & setup_flags_refused)
        return -EINVAL;
    *(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init");
    return real(entries, ring, flags);
}

static int
open_file(void)
{
    char path[] = "/tmp/sink.XXXXXX";
    int f = mkostemp(path, O_CLOEXEC);

    cr_assert(f >= 0);
    cr_assert_eq(unlink(path), 0);
    return f;
}

static void
set_up(void)
{
    struct err err;

    cr_assert_eq(buffer_pool_new(&pool, PIECE, DEPTH + 1, &err), 0);
    params.pool = pool;
    fd = open_file();
}

static void
tear_down(void)
{
    close(fd);
    buffer_pool_free(pool);
}

TestSuite(sink, .init = set_up, .fini = tear_down);

/* A buffer of len bytes, to be written as block nth of that size. */
static struct sink_op
block(unsigned nth, size_t len, unsigned align)
{
    struct buffer *b = buffer_get(pool);

    cr_assert(b);
    for (size_t i = 0; i < len; i++)
        b->data[i] = (unsigned char)(nth * 31 + i / 16 + i);
    return (struct sink_op){.buffer = b,
                            .name = "x.part",
                            .fd = fd,
                            .align = align,
                            .len = len,
                            .offset = nth * len};
}

static void
assert_block(unsigned nth, size_t len)
{
    static _Alignas(4096) unsigned char got[PIECE];

    cr_assert_eq(pread(fd, got, len, (off_t)(nth * len)), (ssize_t)len);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(got[i], (unsigned char)(nth * 31 + i / 16 + i),
                     "block %u, byte %zu", nth, i);
}

static void
assert_all_buffers_are_back(void)
{
    struct buffer *all[DEPTH + 1];

    for (unsigned i = 0; i <= DEPTH; i++)
        cr_assert_not_null((all[i] = buffer_get(pool)));
    for (unsigned i = 0; i <= DEPTH; i++)
        buffer_put(all[i]);
}

static int
write_one(struct sink *s, struct sink_op op, struct err *err)
{
    int r = sink_write(s, &op, err);

    return r ? r : sink_reap(s, err);
}

static void
set_direct(void)
{
    cr_assert_eq(fcntl(fd, F_SETFL, O_DIRECT), 0);
}

ParameterizedTestParameters(sink, bytes_arrive_at_their_offsets)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, sink, bytes_arrive_at_their_offsets)
{
    static const unsigned order[] = {5, 0, 3, 1, 7, 2, 6, 4};
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &params);
    struct err err;

    for (unsigned i = 0; i < 8; i++) {
        struct sink_op op = block(order[i], PIECE, 1);

        while (sink_write(s, &op, &err) == SINK_E_BUSY)
            cr_assert_eq(sink_reap(s, &err), 0);
    }
    cr_assert_eq(sink_sync(s, fd, "x.part", &err), 0);
    cr_assert_eq(sink_in_flight(s), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_block(i, PIECE);
}

ParameterizedTestParameters(sink, full_depth_is_busy_and_leaves_the_buffer)
{
    return cr_make_param_array(int, engines, N_ENGINES);
}

ParameterizedTest(int *e, sink, full_depth_is_busy_and_leaves_the_buffer)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &params);
    struct sink_op op;
    struct err err;

    cr_assert_eq(sink_reap(s, &err), SINK_E_IDLE);
    for (unsigned i = 0; i < DEPTH; i++) {
        op = block(i, PIECE, 1);
        cr_assert_eq(sink_write(s, &op, &err), 0);
    }
    op = block(DEPTH, PIECE, 1);
    cr_assert_eq(sink_write(s, &op, &err), SINK_E_BUSY);
    cr_assert_eq(sink_in_flight(s), DEPTH);
    cr_assert_eq(sink_reap(s, &err), 0);
    cr_assert_eq(sink_in_flight(s), DEPTH - 1);
    cr_assert_eq(sink_write(s, &op, &err), 0);
}

ParameterizedTestParameters(sink, free_lands_what_is_in_flight)
{
    return cr_make_param_array(int, engines, N_ENGINES);
}

ParameterizedTest(int *e, sink, free_lands_what_is_in_flight)
{
    struct sink *s = engine_new(*e, &params);
    struct err err;

    for (unsigned i = 0; i < DEPTH; i++) {
        struct sink_op op = block(i, PIECE, 1);

        cr_assert_eq(sink_write(s, &op, &err), 0);
    }
    sink_free(s);
    for (unsigned i = 0; *e != ENGINE_NULL && i < DEPTH; i++)
        assert_block(i, PIECE);
    assert_all_buffers_are_back();
}

ParameterizedTestParameters(sink, a_failure_ends_the_file_and_not_the_sink)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, sink, a_failure_ends_the_file_and_not_the_sink)
{
    cleanup_(sink_freep) struct sink *s = engine_new(*e, &params);
    struct sink_op op;
    struct err err;
    int bad = open("/dev/null", O_RDONLY);

    for (unsigned i = 0; i < 3; i++) {
        op = block(i, PIECE, 1);
        op.fd = bad;
        cr_assert_eq(sink_write(s, &op, &err), 0);
    }
    /* One tells of itself; the others must land before the descriptor goes. */
    cr_assert_lt(sink_sync(s, bad, "x.part", &err), 0);
    cr_assert_eq(err.sys, EBADF);
    sink_drain(s);
    cr_assert_eq(sink_in_flight(s), 0);
    close(bad);

    cr_assert_eq(write_one(s, block(0, PIECE, 1), &err), 0);
    cr_assert_eq(sink_sync(s, fd, "x.part", &err), 0);
    assert_block(0, PIECE);
    sink_free(take(s));
    assert_all_buffers_are_back();
}

ParameterizedTestParameters(sink, a_limit_on_files_is_met_with_the_real_errno)
{
    return cr_make_param_array(int, engines, N_KEEPING);
}

ParameterizedTest(int *e, sink, a_limit_on_files_is_met_with_the_real_errno)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err;

    /* The first write stops at the limit, the second cannot write at all. */
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
    s = engine_new(*e, &params);
    cr_assert_lt(write_one(s, block(0, PIECE, 1), &err), 0);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_eq(err.sys, EFBIG);
    cr_assert_str_eq(err.message, "could not write \"x.part\" at offset 4096: "
                                  "File too large");
}

/* The engines that do real I/O, for faults to be laid over. */
static int real_engines[] = {ENGINE_URING, ENGINE_SYNC};

ParameterizedTestParameters(sink, the_rest_of_a_short_write_is_written)
{
    return cr_make_param_array(int, real_engines, 2);
}

ParameterizedTest(int *e, sink, the_rest_of_a_short_write_is_written)
{
    struct sink_fault fault = {SINK_WRITE, 1, 2, 0};
    cleanup_(sink_freep) struct sink *s =
        engine_new_faulty(*e, &params, &fault, 1);
    struct err err;

    for (int split = 0; split < 4096; split++) {
        fault.res = split;
        cr_assert_eq(write_one(s, block(0, 4096, 1), &err), 0);
        assert_block(0, 4096);
    }
    cr_assert_eq(sink_faulty_count(s, SINK_WRITE), 2 * 4096);
}

ParameterizedTestParameters(sink, the_rest_begins_at_a_whole_block)
{
    return cr_make_param_array(int, real_engines, 2);
}

ParameterizedTest(int *e, sink, the_rest_begins_at_a_whole_block)
{
    struct sink_fault fault = {SINK_WRITE, 1, 2, 0};
    cleanup_(sink_freep) struct sink *s =
        engine_new_faulty(*e, &params, &fault, 1);
    struct err err;

    /* The kernel refuses (EINVAL) what does not begin at one. */
    set_direct();
    for (int split = 0; split < PIECE; split += 509) {
        fault.res = split;
        cr_assert_eq(write_one(s, block(0, PIECE, 4096), &err), 0, "%s",
                     err.message);
        assert_block(0, PIECE);
    }
}

static const struct {
    enum sink_kind of;
    int sys;   /* 0: accepts nothing */
    int again; /* harmless when it happens once */
    const char *expected;
} failures[] = {
    {SINK_WRITE, EAGAIN, 1, "Resource temporarily unavailable"},
    {SINK_WRITE, EINTR, 1, "Interrupted system call"},
    {SINK_WRITE, ECANCELED, 1, "Operation canceled"},
    {SINK_WRITE, 0, 1, "Input/output error"},
    {SINK_WRITE, ENOSPC, 0, "No space left on device"},
    {SINK_WRITE, EDQUOT, 0, "Disk quota exceeded"},
    {SINK_WRITE, EIO, 0, "Input/output error"},
    {SINK_WRITE, EFBIG, 0, "File too large"},
    {SINK_WRITE, EINVAL, 0, "Invalid argument"},
    {SINK_WRITE, ENOBUFS, 0, "No buffer space available"},
    {SINK_WRITE, ENOMEM, 0, "Cannot allocate memory"},
    {SINK_WRITE, EBADF, 0, "Bad file descriptor"},
    {SINK_SYNC, EAGAIN, 0, "Resource temporarily unavailable"},
    {SINK_SYNC, EINTR, 0, "Interrupted system call"},
    {SINK_SYNC, ECANCELED, 0, "Operation canceled"},
    {SINK_SYNC, ENOSPC, 0, "No space left on device"},
    {SINK_SYNC, EDQUOT, 0, "Disk quota exceeded"},
    {SINK_SYNC, EIO, 0, "Input/output error"},
    {SINK_SYNC, EBADF, 0, "Bad file descriptor"},
};

enum { N_FAILURES = sizeof failures / sizeof *failures };

/* Write block 1 and sync, where failure nth strikes once or for ever. */
static int
write_and_sync(enum engine e, unsigned nth, unsigned every, struct err *err)
{
    struct sink_fault fault = {failures[nth].of, 1, every, -failures[nth].sys};
    cleanup_(sink_freep) struct sink *s =
        engine_new_faulty(e, &params, &fault, 1);
    int r = write_one(s, block(1, PIECE, 1), err);

    if (r == 0)
        r = sink_sync(s, fd, "x.part", err);
    cr_assert_eq(sink_in_flight(s), 0);
    if (failures[nth].of == SINK_SYNC)
        cr_assert_eq(sink_faulty_count(s, SINK_SYNC), 1, "a sync again");

    /* It was the file that failed: the sink still serves the next. */
    if (r < 0 && every == 0) {
        struct err next;

        cr_assert_eq(write_one(s, block(1, PIECE, 1), &next), 0);
        cr_assert_eq(sink_sync(s, fd, "y.part", &next), 0);
        assert_block(1, PIECE);
    }
    return r;
}

static void
assert_failed(unsigned nth, const struct err *err)
{
    char expected[128];

    snprintf(expected, sizeof expected, "could not %s: %s",
             failures[nth].of == SINK_WRITE ? "write \"x.part\" at offset 8192"
                                            : "sync \"x.part\"",
             failures[nth].expected);
    cr_assert_eq(err->class, ERR_SYSTEM);
    cr_assert_str_eq(err->message, expected);
}

ParameterizedTestParameters(sink, what_happens_once_is_tried_again_or_final)
{
    return cr_make_param_array(int, real_engines, 2);
}

ParameterizedTest(int *e, sink, what_happens_once_is_tried_again_or_final)
{
    for (unsigned i = 0; i < N_FAILURES; i++) {
        struct err err;
        int r = write_and_sync(*e, i, 0, &err);

        cr_assert_eq(r, failures[i].again ? 0 : -1, "failure %u", i);
        if (r < 0)
            assert_failed(i, &err);
        else
            assert_block(1, PIECE);
    }
}

ParameterizedTestParameters(sink, what_happens_for_ever_is_an_error)
{
    return cr_make_param_array(int, real_engines, 2);
}

ParameterizedTest(int *e, sink, what_happens_for_ever_is_an_error)
{
    for (unsigned i = 0; i < N_FAILURES; i++) {
        struct err err;

        cr_assert_eq(write_and_sync(*e, i, 1, &err), -1, "failure %u", i);
        assert_failed(i, &err);
        if (failures[i].again)
            cr_assert_str_eq(err.detail,
                             "The kernel accepted nothing in 100 attempts.");
    }
}

/*
 * io_uring itself.
 */

static struct {
    unsigned refused;
    char expected[64];
} rungs[] = {
    {0, "uring (single issuer, deferred, registered buffers)"},
    {IORING_SETUP_DEFER_TASKRUN, "uring (cooperative, registered buffers)"},
    {~0u, "uring (plain, registered buffers)"},
};

ParameterizedTestParameters(sink, an_older_kernel_gives_a_lower_rung)
{
    return cr_make_param_array(__typeof__(*rungs), rungs, 3);
}

ParameterizedTest(__typeof__(*rungs) *rung, sink,
                  an_older_kernel_gives_a_lower_rung)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err;

    setup_flags_refused = rung->refused;
    s = engine_new(ENGINE_URING, &params);
    cr_assert_str_eq(sink_describe(s), rung->expected);
    cr_assert_eq(write_one(s, block(0, PIECE, 1), &err), 0);
    cr_assert_eq(sink_sync(s, fd, "x.part", &err), 0);
    assert_block(0, PIECE);
}

static struct {
    int nr;
    int sys;
    char message[80];
    char hint[48]; /* a part of it */
} refusals[] = {
    {__NR_io_uring_setup, EPERM,
     "could not set up io_uring: Operation not permitted",
     "kernel.io_uring_disabled"},
    {__NR_io_uring_setup, ENOSYS,
     "could not set up io_uring: Function not implemented",
     "older than 5.6, or a seccomp profile"},
    {__NR_io_uring_setup, EINVAL, "could not set up io_uring: Invalid argument",
     "too old"},
    {__NR_io_uring_setup, ENOMEM,
     "could not set up io_uring: Cannot allocate memory", "RLIMIT_MEMLOCK"},
    {__NR_io_uring_setup, EMFILE,
     "could not set up io_uring: Too many open files", "ulimit -n"},
    {__NR_io_uring_register, EPERM, /* so there is no probe */
     "could not set up io_uring: Function not implemented", "seccomp"},
};

enum { N_REFUSALS = sizeof refusals / sizeof *refusals };

ParameterizedTestParameters(sink, io_uring_refused_is_said_and_sync_is_used)
{
    return cr_make_param_array(__typeof__(*refusals), refusals, N_REFUSALS);
}

ParameterizedTest(__typeof__(*refusals) *t, sink,
                  io_uring_refused_is_said_and_sync_is_used)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err, why;

    refuse_one(t->nr, t->sys);
    cr_assert_eq(sink_new_uring(&s, &params, &err), SINK_E_NO_URING);
    cr_assert_null(s);
    cr_assert_str_eq(err.message, t->message);
    cr_assert(strstr(err.hint, t->hint), "%s", err.hint);

    cr_assert_eq(sink_new_best(&s, &params, &why, &err), 0);
    cr_assert_str_eq(sink_describe(s), "sync");
    cr_assert_str_eq(why.message, t->message);
    cr_assert_eq(write_one(s, block(0, PIECE, 1), &err), 0);
    cr_assert_eq(sink_sync(s, fd, "x.part", &err), 0);
    assert_block(0, PIECE);
}

Test(sink, best_is_uring_where_the_kernel_allows_it)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err, why;

    cr_assert_eq(sink_new_best(&s, &params, &why, &err), 0);
    cr_assert_eq(why.class, 0);
    cr_assert_eq(strncmp(sink_describe(s), "uring (", 7), 0);
}

static void
limit_locked_memory(rlim_t limit)
{
    cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){limit, limit}), 0);
    if (geteuid() == 0) /* whom the limit does not bind */
        cr_assert_eq(setuid(65534), 0);
}

Test(sink, buffers_that_may_not_be_pinned_are_written_all_the_same)
{
    cleanup_(sink_freep) struct sink *s = NULL;
    struct err err;

    limit_locked_memory(4 * 4096); /* enough for the ring itself */
    s = engine_new(ENGINE_URING, &params);
    cr_assert_str_eq(sink_describe(s), "uring (single issuer, deferred)");
    cr_assert_eq(write_one(s, block(0, PIECE, 1), &err), 0);
    assert_block(0, PIECE);
}

/* Submitting alone answers no; only who waits as well is served. */
static int busy_errnos[] = {EAGAIN, EBUSY, EINTR};

ParameterizedTestParameters(sink, what_a_busy_ring_refuses_is_submitted_later)
{
    return cr_make_param_array(int, busy_errnos, 3);
}

ParameterizedTest(int *sys, sink, what_a_busy_ring_refuses_is_submitted_later)
{
    cleanup_(sink_freep) struct sink *s = engine_new(ENGINE_URING, &params);
    const struct refusal submit = {__NR_io_uring_enter, *sys, 2, 0};
    struct err err;

    refuse(&submit, 1);
    for (unsigned i = 0; i < DEPTH; i++) {
        struct sink_op op = block(i, PIECE, 1);

        cr_assert_eq(sink_write(s, &op, &err), 0);
    }
    cr_assert_eq(sink_sync(s, fd, "x.part", &err), 0);
    for (unsigned i = 0; i < DEPTH; i++)
        assert_block(i, PIECE);
}

static struct {
    int sys;
    char message[80];
} deaths[] = {
    {EBUSY, "could not go on writing through \"uring\": "
            "Device or resource busy"},
    {EPERM, "could not go on writing through \"uring\": "
            "Operation not permitted"},
};

ParameterizedTestParameters(sink, a_dead_ring_is_an_error_and_never_a_wait)
{
    return cr_make_param_array(__typeof__(*deaths), deaths, 2);
}

ParameterizedTest(__typeof__(*deaths) *t, sink,
                  a_dead_ring_is_an_error_and_never_a_wait)
{
    struct sink *s = engine_new(ENGINE_URING, &params);
    struct sink_op op = block(0, PIECE, 1);
    struct err err = {0};

    refuse_one(__NR_io_uring_enter, t->sys);
    cr_assert_neq(sink_write(s, &op, &err) == 0 && sink_reap(s, &err) == 0, 1);
    cr_assert_str_eq(err.message, t->message);

    op = block(1, PIECE, 1);
    cr_assert_lt(sink_write(s, &op, &err), 0);
    cr_assert_lt(sink_sync(s, fd, "x.part", &err), 0);
    cr_assert_str_eq(err.message, t->message);
    sink_drain(s);
    sink_free(s);
    assert_all_buffers_are_back();
}
