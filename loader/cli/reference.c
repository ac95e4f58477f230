/* SPDX-License-Identifier: PostgreSQL */

/*
 * What is installed beside the program: its manual page, and the completion
 * for bash.
 */

#include <string.h>

#include "loader/cli/command.h"
#include "loader/cli/help.h"

/* ---- troff ---- */

/* In troff "-" is a hyphen and "\" begins an escape; a line that begins with
   "." or "'" is a request.  "\n\n" becomes a new paragraph. */
static void
print_troff(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", to);
    for (; *text; text++)
        if (*text == '\n')
            fputs(text[1] == '\n' ? "\n.PP" : "\n", to);
        else if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
}

static void
print_troff_option(FILE *to, const struct option_row *row)
{
    fputs(".TP\n.B ", to);
    if (row->letter)
        fprintf(to, "\\-%c, ", row->letter);
    print_troff(to, "--");
    print_troff(to, row->name);
    if (row->argument)
        fprintf(to, " \\fI%s\\fR", row->argument);
    fputc('\n', to);
    print_troff(to, row->help);
    if (row->standard)
        fprintf(to, " (default: %s)", row->standard);
    fputs(".\n", to);
}

static void
print_troff_command(FILE *to, const struct command *c)
{
    char synopsis[HELP_SYNOPSIS];

    fprintf(to, ".SS %s\n.B ", c->name);
    print_troff(to, help_synopsis(synopsis, c));
    fputs("\n.PP\n", to);
    print_troff(to, c->description ? c->description : c->summary);
    fputs(c->description ? "\n" : ".\n", to);
}

void
help_man(FILE *to)
{
    fputs(".TH PGHAUL 1 \"\" \"pghaul " PGHAUL_VERSION "\"\n"
          ".SH NAME\npghaul \\- move a PostgreSQL database in bulk\n"
          ".SH SYNOPSIS\n.B pghaul\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
          ".SH COMMANDS\n",
          to);
    for (const struct command *const *c = commands; *c; c++)
        print_troff_command(to, *c);

    fputs(".SH OPTIONS\n"
          "Each command takes some of these;\n"
          ".BI \"pghaul \" COMMAND \" \\-\\-help\"\nsays which.\n",
          to);
    for (unsigned i = 0; i < N_OPTIONS; i++)
        print_troff_option(to, &option_rows[i]);

    fputs(".SH EXIT STATUS\n", to);
    for (const struct exit_status *s = exit_statuses; s->meaning; s++)
        fprintf(to, ".TP\n.B %d\n%s.\n", s->status, s->meaning);
    fputs(".SH SEE ALSO\n.BR psql (1),\n.BR pg_dump (1),\n.BR lz4 (1)\n", to);
}

/* ---- bash ---- */

/* "auto|binary|text" is words to choose from, "RUN" a name for something. */
static int
is_choice(const struct option_row *row)
{
    return row->argument && strchr(row->argument, '|');
}

static void
print_bash_values(FILE *to, const struct option_row *row)
{
    if (!row->argument)
        return;
    fprintf(to, "    *,--%s) ", row->name);
    if (is_choice(row)) {
        fputs("words='", to);
        for (const char *p = row->argument; *p; p++)
            fputc(*p == '|' ? ' ' : *p, to);
        fputs("' ;;\n", to);
    } else {
        fprintf(to, "compopt -o %s; return ;;\n",
                strcmp(row->argument, "RUN") == 0 ? "dirnames" : "default");
    }
}

/* Those of two words share the first, and stand together. */
static int
begins_group(const struct command *const *c)
{
    size_t n = strcspn((*c)->name, " ");

    return c == commands || strncmp(c[-1]->name, (*c)->name, n) != 0 ||
           c[-1]->name[n] != ' ';
}

static int
is_grouped(const struct command *c)
{
    return strchr(c->name, ' ') != NULL;
}

static void
print_command_names(FILE *to)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!is_grouped(*c) || begins_group(c))
            fprintf(to, " %.*s", (int)strcspn((*c)->name, " "), (*c)->name);
}

static void
print_bash_options(FILE *to, const struct command *c)
{
    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (options_of(c) & OPTION_BIT(i))
            fprintf(to, " --%s", option_rows[i].name);
    if (c == &command_help)
        print_command_names(to);
}

/* From the first of a group on. */
static void
print_bash_group(FILE *to, const struct command *const *c)
{
    const struct command *const *first = c;
    int n = (int)strcspn((*c)->name, " ");

    fprintf(to, "        %.*s) words='", n, (*c)->name);
    do
        fprintf(to, " %s", (*c)->name + n + 1);
    while (*++c && !begins_group(c));
    fputs("'\n            [ $COMP_CWORD -gt 2 ] && case ${COMP_WORDS[2]} in\n",
          to);
    for (c = first; *c && (c == first || !begins_group(c)); c++) {
        fprintf(to, "            %s) words='", (*c)->name + n + 1);
        print_bash_options(to, *c);
        fputs("' ;;\n", to);
    }
    fputs("            esac ;;\n", to);
}

static void
print_bash_command(FILE *to, const struct command *const *c)
{
    if (is_grouped(*c)) {
        if (begins_group(c))
            print_bash_group(to, c);
        return;
    }
    fprintf(to, "        %s) words='", (*c)->name);
    print_bash_options(to, *c);
    fputs("' ;;\n", to);
}

void
help_bash_completion(FILE *to)
{
    fputs("# bash completion of pghaul\n"
          "_pghaul()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
          "    case $COMP_CWORD,${COMP_WORDS[COMP_CWORD-1]} in\n"
          "    1,*) words='--help --version",
          to);
    print_command_names(to);
    fputs("' ;;\n", to);
    for (unsigned i = 0; i < N_OPTIONS; i++)
        print_bash_values(to, &option_rows[i]);
    fputs("    *)\n        case ${COMP_WORDS[1]} in\n", to);
    for (const struct command *const *c = commands; *c; c++)
        print_bash_command(to, c);
    fputs("        esac ;;\n    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
          "complete -F _pghaul pghaul\n",
          to);
}
