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
    &command_archive_create,
    &command_archive_list,
    &command_archive_verify,
    &command_archive_extract,
    &command_archive_restore,
    &command_archive_drill,
    &command_archive_expire,
    &command_audit_verify,
    &command_abort,
    &command_help,
    NULL,
};

static const struct command *const internal_commands[] = {
    &command_keeper,
    NULL,
};

const char *
command_in_group(const struct command *c, const char *word)
{
    size_t n = strlen(word);

    return strncmp(c->name, word, n) == 0 && c->name[n] == ' ' ? c->name + n + 1
                                                               : NULL;
}

int
command_is_group(const char *word)
{
    for (const struct command *const *c = commands; *c; c++)
        if (command_in_group(*c, word))
            return 1;
    return 0;
}

/* How many of the words are its name; 0: it is another. */
static unsigned
count_words(const struct command *c, char *const *words, unsigned n_words)
{
    const char *second = command_in_group(c, words[0]);

    if (strcmp(c->name, words[0]) == 0)
        return 1;
    return second && n_words > 1 && strcmp(second, words[1]) == 0 ? 2 : 0;
}

static const struct command *
find_in(const struct command *const *c, char *const *words, unsigned n_words,
        unsigned *ret_used)
{
    while (*c && !(*ret_used = count_words(*c, words, n_words)))
        c++;
    return *c;
}

static int
unrecognized(char *const *words, unsigned n_words, struct err *err)
{
    if (!command_is_group(words[0]))
        err_set(err, ERR_USAGE, "unrecognized command \"%s\"", words[0]);
    else if (n_words < 2)
        err_set(err, ERR_USAGE, "\"pghaul %s\" needs a second word", words[0]);
    else
        err_set(err, ERR_USAGE, "unrecognized command \"%s %s\"", words[0],
                words[1]);
    return err_hint(err, "Try \"pghaul%s%s --help\".",
                    command_is_group(words[0]) ? " " : "",
                    command_is_group(words[0]) ? words[0] : "");
}

int
command_find(const struct command **ret, char *const *words, unsigned n_words,
             unsigned *ret_used, struct err *err)
{
    *ret = find_in(commands, words, n_words, ret_used);
    if (!*ret)
        *ret = find_in(internal_commands, words, n_words, ret_used);
    return *ret ? 0 : unrecognized(words, n_words, err);
}
