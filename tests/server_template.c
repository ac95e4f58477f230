/* SPDX-License-Identifier: PostgreSQL */
#include "tests/server_template.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/server_process.h"

/* Of another initdb, older or of another version, there is another. */
static const char *
path_of(const char *initdb, unsigned number)
{
    static char dir[4096];
    ssize_t len = readlink("/proc/self/exe", dir, sizeof dir - 1);
    struct stat st;
    char *name;

    if (len < 0 || stat(initdb, &st))
        return NULL;
    dir[len] = '\0';
    *strrchr(dir, '/') = '\0';
    name = server_process_keep(strdup(initdb));
    for (char *c = name; *c; c++)
        *c = *c == '/' ? '_' : *c;
    return server_process_text("%s/clusters/%u%s-%lld", dir, number, name,
                               (long long)st.st_mtime);
}

/* Not as the servers' user, who may not come to where the programs are; -a
   leaves him what is his. */
static pid_t
start_copy(const char *from, const char *to, const char *log)
{
    const char *argv[] = {"cp", "-a", "--reflink=auto", from, to, NULL};
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid;

    if (fd < 0)
        return -1;
    pid = server_process_start(argv, fd, fd, 0);
    close(fd);
    return pid;
}

pid_t
server_template_start_copy(const char *initdb, unsigned number,
                           const char *data, const char *log)
{
    const char *path = path_of(initdb, number);

    if (!path || access(path, F_OK) != 0)
        return 0;
    return start_copy(path, data, log);
}

void
server_template_keep(const char *initdb, unsigned number, const char *data,
                     const char *log)
{
    const char *path = path_of(initdb, number), *partial;
    pid_t pid;

    if (!path)
        return;
    mkdir(server_process_text("%.*s", (int)(strrchr(path, '/') - path), path),
          0755);
    partial = server_process_text("%s.%d", path, (int)getpid());
    pid = start_copy(data, partial, log);
    if (pid < 0)
        return;
    /* Another program may have been first. */
    if (server_process_wait(pid) != 0 || rename(partial, path) != 0)
        server_process_wait(server_process_start(
            (const char *const[]){"rm", "-rf", partial, NULL}, 2, 2, 0));
}
