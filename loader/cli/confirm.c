/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/confirm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
is_yes(const char *answer)
{
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}

int
confirm(const char *question, struct err *err)
{
    char answer[16] = "";

    if (!isatty(STDIN_FILENO)) {
        err_set(err, ERR_REFUSED, "this needs a yes, and nobody can be asked");
        return err_hint(err, "Give --yes.");
    }
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) && is_yes(answer))
        return 0;
    return err_set(err, ERR_REFUSED, "nothing was done");
}
