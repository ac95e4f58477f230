/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/progress/progress.h"
#include "tests/scratch.h"

TestSuite(events, .init = scratch_begin, .fini = scratch_end);

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s", err.message)

static struct events *
open_log(void)
{
    struct events *e;

    ok(events_open(&e, scratch_fd, &err));
    return e;
}

static void
put(const char *text)
{
    scratch_put(EVENTS_FILE, text, strlen(text));
}

/* The file's lines as JSON; NULL for one that is none. */
static json_t *lines[1000];
static unsigned n_lines;

static void
read_log(void)
{
    int fd = openat(scratch_fd, EVENTS_FILE, O_RDONLY);
    FILE *f = fdopen(fd, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    cr_assert(f);
    for (n_lines = 0; (len = getline(&line, &size, f)) > 0; n_lines++) {
        cr_assert_lt(n_lines, 1000);
        cr_assert_eq(line[len - 1], '\n', "a torn line: %s", line);
        lines[n_lines] = json_loads(line, 0, NULL);
    }
    free(line);
    fclose(f);
}

static const char *
text_of(unsigned i, const char *member)
{
    const char *text = json_string_value(json_object_get(lines[i], member));

    return text ? text : "";
}

static json_int_t
number_of(unsigned i, const char *member)
{
    return json_integer_value(json_object_get(lines[i], member));
}

static void
log_task(struct events *e, unsigned n)
{
    char label[32];

    snprintf(label, sizeof label, "public.t #%u", n);
    events_task(e, &(struct events_task){
                       .lane = "export",
                       .worker = 1,
                       .label = label,
                       .table = 1,
                       .chunk = n,
                       .begun_ms = clock_ms(),
                       .ended_ms = clock_ms(),
                       .outcome = "done",
                   });
}

Test(events, are_one_line_each_in_their_order)
{
    struct events *e = open_log();

    events_begin(e, "export", "1.2.3", json_pack("{s:s}", "jobs", "4"));
    events_phase_begin(e, "plan");
    events_phase_end(e, NULL);
    log_task(e, 7);
    events_note(e, "two\nlines");
    events_limit(e, "export", 2);
    err_set(&err, ERR_SERVER, "it is gone");
    events_end(e, &err);
    events_free(e);
    read_log();
    cr_assert_eq(n_lines, 7);
    cr_assert_str_eq(text_of(0, "command"), "export");
    cr_assert_str_eq(text_of(1, "state"), "begun");
    cr_assert_str_eq(text_of(2, "state"), "done");
    cr_assert_str_eq(text_of(3, "label"), "public.t #7");
    cr_assert_eq(number_of(3, "chunk"), 7);
    cr_assert_str_eq(text_of(4, "text"), "two\n    lines");
    cr_assert_eq(number_of(5, "workers"), 2);
    cr_assert_str_eq(text_of(6, "why"), "it is gone");
    cr_assert_eq(number_of(6, "status"), 3);
    for (unsigned i = 1; i < n_lines; i++)
        cr_assert_geq(number_of(i, "at"), number_of(i - 1, "at"));
}

Test(events, of_another_command_are_added)
{
    for (int i = 0; i < 2; i++) {
        struct events *e = open_log();

        events_begin(e, i ? "load" : "export", "1", json_object());
        events_end(e, NULL);
        events_free(e);
    }
    read_log();
    cr_assert_eq(n_lines, 4);
    cr_assert_str_eq(text_of(0, "command"), "export");
    cr_assert_str_eq(text_of(2, "command"), "load");
}

Test(events, torn_line_stays_the_only_one)
{
    struct events *e;

    put("{\"at\":1,\"event\":\"begin\"}\n{\"at\":2,\"eve");
    e = open_log();
    events_begin(e, "load", "1", json_object());
    events_free(e);
    read_log();
    cr_assert_eq(n_lines, 3);
    cr_assert(lines[0]);
    cr_assert_null(lines[1]);
    cr_assert_str_eq(text_of(2, "command"), "load");
}

Test(events, file_is_private)
{
    struct events *e = open_log();
    struct stat st;

    cr_assert_eq(fstatat(scratch_fd, EVENTS_FILE, &st, 0), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    events_free(e);
}

Test(events, link_in_its_place_is_refused)
{
    struct events *e;

    cr_assert_eq(symlinkat("elsewhere", scratch_fd, EVENTS_FILE), 0);
    cr_assert_lt(events_open(&e, scratch_fd, &err), 0);
    cr_assert_lt(faccessat(scratch_fd, "elsewhere", F_OK, 0), 0);
}

Test(events, what_was_written_out_survives_a_kill)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct events *e = open_log();

        events_begin(e, "export", "1", json_object());
        for (unsigned i = 0; i < 1000; i++)
            log_task(e, i);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status));
    read_log();
    /* All but what was in the buffer of 64 KiB. */
    cr_assert_geq(n_lines, 400);
    for (unsigned i = 0; i < n_lines; i++)
        cr_assert(lines[i]);
}

