/* SPDX-License-Identifier: PostgreSQL */
#include "tests/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int scratch_fd = -1;
char scratch_path[] = "/tmp/scratch.XXXXXX";

void
scratch_begin(void)
{
    umask(022);
    strcpy(scratch_path, "/tmp/scratch.XXXXXX");
    cr_assert_not_null(mkdtemp(scratch_path));
    scratch_fd = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(scratch_fd, 0);
}

void
scratch_end(void)
{
    char command[64];

    close(scratch_fd);
    snprintf(command, sizeof command, "rm -rf %s", scratch_path);
    cr_assert_eq(system(command), 0);
}

void
scratch_put(const char *name, const void *data, size_t len)
{
    int fd = openat(scratch_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

ino_t
scratch_inode(const char *name)
{
    struct stat st;

    cr_assert_eq(fstatat(scratch_fd, name, &st, 0), 0);
    return st.st_ino;
}

pid_t
scratch_swap(const char *a, const char *b)
{
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    while (pid == 0)
        renameat2(scratch_fd, a, scratch_fd, b, RENAME_EXCHANGE);
    return pid;
}

void
scratch_swap_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
