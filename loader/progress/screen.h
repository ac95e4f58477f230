/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Screen: what is written to stderr, line by line.  Notes stay; moving lines,
 * below them, are drawn over by the next frame.
 *
 *     IDLE --begin--> [note...] [line...] --end--> IDLE
 *
 * A frame is put together in memory and written at once, so nothing flickers.
 * As long as there are no moving lines, nothing but text is written: notes will
 * do on a file as well.
 */

#include <stddef.h>
#include <stdio.h>

struct screen {       /* begins as {0} */
    unsigned n_lines; /* moving ones, right above the cursor */
    /* Of the frame that is put together: */
    FILE *text;
    char *data;
    size_t len;
    unsigned n_columns, n_rows;
    unsigned n_lines_new;
};

/* Would a frame have to wait, as on a terminal halted with Ctrl-S? */
int screen_is_halted(void);

/* <0: no memory for a frame now; there is nothing to end then. */
int screen_begin(struct screen *s);
void screen_note(struct screen *s, const char *text);
/* Is cut to fit; left out when the screen has no room for it. */
void screen_line(struct screen *s, char *line);
void screen_end(struct screen *s);
