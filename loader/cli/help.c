/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/help.h"

#include <assert.h>
#include <string.h>

#include "loader/cli/command.h"

enum { WIDTH = 79, COMMAND_COLUMN = 19, OPTION_COLUMN = 34 };

const struct exit_status exit_statuses[] = {
    {0, "done"},
    {ERR_DIFFERS, "a comparison found a difference"},
    {ERR_USAGE, "the command line is wrong"},
    {ERR_SERVER, "PostgreSQL said no, or went away; try again"},
    {ERR_CORRUPT, "bytes are not what was written"},
    {ERR_SYSTEM, "a system call failed"},
    {ERR_REFUSED, "a check or a limit said no"},
    {ERR_CANCELLED, "interrupted; the same command goes on"},
    {0, NULL},
};

/* Print text from column on, folded at WIDTH; column is where we are. */
static void
print_folded(FILE *to, int column, const char *text)
{
    int at = column;

    while (*text) {
        int len = (int)strcspn(text, " \n");

        if (at > column && at + 1 + len > WIDTH) {
            fprintf(to, "\n%*s", column, "");
            at = column;
        }
        at += fprintf(to, "%s%.*s", at > column ? " " : "", len, text);
        text += len;
        if (*text == '\n') {
            fprintf(to, "\n%*s", column, "");
            at = column;
        }
        text += *text != '\0';
    }
    fputc('\n', to);
}

static void
print_option(FILE *to, const struct option_row *row)
{
    char help[256], names[WIDTH];
    char letter[] = {'-', row->letter, ',', '\0'};

    snprintf(names, sizeof names, "  %-3s --%s %s", row->letter ? letter : "",
             row->name, row->argument ? row->argument : "");
    snprintf(help, sizeof help, row->standard ? "%s (default: %s)" : "%s",
             row->help, row->standard);
    /* What is too long for its column has a line of its own. */
    if (strlen(names) >= OPTION_COLUMN)
        fprintf(to, "%s\n%*s", names, OPTION_COLUMN, "");
    else
        fprintf(to, "%-*s", OPTION_COLUMN, names);
    print_folded(to, OPTION_COLUMN, help);
}

static void
print_options(FILE *to, option_set set)
{
    fputs("\nOptions:\n", to);
    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (set & OPTION_BIT(i))
            print_option(to, &option_rows[i]);
}

const char *
help_synopsis(char to[HELP_SYNOPSIS], const struct command *c)
{
    int at = snprintf(to, HELP_SYNOPSIS, "pghaul %s", c->name);

    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (c->requires & OPTION_BIT(i))
            at += snprintf(to + at, (size_t)(HELP_SYNOPSIS - at), " --%s %s",
                           option_rows[i].name, option_rows[i].argument);
    at += snprintf(to + at, (size_t)(HELP_SYNOPSIS - at), " [OPTION]...%s%s",
                   c->operands ? " " : "", c->operands ? c->operands : "");
    assert(at < HELP_SYNOPSIS);
    return to;
}

void
help_program(FILE *to)
{
    option_set set = OPTION_SET(help) | OPTION_SET(version);
    char synopsis[HELP_SYNOPSIS];

    fputs("pghaul moves a PostgreSQL database in bulk.\n\nUsage:\n", to);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(to, "  %s\n", help_synopsis(synopsis, *c));
        set |= options_of(*c);
    }
    fputs("\nCommands:\n", to);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(to, "  %-*s", COMMAND_COLUMN - 2, (*c)->name);
        print_folded(to, COMMAND_COLUMN, (*c)->summary);
    }
    print_options(to, set);
    fputs("\nExit status:\n", to);
    for (const struct exit_status *s = exit_statuses; s->meaning; s++)
        fprintf(to, "  %-*d%s\n", COMMAND_COLUMN - 2, s->status, s->meaning);
}

void
help_command(FILE *to, const struct command *c)
{
    char synopsis[HELP_SYNOPSIS];

    fprintf(to, "pghaul %s: %s.\n\nUsage:\n  %s\n", c->name, c->summary,
            help_synopsis(synopsis, c));
    if (c->description) {
        fputc('\n', to);
        print_folded(to, 0, c->description);
    }
    print_options(to, options_of(c));
}

void
help_group(FILE *to, const char *word)
{
    char synopsis[HELP_SYNOPSIS];

    fputs("Usage:\n", to);
    for (const struct command *const *c = commands; *c; c++)
        if (command_in_group(*c, word))
            fprintf(to, "  %s\n", help_synopsis(synopsis, *c));
    fputs("\nCommands:\n", to);
    for (const struct command *const *c = commands; *c; c++)
        if (command_in_group(*c, word)) {
            fprintf(to, "  %-*s", COMMAND_COLUMN - 2, (*c)->name);
            print_folded(to, COMMAND_COLUMN, (*c)->summary);
        }
    fprintf(to, "\n\"pghaul %s COMMAND --help\" says more.\n", word);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    char *const *words = ctx->options->operands;
    const char *name = words[0];
    const struct command *c;
    unsigned used;

    if (ctx->options->man) {
        help_man(stdout);
    } else if (ctx->options->bash_completion) {
        help_bash_completion(stdout);
    } else if (!name) {
        help_program(stdout);
    } else if (!words[1] && command_is_group(name)) {
        help_group(stdout, name);
    } else {
        if (command_find(&c, words, words[1] ? 2 : 1, &used, err) < 0)
            return -1;
        help_command(stdout, c);
    }
    return 0;
}

const struct command command_help = {
    .name = "help",
    .summary = "explain a command, or all",
    .operands = "[COMMAND]",
    .max_operands = 2,
    .takes = OPTION_SET(man) | OPTION_SET(bash_completion),
    .run = run,
};