Test(events, wait_for_a_beat_a_second_at_most)
{
    struct events *e = open_log();

    log_task(e, 1);
    events_beat(e);
    read_log();
    cr_assert_eq(n_lines, 0);
    clock_nap_us(1100000);
    events_beat(e);
    read_log();
    cr_assert_eq(n_lines, 1);
    events_free(e);
}

Test(events, that_cannot_be_written_say_so_and_are_no_failure)
{
    struct events *e = open_log();
    struct stat st;

    /* Whoever opens next gets the number of the closed one. */
    for (int fd = 3; fd < 64; fd++)
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            (fcntl(fd, F_GETFL) & O_APPEND) && st.st_size == 0)
            dup2(open("/dev/full", O_WRONLY | O_APPEND), fd);
    events_note(e, "lost");
    cr_assert_null(events_trouble(e));
    events_end(e, NULL);
    cr_assert(events_trouble(e));
    cr_assert(strstr(events_trouble(e), "No space left"));
    events_note(e, "passed over");
    events_free(e);
}

Test(events, largest_texts_fit_a_line)
{
    static char big[4000];
    struct events *e = open_log();

    memset(big, '\001', sizeof big - 1);
    err_set(&err, ERR_SERVER, "%s", big);
    err_detail(&err, "%s", big);
    for (int i = 0; i < 20; i++)
        events_task(e, &(struct events_task){
                           .lane = "load",
                           .label = big,
                           .outcome = "failed",
                           .why = &err,
                       });
    events_free(e);
    read_log();
    cr_assert_eq(n_lines, 20);
    for (unsigned i = 0; i < n_lines; i++)
        cr_assert(lines[i]);
}

/* ---- by way of the progress ---- */

Test(events, are_told_what_people_are_told)
{
    struct progress *p;
    struct events *e = open_log();

    ok(progress_new(&p, PROGRESS_QUIET, &err));
    progress_log(p, e);
    progress_note(p, "%s", "look");
    progress_free(p);
    events_free(e);
    read_log();
    cr_assert_eq(n_lines, 1);
    cr_assert_str_eq(text_of(0, "text"), "look");
}

Test(events, task_that_a_worker_ended_is_told_once)
{
    struct events_task t;
    struct progress_cell *cell;
    struct progress *p;

    ok(progress_new(&p, PROGRESS_QUIET, &err));
    ok(progress_lane(p, "export", 2, 0, 0, &err));
    cell = progress_cell(p, 0, 1);
    cr_assert_lt(progress_last(p, 0, 1, &t), 0);
    progress_begin(cell, "public.t #3", 100);
    progress_of(cell, 1, 3);
    progress_at(cell, 90, 10);
    progress_stored(cell, 40);
    cr_assert_lt(progress_last(p, 0, 1, &t), 0, "it is still at it");
    progress_end(cell, 1);
    cr_assert_eq(progress_last(p, 0, 1, &t), 0);
    cr_assert_str_eq(t.lane, "export");
    cr_assert_str_eq(t.label, "public.t #3");
    cr_assert_eq(t.worker, 2);
    cr_assert_eq(t.table, 1);
    cr_assert_eq(t.chunk, 3);
    cr_assert_eq(t.n_bytes, 90);
    cr_assert_eq(t.n_rows, 10);
    cr_assert_eq(t.n_stored, 40);
    cr_assert_geq(t.ended_ms, t.begun_ms);
    cr_assert_lt(progress_last(p, 0, 1, &t), 0);
    progress_free(p);
}
