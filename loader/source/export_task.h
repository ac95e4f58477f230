/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Export task: a chunk on its way through a worker, and the main thread's side
 * of the export lane: where chunks come from and what becomes of them.
 *
 *     PLANNED --fetch--> in hand --record--> STAGED
 *                           |  \--goes over--> all of its table PLANNED, binary
 *                           |  \--stale------> dropped: its table has gone over
 *                           \--give up---> its table FAILED
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"

/* How the chunks' files end. */
#define EXPORT_TASK_TEXT ".text.lz4"
#define EXPORT_TASK_BINARY ".copy.lz4"

struct export_task {
    struct catalog_chunk *chunk;
    int may_go_over; /* its table, to binary */
    int goes_over;   /* it must; nothing is staged */
};

/* As lane.h says; lane is a struct export_lane. */
int export_task_fetch(void *lane, void **task, struct err *err);
int export_task_record(void *lane, void *task, struct err *err);
int export_task_give_up(void *lane, void *task, const struct err *why,
                        struct err *err);
void export_task_free(void *task);
int export_task_beat(void *lane, struct err *err);
