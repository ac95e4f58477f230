/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/progress/progress.h"

/* ---- stderr is caught, by a terminal or a pipe ---- */

static int caught_fd, saved_fd;

static void
catch_on_terminal(unsigned short n_rows, unsigned short n_columns)
{
    struct winsize size = {.ws_row = n_rows, .ws_col = n_columns};
    int terminal_fd;

    cr_assert_eq(openpty(&caught_fd, &terminal_fd, NULL, NULL, &size), 0);
    saved_fd = dup(STDERR_FILENO);
    dup2(terminal_fd, STDERR_FILENO);
    close(terminal_fd);
    fcntl(caught_fd, F_SETFL, O_NONBLOCK);
    setenv("TERM", "xterm", 1);
}

static void
catch_in_pipe(void)
{
    int fds[2];

    cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
    saved_fd = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    caught_fd = fds[0];
}

/* What has been written since the last call. */
static const char *
caught(void)
{
    static char text[65536];
    size_t len = 0;
    ssize_t n;

    while ((n = read(caught_fd, text + len, sizeof text - len - 1)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static void
restore(void)
{
    if (saved_fd > 0)
        dup2(saved_fd, STDERR_FILENO);
}

TestSuite(progress, .fini = restore);

/* ---- a small terminal: what a user would see ---- */

enum { ROWS = 40, COLUMNS = 100 };

static struct {
    char cells[ROWS][COLUMNS + 1];
    unsigned row, column;
} seen;

static void
erase(unsigned row, unsigned column)
{
    memset(&seen.cells[row][column], '\0', COLUMNS - column);
}

/* The sequences that we use, and no other. */
static const char *
obey(const char *s)
{
    char *end;
    unsigned n = (unsigned)strtoul(s, &end, 10);

    if (*end == 'A') {
        cr_assert_leq(n, seen.row);
        seen.row -= n;
    } else if (*end == 'K') {
        erase(seen.row, seen.column);
    } else if (*end == 'J') {
        erase(seen.row, seen.column);
        for (unsigned i = seen.row + 1; i < ROWS; i++)
            erase(i, 0);
    } else {
        cr_assert(strncmp(s, "?7l", 3) == 0 || strncmp(s, "?7h", 3) == 0,
                  "unknown sequence %.5s", s);
        end += 2;
    }
    return end;
}

static void
watch(void)
{
    for (const char *s = caught(); *s; s++) {
        if (s[0] == '\033' && s[1] == '[') {
            s = obey(s + 2);
        } else if (*s == '\r') {
            seen.column = 0;
        } else if (*s == '\n') {
            cr_assert_lt(++seen.row, ROWS);
        } else {
            cr_assert_lt(seen.column, COLUMNS);
            cr_assert_geq((unsigned char)*s, ' ');
            seen.cells[seen.row][seen.column++] = *s;
        }
    }
}

#define assert_row(i, text) cr_assert_str_eq(seen.cells[i], text)
#define assert_row_has(i, text)                                                \
    cr_assert(strstr(seen.cells[i], text), "%s", seen.cells[i])

static struct progress *
make(enum progress_style style)
{
    struct progress *p;
    struct err err;

    cr_assert_eq(progress_new(&p, style, &err), 0);
    return p;
}

static struct progress_cell *
add_lane(struct progress *p, unsigned lane, unsigned n_workers)
{
    static const char *const names[] = {"export", "load"};
    struct err err;

    cr_assert_eq(
        progress_lane(p, names[lane], n_workers, 400 << 20, 100 << 20, &err),
        0);
    return progress_cell(p, lane, 0);
}

static void
draw_later(struct progress *p, unsigned ms)
{
    clock_nap_us(ms * 1000);
    progress_draw(p);
}

Test(progress, terminal_shows_the_total_and_a_line_for_each_worker_at_work)
{
    cleanup_(progress_freep) struct progress *p = NULL;
    struct progress_cell *c;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    c = add_lane(p, 0, 3);
    progress_begin(c, "public.t #1", 64 << 20);
    progress_at(c, 16 << 20, 1000);
    draw_later(p, 220);
    watch();
    assert_row_has(0, "export     29 %     116 of 400 MB  ");
    assert_row_has(0, " MB/s  1.00 k rows  00:00:0");
    assert_row(1, "       1   25 %   16.0 of 64.0 MB  public.t #1");
    assert_row(2, "");

    progress_begin(progress_cell(p, 0, 2), "public.u", 0);
    progress_end(c, 1);
    draw_later(p, 160);
    watch();
    /* Done is done, however few bytes it was. */
    assert_row_has(0, "export     41 %     164 of 400 MB ");
    assert_row(1, "       1");
    assert_row(2, "       3                  0 bytes  public.u");
    assert_row(3, "");
}

Test(progress, notes_stay_and_moving_lines_are_gone_in_the_end)
{
    cleanup_(progress_freep) struct progress *p = NULL;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    progress_note(p, "first");
    progress_begin(add_lane(p, 0, 2), "public.t", 64 << 20);
    draw_later(p, 220);
    progress_note(p, "second %s", "\033[2J\r");
    watch();
    assert_row(0, "first");
    assert_row(1, "second \\x1b[2J\\x0d");
    cr_assert_eq(strncmp(seen.cells[2], "export ", 7), 0);
    assert_row(3, "       1    0 %   0.00 of 64.0 MB  public.t");

    draw_later(p, 160);
    progress_finish(p);
    progress_note(p, "third");
    watch();
    assert_row(0, "first");
    assert_row(1, "second \\x1b[2J\\x0d");
    assert_row(2, "third");
    assert_row(3, "");
    cr_assert_eq(seen.row, 3);
}

Test(progress, next_command_begins_with_lanes_of_its_own)
{
    cleanup_(progress_freep) struct progress *p = NULL;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    progress_begin(add_lane(p, 0, 1), "a", 0);
    draw_later(p, 220);
    progress_finish(p);
    progress_draw(p);
    progress_begin(add_lane(p, 0, 1), "b", 0);
    draw_later(p, 220);
    watch();
    assert_row(1, "       1                  0 bytes  b");
    assert_row(2, "");
}

Test(progress, lines_never_wrap_nor_leave_the_screen)
{
    cleanup_(progress_freep) struct progress *p = NULL;

    catch_on_terminal(4, 40);
    p = make(PROGRESS_AUTO);
    add_lane(p, 0, 10);
    for (unsigned i = 0; i < 10; i++)
        progress_begin(progress_cell(p, 0, i), "public.a_long_name", 1 << 20);
    for (unsigned i = 0; i < 3; i++)
        draw_later(p, 220);
    watch();
    assert_row(0, "export     25 %     100 of 400 MB   0 b");
    assert_row(1, "       1    0 %   0.00 of 1.00 MB  publ");
    assert_row(2, "       2    0 %   0.00 of 1.00 MB  publ");
    assert_row(3, "");
}

Test(progress, halted_terminal_does_not_halt_the_run, .timeout = 60)
{
    struct progress *p;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    add_lane(p, 0, 1);
    tcflow(STDERR_FILENO, TCOOFF);
    draw_later(p, 220);
    cr_assert_str_empty(caught());
    tcflow(STDERR_FILENO, TCOON);
    draw_later(p, 160);
    cr_assert_str_not_empty(caught());
    progress_free(p);
}

Test(progress, dumb_terminal_gets_no_sequences)
{
    struct progress *p;

    catch_on_terminal(24, 80);
    setenv("TERM", "dumb", 1);
    p = make(PROGRESS_AUTO);
    add_lane(p, 0, 1);
    draw_later(p, 1010);
    progress_note(p, "note");
    progress_free(p);
    cr_assert_str_eq(caught(), "export: 25 %, 100 of 400 MB, 0 bytes/s, "
                               "0 rows\r\nnote\r\n");
}

Test(progress, log_gets_a_plain_line_a_lane_now_and_then)
{
    cleanup_(progress_freep) struct progress *p = NULL;
    struct progress_cell *c;
    double mb_per_s;
    char last;

    catch_in_pipe();
    p = make(PROGRESS_AUTO);
    c = add_lane(p, 0, 1);
    add_lane(p, 1, 1);
    progress_draw(p);
    cr_assert_str_empty(caught());
    progress_begin(c, "t", 100 << 20);
    progress_at(c, 100 << 20, 5);
    progress_end(c, 0); /* lost: it does not count */
    draw_later(p, 1010);
    cr_assert_eq(sscanf(caught(),
                        "export: 25 %%, 100 of 400 MB, %lf MB/s, 0 rows\n"
                        "load: 25 %%, 100 of 400 MB, 0 bytes/s, 0 row%c",
                        &mb_per_s, &last),
                 2);
    cr_assert(mb_per_s > 0 && mb_per_s <= 100); /* in a second, or later */
    draw_later(p, 300);
    progress_finish(p);
    cr_assert_str_empty(caught());
}

Test(progress, speed_and_time_left_are_of_what_was_moved)
{
    cleanup_(progress_freep) struct progress *p = NULL;
    struct progress_cell *c;
    unsigned rate, left;
    uint64_t begun_ms, ms;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    begun_ms = clock_ms();
    c = add_lane(p, 0, 1);
    progress_begin(c, "t", 300 << 20);
    progress_at(c, 50 << 20, 5);
    draw_later(p, 1000);
    ms = clock_ms() - begun_ms;
    watch();
    /* 50 MB in about a second, 250 MB to go. */
    cr_assert_eq(sscanf(seen.cells[0],
                        "export 37 %% 150 of 400 MB %u.%*u MB/s 5 rows "
                        "00:00:%u left",
                        &rate, &left),
                 2);
    cr_assert_float_eq(rate, 50000.0 / (double)ms, 2);
    cr_assert_float_eq(left, 5.0 * (double)ms / 1000, 1);
}

Test(progress, quiet_says_notes_only)
{
    struct progress *p;

    catch_in_pipe();
    p = make(PROGRESS_QUIET);
    add_lane(p, 0, 1);
    draw_later(p, 1010);
    progress_note(p, "note");
    progress_free(p);
    cr_assert_str_eq(caught(), "note\n");
}

/* ---- workers do not wait for the one who draws ---- */

static void *
work(void *arg)
{
    struct progress_cell *c = arg;
    char label[32];

    for (unsigned i = 0; i < 2000; i++) {
        snprintf(label, sizeof label, "task %u", i);
        progress_begin(c, label, 100);
        for (unsigned j = 1; j <= 10; j++)
            progress_at(c, 10 * j, j);
        progress_end(c, 1);
    }
    return NULL;
}

Test(progress, workers_and_drawing_at_once_lose_nothing)
{
    enum { N = 4 };
    struct progress *p;
    pthread_t threads[N];
    struct err err;

    catch_on_terminal(24, 80);
    p = make(PROGRESS_AUTO);
    progress_lane(p, "export", N, 2000 * 100 * N, 0, &err);
    clock_nap_us(210000);
    for (unsigned i = 0; i < N; i++)
        pthread_create(&threads[i], NULL, work, progress_cell(p, 0, i));
    for (unsigned i = 0; i < 20; i++) {
        progress_draw(p);
        watch();
        clock_nap_us(1000);
    }
    for (unsigned i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    draw_later(p, 160);
    watch();
    cr_assert_eq(
        strncmp(seen.cells[0], "export    100 %     781 of 781 kB ", 34), 0,
        "%s", seen.cells[0]);
    cr_assert_not_null(strstr(seen.cells[0], " 80.0 k rows"));
    progress_free(p);
}
