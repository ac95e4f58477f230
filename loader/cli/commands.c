/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/command.h"

#include <stddef.h>
#include <string.h>

const struct command *const commands[] = {
    &command_check,
    &command_plan,
    &command_export,
    &command_load,
    &command_clone,
    &command_verify,
    &command_handoff,
    &command_cutover,
    &command_status,
    &command_report,
    &command_abort,
    &command_help,
    NULL,
};

static const struct command *const internal_commands[] = {
    &command_keeper,
    NULL,
};

static const struct command *
find_in(const struct command *const *c, const char *name)
{
    while (*c && strcmp((*c)->name, name) != 0)
        c++;
    return *c;
}

int
command_find(const struct command **ret, const char *name, struct err *err)
{
    *ret = find_in(commands, name);
    if (!*ret)
        *ret = find_in(internal_commands, name);
    if (*ret)
        return 0;
    err_set(err, ERR_USAGE, "unrecognized command \"%s\"", name);
    return err_hint(err, "Try \"pghaul --help\".");
}
