/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Events: RUN/events.jsonl, what happened in a run, a JSON object a line; the
 * members are listed in docs/events.md.  Each command that works in the
 * directory adds its own lines and changes none.
 *
 *     begin --(phase, server, task, limit, note)...--> end
 *
 * It is a log, not a record that anything depends on: what it says is some 64
 * KiB or a second behind, nothing of it is synced, and when it cannot be written
 * the run goes on (events_trouble).  A line that was
 * torn by a crash is ended by the next who adds to the file.
 *
 * The main thread's.  All calls but open take NULL for "no log".
 */

#include <jansson.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

struct events;

#define EVENTS_FILE "events.jsonl"

/* Append to the file in this directory; made when missing (0600).  Refused
   unless it is a regular file of one name. */
int events_open(struct events **ret, int dir_fd, struct err *err);
/* Writes out what is left. */
struct events *events_free(struct events *e);
DEFINE_CLEANUP(struct events *, events_free)

/* A command and its options, which are taken over. */
void events_begin(struct events *e, const char *command, const char *version,
                  json_t *options);
/* How it ended; why is NULL when all went well. */
void events_end(struct events *e, const struct err *why);

/*
 * What the main thread does by itself, or a lane's time from its beginning to
 * its end.  Phases may lie within each other, a few deep; end ends the one
 * that was begun last.
 */
void events_phase_begin(struct events *e, const char *name);
void events_phase_end(struct events *e, const struct err *why);

/* One of the two sides ("source", "target"), as found; o is taken over. */
void events_server(struct events *e, const char *side, json_t *o);

/* What a worker did, or tried to do. */
struct events_task {
    const char *lane;
    unsigned worker;                    /* 1... */
    const char *label;                  /* as it came */
    uint64_t table, chunk;              /* the catalogue's numbers; 0: none */
    uint64_t begun_ms, ended_ms;        /* of clock.h */
    uint64_t n_rows, n_bytes, n_stored; /* bytes of COPY; of the file */
    const char *outcome;   /* "done", "again", "redo", "unable", "failed" */
    const struct err *why; /* NULL when it was done */
};
void events_task(struct events *e, const struct events_task *t);

/* How many workers of a lane may be at work from now on. */
void events_limit(struct events *e, const char *lane, unsigned n_workers);

/* What people are told. */
void events_note(struct events *e, const char *text);

/* Write out what has waited for a second; what waits. */
void events_beat(struct events *e);
void events_flush(struct events *e);

/* Why nothing is written any more; NULL: all is well. */
const char *events_trouble(const struct events *e);
