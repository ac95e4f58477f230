/* SPDX-License-Identifier: PostgreSQL */
#include "tests/traced.h"

#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void
child(void (*body)(void *arg), void *arg)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    body(arg);
    _exit(0);
}

/* The system call that pid is about to make, or -1. */
static long
entered(pid_t pid)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) < 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return -1;
    return (long)info.entry.nr;
}

int
traced_run(void (*body)(void *arg), void *arg,
           int (*at_entry)(void *seen, long nr), void *seen)
{
    const intptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    const int syscall_stop = SIGTRAP | 0x80; /* thanks to TRACESYSGOOD */
    pid_t pid = fork();
    int status;
    long nr;

    if (pid == 0)
        child(body, arg);
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options);

    while (WIFSTOPPED(status)) {
        nr = WSTOPSIG(status) == syscall_stop ? entered(pid) : -1;
        if (nr >= 0 && at_entry(seen, nr))
            kill(pid, SIGKILL);
        else
            ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
        waitpid(pid, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : TRACED_KILLED;
}
