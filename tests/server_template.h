/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Clusters as initdb leaves them, kept beside the test programs: to copy one
 * costs a fifth of making it.  Those of one program are of different numbers,
 * so they are different systems.  Programs that run at once may use them, and
 * make them: each appears whole, by a rename.
 */

#include <sys/types.h>

/* Start to copy that one to data, which is not there yet: a process to wait
   for, or 0 when there is none to copy, or less. */
pid_t server_template_start_copy(const char *initdb, unsigned number,
                                 const char *data, const char *log);

/* Keep a copy of data, which is fresh from initdb, for the next.  That it
   cannot be kept costs time only. */
void server_template_keep(const char *initdb, unsigned number, const char *data,
                          const char *log);
