/* SPDX-License-Identifier: PostgreSQL */

/*
 * Whole runs where io_uring is refused, as containers and hardened kernels do
 * it: a filter on this process is inherited by the program under test.
 */

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/refuse.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

enum { MOMENTS = 3 };

struct refused {
    int sys;
    char why[60], hint[80];
};

static struct refused refused[] = {
    {ENOSYS, "could not set up io_uring: Function not implemented",
     "a seccomp profile such as a container's default hides io_uring"},
    {EPERM, "could not set up io_uring: Operation not permitted",
     "switched off by the sysctl kernel.io_uring_disabled"},
};

/* A test of both, each in a process of its own: no filter can be taken off. */
#define REFUSED_TEST(name)                                                     \
    ParameterizedTestParameters(no_uring, name)                                \
    {                                                                          \
        return cr_make_param_array(struct refused, refused,                    \
                                   sizeof refused / sizeof *refused);          \
    }                                                                          \
    ParameterizedTest(struct refused *r, no_uring, name)

static void
refuse_uring(int sys)
{
    const struct refusal calls[] = {
        {__NR_io_uring_setup, sys, REFUSE_ANY, 0},
        {__NR_io_uring_enter, sys, REFUSE_ANY, 0},
        {__NR_io_uring_register, sys, REFUSE_ANY, 0},
    };

    refuse(calls, sizeof calls / sizeof *calls);
}

static void
skip_without_uring(void)
{
    struct server_run run = moves_pghaul("--version", "--verbose");

    if (!strstr(run.output, "\nio       uring"))
        cr_skip_test("io_uring is refused here already");
}

/* All that a run's catalogue says of its chunks but what differs from run to
   run: its id is in the head of every file. */
static const char *
chunks(const char *run_dir)
{
    struct server_run run = server_run((const char *const[]){
        "sqlite3", "-readonly", moves_path(run_dir, "run.db"),
        "SELECT id, table_id, lo, hi, file, n_rows, digest, raw_len, n_frames"
        " FROM chunks ORDER BY id",
        NULL});

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_not_empty(run.output);
    return run.output;
}

REFUSED_TEST(version_says_sync_and_why)
{
    struct server_run run;

    refuse_uring(r->sys);
    run = moves_pghaul("--version", "--verbose");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.output, "\nio       sync\n"), "%s",
                       run.output);
    cr_assert_not_null(strstr(run.output, r->why), "%s", run.output);
    cr_assert_not_null(strstr(run.output, r->hint), "%s", run.output);
}

REFUSED_TEST(run_stages_what_a_ring_stages)
{
    const char *source = moves_source(), *dir = server_tmp_dir();
    const char *target = server_database("target");
    const char *with = moves_path(dir, "with");
    const char *without = moves_path(dir, "without");
    struct server_run run;

    skip_without_uring();
    run = moves_pghaul("export", "--source", source, "--dir", with,
                       "--chunk-size", "1MB", "--io", "uring");
    cr_assert_eq(run.status, 0, "%s", run.errors);

    refuse_uring(r->sys);
    moves_export(source, without);
    cr_assert_str_eq(chunks(without), chunks(with));
    moves_load(target, without);
    moves_assert_verified(target, without);
    moves_assert_equal(source, target);
}

REFUSED_TEST(ring_that_was_asked_for_is_an_error)
{
    const char *source = moves_source();
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    refuse_uring(r->sys);
    run = moves_pghaul("export", "--source", source, "--dir", run_dir, "--io",
                       "uring");
    cr_assert_eq(run.status, 5, "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, r->why), "%s", run.errors);
    cr_assert_not_null(strstr(run.errors, r->hint), "%s", run.errors);

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    moves_assert_same_tables(source, target);
}

Test(no_uring, export_killed_at_any_moment_is_right_when_repeated)
{
    const char *source = moves_source(), *dir = server_tmp_dir();
    unsigned state = moves_seed(), usual;

    refuse_uring(ENOSYS);
    usual = moves_duration_us(moves_words("export", "--source", source, "--dir",
                                          moves_path(dir, "undisturbed"),
                                          "--chunk-size", "1MB"));
    for (unsigned i = 0; i < moves_moments(MOMENTS); i++) {
        const char *target = server_database("target");
        const char *run_dir = moves_path(dir, server_process_text("run-%u", i));

        moves_kill(moves_words("export", "--source", source, "--dir", run_dir,
                               "--chunk-size", "1MB"),
                   (unsigned)rand_r(&state) % usual, SIGKILL);
        moves_export(source, run_dir);
        moves_load(target, run_dir);
        moves_assert_verified(target, run_dir);
        moves_assert_same_tables(source, target);
    }
}

Test(no_uring, load_killed_at_any_moment_is_right_when_repeated)
{
    const char *source = moves_source();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    unsigned state = moves_seed(), usual;

    refuse_uring(ENOSYS);
    moves_export(source, run_dir);
    usual = moves_duration_us(moves_words(
        "load", "--target", server_database("target"), "--dir", run_dir));
    for (unsigned i = 0; i < moves_moments(MOMENTS); i++) {
        const char *target = server_database("target");

        moves_kill(moves_words("load", "--target", target, "--dir", run_dir),
                   (unsigned)rand_r(&state) % usual, SIGKILL);
        moves_load(target, run_dir);
        moves_assert_verified(target, run_dir);
        moves_assert_same_tables(source, target);
    }
}

/* Root is above the limit, so the program runs as somebody else. */
Test(no_uring, user_who_may_lock_no_memory_exports_all_the_same)
{
    const struct rlimit nothing = {0, 0};
    const char *source = moves_source(), *dir = server_tmp_dir();
    const char *run_dir = moves_path(dir, "run");
    const char *pghaul = moves_path(dir, "pghaul");
    const char *user =
        server_process_text("--reuid=%u", (unsigned)server_process_uid());
    const char *target = server_database("target");
    struct server_run run;

    if (geteuid() != 0)
        user = "--no-new-privs"; /* we are somebody else */
    cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &nothing), 0);
    run =
        server_run((const char *const[]){"cp", server_pghaul(), pghaul, NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_eq(chown(dir, server_process_uid(), (gid_t)-1), 0);
    cr_assert_eq(chown(pghaul, server_process_uid(), (gid_t)-1), 0);

    run = server_run((const char *const[]){"setpriv", user,
                                           "--bounding-set=-all", pghaul,
                                           "--version", "--verbose", NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);
    /* Newer kernels count the ring's memory in another way. */
    cr_assert(strstr(run.output, "\nio       uring") ||
                  strstr(run.output, "Raise the limit on locked memory"),
              "%s", run.output);
    run = server_run((const char *const[]){
        "setpriv", user, "--bounding-set=-all", pghaul, "export", "--source",
        source, "--dir", run_dir, "--chunk-size", "1MB", NULL});
    cr_assert_eq(run.status, 0, "%s", run.errors);

    if (geteuid() == 0) /* and take it over */
        server_run((const char *const[]){"chown", "-R", "0", run_dir, NULL});
    moves_load(target, run_dir);
    moves_assert_verified(target, run_dir);
}
