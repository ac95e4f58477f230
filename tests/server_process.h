/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Processes of the server fixture: what server.c (in the tests' processes)
 * and server_cluster.c (in the program that starts them) share.
 */

#include <sys/types.h>

/* The clusters' directory, and why there is none, for the tests' processes:
   Criterion executes the program anew for each test, so only the environment
   reaches them. */
#define SERVER_ROOT_ENV "PGHAUL_TEST_SERVERS"
#define SERVER_FAILURE_ENV "PGHAUL_TEST_SERVERS_FAILURE"

/* Malloc's text, kept until the process ends. */
char *server_process_keep(char *text);

/* A formatted string that is kept until the process ends; never NULL. */
const char *server_process_text(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* Whom the servers run as: PostgreSQL refuses to be run by root. */
uid_t server_process_uid(void);

/*
 * Start argv with these descriptors as its stdout and stderr and no others
 * but an empty stdin; as the servers' user if so wished.  <0: errno.
 */
pid_t server_process_start(const char *const argv[], int out_fd, int err_fd,
                           int as_server_user);

/* As above, with all output appended to the file log, which is the servers'
   user's. */
pid_t server_process_start_logged(const char *const argv[], const char *log);

/* Exit status, or 128 + signal. */
int server_process_wait(pid_t pid);
