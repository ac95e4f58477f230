/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the program says about itself, out of the table of options and the
 * list of commands.
 */

#include <stdio.h>

#include "io/err.h"

struct command;

/* Exit status and what it means; the last has no meaning. */
struct exit_status {
    int status;
    const char *meaning;
};
extern const struct exit_status exit_statuses[];

/* "pghaul export --source S --dir RUN [OPTION]..."; returns to. */
enum { HELP_SYNOPSIS = 256 };
const char *help_synopsis(char to[HELP_SYNOPSIS], const struct command *c);

/* The whole program's, and one command's. */
void help_program(FILE *to);
void help_command(FILE *to, const struct command *c);
/* Those whose first word it is. */
void help_group(FILE *to, const char *word);

/* The manual page (troff, man(7)) and bash's completion. */
void help_man(FILE *to);
void help_bash_completion(FILE *to);

/* The version; verbose: of the libraries too, and how files are written. */
int version_print(FILE *to, int verbose, struct err *err);
