/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Run directory: everything a run has on disk, used by one process at a time.
 *
 *     RUN/            0700
 *       lock          locked (OFD) by the process at work; holds its pid
 *       run.db        the run catalogue
 *       *.txt         the seal (seal.h), when all is staged
 *       data/         what is sealed as a bag
 *         tables/<n>-<safe name>/<chunk>.{copy,text}.lz4
 *         large-objects/<chunk>.copy.lz4, <chunk>-metadata.copy.lz4
 *
 * The lock ends with the process, however it ends.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

struct run_dir;

enum run_dir_mode {
    RUN_DIR_CREATE, /* export, clone: made when missing; else must be ours */
    RUN_DIR_OPEN,   /* load, verify: must be ours */
    RUN_DIR_LOOK,   /* status: must be ours; takes no lock */
};

/*
 * Refused with a message of its own: not a directory; not empty and not a run
 * directory; another owner; writable by others; locked (with the pid).
 *
 * A child that goes on after fork() without exec() shares the lock.
 */
int run_dir_open(struct run_dir **ret, const char *path, enum run_dir_mode mode,
                 struct err *err);
struct run_dir *run_dir_free(struct run_dir *d);
DEFINE_CLEANUP(struct run_dir *, run_dir_free)

const char *run_dir_path(const struct run_dir *d);
int run_dir_fd(const struct run_dir *d);
enum run_dir_mode run_dir_mode(const struct run_dir *d);

/* The pid of the process at work now, 0 when there is none, -1 when there is
   one that has not said who it is (for status). */
int run_dir_holder(const struct run_dir *d);

/*
 * "<n>-<safe name>": the table's directory name, for people; letters, digits
 * and "_" of the name stay, all else becomes "_"; at most 40 bytes of it.
 */
enum { RUN_DIR_NAME = 64 };
void run_dir_table_name(char ret[RUN_DIR_NAME], uint64_t n, const char *name);

/* Open data/tables/<name>, made when missing; the caller closes *ret_fd.
   name is run_dir_table_name()'s. */
int run_dir_open_table(struct run_dir *d, const char *name, int *ret_fd,
                       struct err *err);

/* The same for data/large-objects. */
int run_dir_open_large_objects(struct run_dir *d, int *ret_fd, struct err *err);

/*
 * Delete the files under data/tables and data/large-objects that keep does not answer for, among
 * them every ".part", and the directories that are empty then; *ret_n counts
 * the files.  keep gets "tables/<dir>/<file>" or "large-objects/<file>", and answers 1 to keep it, 0 to
 * delete it, <0 to stop.
 */
int run_dir_sweep(struct run_dir *d,
                  int (*keep)(void *arg, const char *name, struct err *err),
                  void *arg, unsigned *ret_n, struct err *err);
