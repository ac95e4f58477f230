/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/export_task.h"

#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "io/dir.h"
#include "io/fd.h"
#include "loader/bag/staged.h"
#include "loader/source/export_lane.h"
#include "loader/source/keeper/keeper.h"

enum { LOOK_MS = 500 };

void
export_task_free(void *task)
{
    struct export_task *t = task;

    catalog_chunk_free(t->chunk);
    free(t);
}

static int
fill_task(struct export_lane *lane, struct export_task *t, struct err *err)
{
    int loaded = 0, r;

    r = catalog_take_to_export(lane->catalog, &t->chunk, err);
    if (r || !lane->may_go_over || t->chunk->table->kind != CATALOG_TABLE ||
        t->chunk->table->format != COPY_TEXT)
        return r;
    r = catalog_table_is_loaded(lane->catalog, t->chunk->table->id, &loaded,
                                err);
    t->may_go_over = !loaded;
    return r;
}

/* The load frees us: a dry lane is asked again when anything was recorded. */
static int
is_room(struct export_lane *lane, int *ret, struct err *err)
{
    uint64_t waiting = 0;
    int r = 0;

    if (lane->max_staged)
        r = catalog_bytes_waiting(lane->catalog, &waiting, err);
    *ret = waiting < lane->max_staged || !lane->max_staged;
    return r;
}

int
export_task_fetch(void *arg, void **task, struct err *err)
{
    struct export_task *t;
    int room, r;

    r = is_room(arg, &room, err);
    if (r || !room)
        return r ? r : LANE_E_DRY;
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    r = fill_task(arg, t, err);
    if (!r) {
        *task = t;
        return 0;
    }
    export_task_free(t);
    return r == CATALOG_E_NONE ? LANE_E_DRY : r;
}

static int
remove_text(void *arg, const char *name)
{
    int fd = *(const int *)arg;
    struct err ignored; /* what stays is swept when the export goes on */
    const char *end = strstr(name, EXPORT_TASK_TEXT);

    if (end && (strcmp(end, EXPORT_TASK_TEXT) == 0 ||
                strcmp(end, EXPORT_TASK_TEXT STAGED_ENCRYPTED) == 0))
        dir_remove(fd, name, &ignored);
    return 0;
}

/* What was staged as text is no longer listed, so it does not exist. */
static int
remove_text_of(struct export_lane *lane, const struct catalog_table *t,
               struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    char dir[RUN_DIR_NAME];
    int r;

    run_dir_table_name(dir, t->id, t->name);
    r = run_dir_open_table(lane->dir, dir, &fd, err);
    return r ? r : dir_each(fd, remove_text, &fd, err);
}

static int
go_over(struct export_lane *lane, const struct catalog_chunk *k,
        struct err *err)
{
    int r;

    r = catalog_restage_table(lane->catalog, k->table->id, COPY_BINARY, err);
    if (r == CATALOG_E_LOADED) /* meanwhile: it may not the next time */
        return catalog_put_back_chunk(lane->catalog, k->id, err);
    if (r)
        return r;
    progress_note(lane->progress,
                  "%s.%s has a row that is too large for text: all of the "
                  "table is staged in binary",
                  k->table->schema, k->table->name);
    return remove_text_of(lane, k->table, err);
}

int
export_task_record(void *arg, void *task, struct err *err)
{
    struct export_lane *lane = arg;
    struct export_task *t = task;
    int stale, r;

    r = catalog_is_stale(lane->catalog, t->chunk, &stale, err);
    if (r)
        return r;
    if (stale)
        return remove_text_of(lane, t->chunk->table, err);
    if (t->goes_over)
        return go_over(lane, t->chunk, err);
    return catalog_chunk_staged(lane->catalog, t->chunk, err);
}

int
export_task_give_up(void *arg, void *task, const struct err *why,
                    struct err *err)
{
    struct export_lane *lane = arg;
    const struct export_task *t = task;

    return catalog_table_failed(lane->catalog, t->chunk->table->id, why, err);
}

/* What the keeper has lost (the slot) makes the rest useless, though those who
   are in the snapshot could go on. */
int
export_task_beat(void *arg, struct err *err)
{
    struct export_lane *lane = arg;

    if (clock_ms() < lane->look_ms)
        return 0;
    lane->look_ms = clock_ms() + LOOK_MS;
    return keeper_check(lane->dir, err);
}
