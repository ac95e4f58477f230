/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* A directory for one test: made before it, removed with all in it after. */

#include <stddef.h>
#include <sys/types.h>

extern int scratch_fd;
extern char scratch_path[];

/* For TestSuite(.init, .fini). */
void scratch_begin(void);
void scratch_end(void);

/* Make, or overwrite, the file of that name. */
void scratch_put(const char *name, const void *data, size_t len);

ino_t scratch_inode(const char *name);

/* Let another process exchange the two names without end. */
pid_t scratch_swap(const char *a, const char *b);
void scratch_swap_end(pid_t pid);
