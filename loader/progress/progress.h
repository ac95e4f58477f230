/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Progress: what every worker is at, and the total, shown to people.
 *
 * Workers add to their own cell and never wait for a drawing; the main thread
 * draws, and keeps the log (events.h).  On a terminal: a total and one line a worker (progress_text.h), drawn
 * over itself a few times a second.  Elsewhere: a plain line now and then.  All
 * of it goes to stderr.
 *
 *     EMPTY --lane, lane...--> MOVING --finish--> EMPTY
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/progress/events.h"
#include "loader/progress/progress_text.h"

struct progress;
struct progress_cell; /* one worker's; belongs to the progress */

enum progress_style {
    PROGRESS_AUTO, /* terminal or plain, by what stderr is */
    PROGRESS_PLAIN,
    PROGRESS_QUIET, /* notes only */
};

int progress_new(struct progress **ret, enum progress_style style,
                 struct err *err);
struct progress *progress_free(struct progress *p);
DEFINE_CLEANUP(struct progress *, progress_free)

/* Whatever is noted is logged, too.  Borrowed; NULL, as at first: no log. */
void progress_log(struct progress *p, struct events *events);
struct events *progress_events(const struct progress *p);

/* What the main thread does by itself, for the log.  end is given the answer
   of what was done, and passes it on. */
void progress_phase_begin(struct progress *p, const char *name);
int progress_phase_end(struct progress *p, int r, const struct err *err);

/* By the main thread.  A lane's heading ("export"), its workers, how much
   there is to do in all (in estimated bytes, 0 when nobody knows) and how much
   of it was done by earlier calls. */
int progress_lane(struct progress *p, const char *name, unsigned n_workers,
                  uint64_t total, uint64_t done, struct err *err);
struct progress_cell *progress_cell(struct progress *p, unsigned lane,
                                    unsigned worker);

/* By the worker: it begins label (copied; as it came, no matter what is in
   it), of about this size, 0 when nobody knows... */
void progress_begin(struct progress_cell *c, const char *label,
                    uint64_t expected);
/* ...of this table and chunk, by their numbers in the catalogue, 0: none... */
void progress_of(struct progress_cell *c, uint64_t table, uint64_t chunk);
/* ...has come that far (bytes and rows of this task so far)... */
void progress_at(struct progress_cell *c, uint64_t bytes, uint64_t rows);
/* ...has read or written so many bytes of a file for it... */
void progress_stored(struct progress_cell *c, uint64_t bytes);
/* ...and is done with it (ok), or has lost it. */
void progress_end(struct progress_cell *c, int ok);

/* By the main thread, while the worker is at nothing: fills what is known of
   the task that it ended last.  0, or -1 when it has ended none since it was
   asked. */
int progress_last(struct progress *p, unsigned lane, unsigned worker,
                  struct events_task *ret);

/* By the main thread.  draw is cheap when it is not yet time, and leaves a
   drawing out when nobody takes it (a terminal halted with Ctrl-S). */
void progress_draw(struct progress *p);
/* How far a lane is.  Its speed is that of the time between calls, of draw or
   of this. */
void progress_look(struct progress *p, unsigned lane, struct progress_sum *ret);
/* What is said below a lane's total from now on, in a line that moves; "":
   nothing.  Notes are for what changes. */
void progress_caption(struct progress *p, unsigned lane, const char *text);
/* A line that stays, above the moving ones: warnings, what was resumed.  May
   contain anything. */
void progress_note(struct progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Take the moving lines away and forget the lanes: their workers have ended.
   The account of what was done follows. */
void progress_finish(struct progress *p);
