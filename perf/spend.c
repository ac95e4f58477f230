/* SPDX-License-Identifier: PostgreSQL */

/*
 * spend REPORT COMMAND [ARG...]: run a command and write what it cost, it and
 * all that it started, as one line of JSON.  A small program of its own,
 * because a process's peak of memory begins with that of the one that forked
 * it, and because processes that outlive their parent are counted only by
 * one that adopts them.
 */

#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/err.h"

static double
seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int
fail(const char *what)
{
    perror(what);
    return ERR_SYSTEM;
}

/* Wall time is the command's own; what it leaves behind is waited for, but
   nobody else waits for it. */
static int
wait_for(pid_t command, uint64_t *ret_ended)
{
    int status, of_command = -1;
    pid_t pid;

    while ((pid = wait(&status)) > 0) {
        if (pid != command)
            continue;
        *ret_ended = clock_ns();
        of_command = status;
    }
    return WIFEXITED(of_command) ? WEXITSTATUS(of_command)
                                 : 128 + WTERMSIG(of_command);
}

static int
report(const char *path, double wall)
{
    FILE *f = fopen(path, "w");
    struct rusage used;

    if (!f || getrusage(RUSAGE_CHILDREN, &used) < 0)
        return fail(path);
    fprintf(f,
            "{\"wall_s\": %.3f, \"user_s\": %.3f, \"system_s\": %.3f,"
            " \"peak_kb\": %ld, \"sleeps\": %ld}\n",
            wall, seconds(used.ru_utime), seconds(used.ru_stime),
            used.ru_maxrss, used.ru_nvcsw);
    return fclose(f) ? fail(path) : 0;
}

int
main(int argc, char **argv)
{
    uint64_t began, ended = 0;
    pid_t pid;
    int status;

    if (argc < 3) {
        fputs("usage: spend REPORT COMMAND [ARG...]\n", stderr);
        return ERR_USAGE;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return fail("prctl");
    began = clock_ns();
    pid = fork();
    if (pid < 0)
        return fail("fork");
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(fail(argv[2]));
    }
    status = wait_for(pid, &ended);
    if (report(argv[1], (double)(ended - began) / 1e9))
        return ERR_SYSTEM;
    return status;
}
