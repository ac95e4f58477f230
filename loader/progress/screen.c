/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int
screen_is_halted(void)
{
    return poll(&(struct pollfd){STDERR_FILENO, POLLOUT, 0}, 1, 0) == 0;
}

/* Users resize: asked anew for every frame. */
static void
measure(struct screen *s)
{
    struct winsize size;

    s->n_columns = 80;
    s->n_rows = 24;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_col > 0)
        s->n_columns = size.ws_col;
    if (size.ws_row > 0)
        s->n_rows = size.ws_row;
}

int
screen_begin(struct screen *s)
{
    s->text = open_memstream(&s->data, &s->len);
    if (!s->text)
        return -1;
    measure(s);
    s->n_lines_new = 0;
    if (s->n_lines > 0)
        fprintf(s->text, "\033[%uA\r", s->n_lines);
    return 0;
}

void
screen_note(struct screen *s, const char *text)
{
    fprintf(s->text, "%s%s\n", s->n_lines > 0 ? "\033[J" : "", text);
}

/* UTF-8: only the first byte of a character is counted. */
static void
cut(char *text, unsigned n_characters)
{
    for (unsigned n = 0; *text; text++) {
        if (((unsigned char)*text & 0xc0) != 0x80 && n++ == n_characters) {
            *text = '\0';
            return;
        }
    }
}

/*
 * What is left of an older line is erased after the new one has been written
 * over it.  Auto-wrap (DECAWM) is off for so long: a character may be wider
 * than we think, and a wrapped line would be two.
 */
void
screen_line(struct screen *s, char *line)
{
    /* The cursor, below the last line, must find its way back to the first. */
    if (s->n_lines_new + 1 >= s->n_rows)
        return;
    cut(line, s->n_columns - 1);
    fprintf(s->text, "\033[?7l%s\033[K\033[?7h\n", line);
    s->n_lines_new++;
}

static void
write_all(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) { /* somebody else's O_NONBLOCK */
            poll(&(struct pollfd){STDERR_FILENO, POLLOUT, 0}, 1, -1);
        } else if (errno != EINTR) {
            return; /* and nobody left to tell */
        }
    }
}

void
screen_end(struct screen *s)
{
    if (s->n_lines > 0)
        fputs("\033[J", s->text);
    if (fclose(s->text) == 0)
        write_all(s->data, s->len);
    free(s->data);
    s->n_lines = s->n_lines_new;
}
