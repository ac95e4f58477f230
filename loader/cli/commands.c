/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/command.h"

#include <stddef.h>
#include <string.h>

const struct command *const commands[] = {
    &command_export, &command_load, &command_clone, &command_verify,
    &command_status, &command_help, NULL,
};

int
command_find(const struct command **ret, const char *name, struct err *err)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) {
            *ret = *c;
            return 0;
        }
    err_set(err, ERR_USAGE, "unrecognized command \"%s\"", name);
    return err_hint(err, "Try \"pghaul --help\".");
}
