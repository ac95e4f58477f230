/* SPDX-License-Identifier: PostgreSQL */
#include "tests/server_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* All strings that were handed out, so that leak checkers know them. */
static struct kept {
    struct kept *next;
    char *text;
} * kept;

char *
server_process_keep(char *text)
{
    struct kept *k = malloc(sizeof *k);

    if (!k || !text)
        abort();
    *k = (struct kept){.next = kept, .text = text};
    kept = k;
    return text;
}

const char *
server_process_text(const char *fmt, ...)
{
    char *text;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    return server_process_keep(text);
}

static const struct passwd *
server_user(void)
{
    const struct passwd *user = getpwnam("postgres");

    return user ? user : getpwnam("nobody");
}

uid_t
server_process_uid(void)
{
    const struct passwd *user = geteuid() == 0 ? server_user() : NULL;

    return user ? user->pw_uid : geteuid();
}

static int
become_server_user(void)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return 0;
    user = server_user();
    if (!user)
        return -1;
    return setgroups(0, NULL) || setgid(user->pw_gid) || setuid(user->pw_uid);
}

pid_t
server_process_start(const char *const argv[], int out_fd, int err_fd,
                     int as_server_user)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;

    /* The caller's may not be readable by the servers' user. */
    if (as_server_user && (chdir("/") || become_server_user()))
        _exit(126);
    if (dup2(open("/dev/null", O_RDONLY), 0) < 0 || dup2(out_fd, 1) < 0 ||
        dup2(err_fd, 2) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

pid_t
server_process_start_logged(const char *const argv[], const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid;

    if (fd < 0 || fchown(fd, server_process_uid(), (gid_t)-1))
        return -1;
    pid = server_process_start(argv, fd, fd, 1);
    close(fd);
    return pid;
}

int
server_process_wait(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
