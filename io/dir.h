/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A private directory: ours, writable by nobody else, not itself a link.  What
 * is opened relative to its descriptor cannot be swapped by another user.
 *
 * Links above it are followed: /home may be one, and who may change those can
 * do worse.
 */

#include "io/err.h"

/* Outcomes. */
enum { DIR_E_MISSING = 1 }; /* it does not exist, and create was not asked */

/*
 * Open the directory at path, or make it (0700; its parent must exist) and
 * make its name durable.  Refused (ERR_REFUSED or ERR_USAGE, with a hint):
 * not a directory, a symbolic link, another owner, writable by others.  One
 * that others may read is opened as it is.
 */
int dir_open_private(int *ret_fd, int at_fd, const char *path, int create,
                     struct err *err);

/* Remove NAME in dir_fd; no failure when it is not there. */
int dir_remove(int dir_fd, const char *name, struct err *err);

/*
 * Call visit for each name in dir_fd but "." and "..", in no order; stops
 * with the first answer that is not 0 and returns it.  visit may remove the
 * name, and list the same directory itself.
 */
int dir_each(int dir_fd, int (*visit)(void *arg, const char *name), void *arg,
             struct err *err);
