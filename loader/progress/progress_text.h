/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The lines of the progress as text, in columns:
 *
 *     export     63 %   1.24 of 1.97 GB    312 MB/s  2.10 M rows  00:00:03 left
 *            1   64 %   41.2 of 64.0 MB  public.pgbench_accounts #3
 *            2   12 %   7.70 of 64.0 MB  public.mixed #1
 *
 * What is longest and least known, the name, stands last: nothing that follows
 * can be pushed out of its column.
 */

#include <stdint.h>

enum { PROGRESS_TEXT_SIZE = 512 };

#define PROGRESS_NO_END UINT64_MAX

/* A lane as a whole. */
struct progress_sum {
    const char *name;
    uint64_t total, done;     /* estimated bytes; total 0: nobody knows */
    uint64_t n_bytes, n_rows; /* moved by this call */
    uint64_t bytes_per_s;
    uint64_t left_ms; /* PROGRESS_NO_END: nobody knows */
};

/* What one worker is at. */
struct progress_task {
    unsigned number;
    const char *label;          /* as it came; NULL: between two tasks */
    uint64_t n_bytes, expected; /* expected 0: nobody knows */
};

/* Fill to; no end of line. */
void progress_text_sum(char to[PROGRESS_TEXT_SIZE],
                       const struct progress_sum *s);
void progress_text_task(char to[PROGRESS_TEXT_SIZE],
                        const struct progress_task *t);

/* What is said below a sum, in its second column. */
void progress_text_caption(char to[PROGRESS_TEXT_SIZE], const char *text);

/* The sum for a log: "export: 63 %, 1.24 of 1.97 GB, 312 MB/s, ..." */
void progress_text_plain(char to[PROGRESS_TEXT_SIZE],
                         const struct progress_sum *s);
