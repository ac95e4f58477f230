/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Command: one verb of the program.  Each has a file of its own which ends in
 * its "const struct command command_<name>"; the list is in commands.c.
 *
 * run writes its result to standard output, progress and warnings to standard
 * error, and leaves errors to main().  With --json it writes one object, when
 * it succeeds or finds a difference; for any other failure main() does.
 */

#include "io/err.h"
#include "io/stop.h"
#include "loader/cli/options.h"

struct command;

struct command_context {
    const struct command *command;
    const struct options *options;
    struct stop *stop; /* requested by SIGINT, SIGTERM, SIGHUP */
    /* To be set when, with --json, the result has been written though what
       follows is a failure. */
    int *told;
};

struct command {
    const char *name;        /* one word, or two: "archive create" */
    const char *summary;     /* a phrase: "copy ... into ..." */
    const char *description; /* for --help and the manual; paragraphs are
                                parted by "\n\n" */
    const char *operands;    /* "[COMMAND]"; NULL: none */
    unsigned min_operands, max_operands;
    option_set requires; /* OPTION_SET(...) | ...: without these, an error */
    option_set takes;    /* further ones */
    int (*run)(const struct command_context *ctx, struct err *err);
    /* A failure of this class is a result too, as ERR_DIFFERS always is: with
       --json it has been written.  0: there is none. */
    enum err_class verdict;
};

/* In the order of a run; ends in NULL.  What the program starts itself is not
   in it, but is found. */
extern const struct command *const commands[];

/*
 * The command that the words begin with ("export", or "archive" "create"), and
 * how many of them are its name.  <0: ERR_USAGE, there is none of that name.
 */
int command_find(const struct command **ret, char *const *words,
                 unsigned n_words, unsigned *ret_used, struct err *err);

/* Is it the first word of commands that have two? */
int command_is_group(const char *word);
/* The second word of the command's name, if the first is this; else NULL. */
const char *command_in_group(const struct command *c, const char *word);

extern const struct command command_check;
extern const struct command command_plan;
extern const struct command command_export;
extern const struct command command_load;
extern const struct command command_clone;
extern const struct command command_verify;
extern const struct command command_handoff;
extern const struct command command_cutover;
extern const struct command command_status;
extern const struct command command_report;
extern const struct command command_archive_create;
extern const struct command command_archive_list;
extern const struct command command_archive_verify;
extern const struct command command_archive_extract;
extern const struct command command_archive_restore;
extern const struct command command_archive_drill;
extern const struct command command_archive_expire;
extern const struct command command_audit_verify;
extern const struct command command_abort;
extern const struct command command_keeper;
extern const struct command command_help;
