/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static const char head[] =
    "-- Written by pghaul verify: what would make the rows of the %s those of"
    " the %s,\n-- as both were when they were compared.  It was not run.  Read"
    " it first; triggers\n-- fire, and rows that other tables refer to may"
    " refuse to go.\n"
    "\\set ON_ERROR_STOP on\n"
    "SET standard_conforming_strings = on;\n"
    "SET datestyle = 'ISO, YMD';\n"
    "SET intervalstyle = 'postgres';\n"
    "SET timezone = 'UTC';\n"
    "SET xmloption = 'content';\n"
    "SET search_path = '';\n"
    "BEGIN;\n"
    "SET CONSTRAINTS ALL DEFERRED;\n";

int
repair_open(FILE **ret, const char *path, const char *left, const char *right,
            struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f) {
        err_sys(err, errno, "could not make \"%s\"", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    fprintf(f, head, right, left);
    *ret = f;
    return 0;
}

int
repair_close(FILE *f, const char *path, uint64_t n_partly, struct err *err)
{
    int failed;

    fputs("COMMIT;\n", f);
    if (n_partly > 0)
        fprintf(f,
                "-- Not all: %" PRIu64 " table%s more differences than were"
                " written down.\n-- Compare again afterwards.\n",
                n_partly, n_partly == 1 ? " has" : "s have");
    failed = fflush(f) || ferror(f) || fsync(fileno(f));
    failed = fclose(f) || failed;
    return failed ? err_sys(err, errno, "could not write \"%s\"", path) : 0;
}
