/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Export lane: a task is a chunk, a worker a session in the snapshot.
 *
 *     COPY out -> rows, digest -> frames (-> encryption) -> registered
 *     buffers -> O_DIRECT writes -> commit of the file -> row in the catalogue
 *
 * Memory of a worker: EXPORT_LANE_BUFFERS pieces for writing, one frame of
 * rows, and what libpq needs for the largest row: its buffer, which grows by
 * doubling and never shrinks, and a copy of the row.  So a connection on which
 * a large row has come is closed after its chunk, and its memory is free.
 * Where files are encrypted it is a MB more.
 *
 * A row too large to be read as text: the whole table goes over to binary,
 * where its types allow that, and is staged from its beginning; chunks of one
 * table are never of two formats.  Not when something of it is loaded already.
 * Else the table fails, and the error names the row.
 */

#include "formats/age/age.h"
#include "formats/frame.h"
#include "io/throttle.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"
#include "loader/run/sink_choice.h"
#include "loader/source/guard/stall.h"
#include "loader/work/lane.h"

enum { EXPORT_LANE_BUFFERS = 4 };

/* All borrowed; must outlive the drive. */
struct export_lane {
    struct catalog *catalog;
    struct run_dir *dir;
    const char *conninfo;
    const char *snapshot; /* its origin, for keeper_join() */
    const struct stop *stop;
    unsigned char run[16];
    uint64_t lsn;
    enum frame_codec codec;
    const struct age_recipients *recipients; /* NULL: files are as they are */
    enum sink_choice sink;
    uint64_t look_ms;          /* when the keeper is looked at next; its own */
    struct throttle *throttle; /* NULL: as fast as can be */
    struct stalls *stalls;     /* who is told; NULL: nobody */
    /* A table that was planned as text may be staged in binary, when a row of
       it is too large for text. */
    int may_go_over;
    struct progress *progress;
    /* Nothing more is begun while files of so many bytes wait to be loaded; 0:
       nobody loads. */
    uint64_t max_staged;
};

extern const struct lane_ops export_lane_ops;
