/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Run a piece of work in a child and watch its system calls, to see their
 * order or to kill it at any of them.
 */

enum { TRACED_KILLED = -1 };

/*
 * Call body(arg) in a child, and at_entry(seen, nr) in the parent before each
 * of its system calls; unless that answers 0, the child is killed and the
 * call is not made.  Answers the child's exit status (0 when body returns),
 * or TRACED_KILLED.
 */
int traced_run(void (*body)(void *arg), void *arg,
               int (*at_entry)(void *seen, long nr), void *seen);
