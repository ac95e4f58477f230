/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "loader/cli/command.h"
#include "loader/cli/config.h"
#include "loader/cli/option_kinds.h"

/* ---- the table ---- */

const struct option_row option_rows[N_OPTIONS] = {
#define OPTION(field, letter, name, argument, standard, kind, not_with,        \
               only_with, help)                                                \
    {name,                                                                     \
     argument,                                                                 \
     standard,                                                                 \
     help,                                                                     \
     letter,                                                                   \
     not_with,                                                                 \
     only_with,                                                                \
     offsetof(struct options, field),                                          \
     option_parse_##kind},
#include "loader/cli/options.def"
};

static_assert((int)N_OPTIONS <= OPTION_SET_MAX, "an option_set holds them all");

option_set
options_of(const struct command *c)
{
    /* Who needs nothing (help, --version) has nothing to take from a file. */
    return c->requires | c->takes | OPTION_SET(help) |
           (c->requires ? OPTION_SET(config) : 0);
}

static const struct option_row *
find_row(const char *name, size_t len)
{
    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (strncmp(option_rows[i].name, name, len) == 0 &&
            option_rows[i].name[len] == '\0')
            return &option_rows[i];
    return NULL;
}

/* ---- the command line ---- */

/* What getopt answers for a long option: this and its number. */
enum { LONG = 256 };

static const struct option_row *
find_answer(int answer)
{
    if (answer >= LONG)
        return &option_rows[answer - LONG];
    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (option_rows[i].letter == answer)
            return &option_rows[i];
    return NULL;
}

/* getopt takes abbreviations and cannot be told not to, so whatever looks
   like a name is looked up before. */
static int
check_names(char **argv, struct err *err)
{
    for (; *argv; argv++) {
        const char *name = *argv + 2;
        size_t len;

        if (strncmp(*argv, "--", 2) != 0 || !*name)
            continue;
        len = strcspn(name, "=");
        if (!find_row(name, len))
            return err_set(err, ERR_USAGE, "unrecognized option \"--%.*s\"",
                           (int)len, name);
    }
    return 0;
}

/*
 * Arguments can be read by everybody on the machine, for as long as the
 * program runs and before it could overwrite them; so a secret in one is
 * refused.
 */
static int
refuse_secret(const struct option_row *row, const char *secret, struct err *err)
{
    err_set(err, ERR_USAGE, "option \"--%s\" contains a secret (%s)", row->name,
            secret);
    err_detail(err, "Other users of this machine can read the arguments of a "
                    "program.");
    return err_hint(err, "Keep it in ~/.pgpass (or the file that PGPASSFILE "
                         "names), in a service file, in PGPASSWORD, or in a "
                         "file for --config that only you can read.");
}

static int
set_option(struct options *o, const struct command *c,
           const struct option_row *row, const char *text, struct err *err)
{
    option_set bit = OPTION_BIT(row - option_rows);

    if (!(options_of(c) & bit))
        return err_set(err, ERR_USAGE,
                       "\"pghaul%s%s\" does not take option \"--%s\"",
                       *c->name ? " " : "", c->name, row->name);
    if (o->given & bit && !option_is_list(row))
        return err_set(err, ERR_USAGE, "option \"--%s\" is given twice",
                       row->name);
    o->given |= bit;
    if (option_secret(row, text))
        return refuse_secret(row, option_secret(row, text), err);
    o->texts[row - option_rows] = text;
    return row->parse(row, text, (char *)o + row->offset, err);
}

static int
fail_getopt(int answer, struct err *err)
{
    const struct option_row *row = find_answer(optopt);

    if (!row)
        return err_set(err, ERR_USAGE, "unrecognized option \"-%c\"", optopt);
    return err_set(err, ERR_USAGE,
                   answer == ':' ? "option \"--%s\" requires an argument"
                                 : "option \"--%s\" takes no argument",
                   row->name);
}

static int
parse_words(struct options *o, const struct command *c, int argc, char **argv,
            struct err *err)
{
    struct option names[N_OPTIONS + 1] = {0};
    char letters[1 + 2 * N_OPTIONS + 1] = ":", *l = letters + 1;
    int answer, r;

    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_row *row = &option_rows[i];

        names[i] = (struct option){
            row->name, row->argument ? required_argument : no_argument, NULL,
            LONG + i};
        if (row->letter)
            *l++ = row->letter;
        if (row->letter && row->argument)
            *l++ = ':';
    }

    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((answer = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return fail_getopt(answer, err);
        r = set_option(o, c, find_answer(answer), optarg, err);
        if (r < 0)
            return r;
    }
    o->operands = argv + optind;
    if (!o->help && (unsigned)(argc - optind) < c->min_operands)
        return err_set(err, ERR_USAGE,
                       "too few command-line arguments: expected %s",
                       c->operands);
    if ((unsigned)(argc - optind) > c->max_operands)
        return err_set(err, ERR_USAGE,
                       "too many command-line arguments (first is \"%s\")",
                       argv[optind + (int)c->max_operands]);
    return 0;
}

/* ---- the file ---- */

/* What is about the command line itself. */
#define NOT_IN_FILE                                                            \
    (OPTION_SET(config) | OPTION_SET(help) | OPTION_SET(version) |             \
     OPTION_SET(man) | OPTION_SET(bash_completion))

/* Is it, or what it cannot be used with, in the set? */
static int
is_settled(option_set set, const struct option_row *row)
{
    option_set bit = OPTION_BIT(row - option_rows);

    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (set & OPTION_BIT(i) && option_rows[i].not_with & bit)
            return 1;
    return (set & (bit | row->not_with)) != 0;
}

static int
find_entry_row(const struct config *file, const struct config_entry *e,
               const struct option_row **ret, struct err *err)
{
    const struct option_row *row = find_row(e->option, strlen(e->option));

    if (!row)
        return config_fail(file, e->at, err, "unrecognized option \"%s\"",
                           e->key);
    if (OPTION_BIT(row - option_rows) & NOT_IN_FILE)
        return config_fail(file, e->at, err,
                           "option \"--%s\" cannot stand in a file", row->name);
    if (e->is_list && !option_is_list(row))
        return config_fail(file, e->at, err, "option \"--%s\" takes one value",
                           row->name);
    *ret = row;
    return 0;
}

/* 1: the flag is set, 0: it is not. */
static int
read_flag(const struct config *file, const struct option_row *row,
          const struct config_value *v, struct err *err)
{
    if (!v->quoted && strcmp(v->text, "true") == 0)
        return 1;
    if (!v->quoted && strcmp(v->text, "false") == 0)
        return 0;
    return config_fail(file, v->at, err,
                       "option \"--%s\" is either true or false", row->name);
}

static int
require_private(const struct config *file, const char *secret, struct err *err)
{
    if (file->is_private)
        return 0;
    err_set(err, ERR_REFUSED, "others may read \"%s\", which has a secret (%s)",
            file->path, secret);
    return err_hint(err, "Run \"chmod 0600\" on it, or keep the secret in "
                         "~/.pgpass.");
}

/* 1: it is set in *o. */
static int
take_value(struct options *o, const struct config *file,
           const struct option_row *row, const struct config_value *v,
           struct err *err)
{
    const char *secret;

    if (!row->argument && read_flag(file, row, v, err) <= 0)
        return read_flag(file, row, v, err);
    if (row->parse(row, v->text, (char *)o + row->offset, err))
        return config_blame(file, v->at, err);
    o->texts[row - option_rows] = v->text;
    secret = option_secret(row, v->text);
    if (secret && require_private(file, secret, err))
        return -1;
    return 1;
}

static int
take_values(struct options *o, const struct config *file,
            const struct option_row *row, const struct config_entry *e,
            struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < e->n_values && r >= 0; i++)
        r = take_value(o, file, row, &e->values[i], err);
    return r;
}

/*
 * What the command line says is left as it is.  What another command takes is
 * looked at and passed over: one file serves all commands of a run.
 */
static int
take_file(struct options *o, struct options *unused, const struct command *c,
          struct err *err)
{
    const struct config *file = o->file;
    option_set on_line = o->given;

    for (size_t i = 0; i < file->n_entries; i++) {
        const struct config_entry *e = &file->entries[i];
        const struct option_row *row = NULL;
        option_set bit;
        int r, wanted;

        if (find_entry_row(file, e, &row, err))
            return -1;
        bit = OPTION_BIT(row - option_rows);
        wanted = options_of(c) & bit && !is_settled(on_line, row);
        r = take_values(wanted ? o : unused, file, row, e, err);
        if (r < 0)
            return r;
        if (wanted && r > 0)
            o->given |= bit;
    }
    return 0;
}

static int
read_file(struct options *o, const struct command *c, struct err *err)
{
    struct options unused = {0};
    int r;

    if (!o->config || o->help)
        return 0;
    r = config_read(&o->file, o->config, err);
    if (!r)
        r = take_file(o, &unused, c, err);
    options_clear(&unused);
    return r;
}

/* ---- all of it ---- */

static int
set_defaults(struct options *o, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < N_OPTIONS; i++) {
        const struct option_row *row = &option_rows[i];

        if (row->standard)
            r = row->parse(row, row->standard, (char *)o + row->offset, err);
    }
    return r;
}

static const char *
first_name(option_set set)
{
    unsigned i = 0;

    while (!(set & OPTION_BIT(i)))
        i++;
    return option_rows[i].name;
}

/* What was given must fit together and be enough. */
static int
check_set(const struct options *o, const struct command *c, struct err *err)
{
    option_set missing = o->help ? 0 : c->requires & ~o->given;

    for (unsigned i = 0; i < N_OPTIONS; i++) {
        const struct option_row *row = &option_rows[i];
        option_set bit = OPTION_BIT(i);
        option_set against = o->given & row->not_with;

        if (missing & bit)
            return err_set(err, ERR_USAGE, "missing required option \"--%s\"",
                           row->name);
        if (o->given & bit && against)
            return err_set(err, ERR_USAGE,
                           "options \"--%s\" and \"--%s\" cannot be used "
                           "together",
                           row->name, first_name(against));
        if (o->given & bit && row->only_with && !(o->given & row->only_with))
            return err_set(err, ERR_USAGE,
                           "option \"--%s\" is used only with \"--%s\"",
                           row->name, first_name(row->only_with));
    }
    return 0;
}

int
options_parse(struct options *ret, const struct command *c, int argc,
              char **argv, struct err *err)
{
    struct options o = {0};
    int r;

    r = set_defaults(&o, err);
    if (r == 0)
        r = check_names(argv + 1, err);
    if (r == 0)
        r = parse_words(&o, c, argc, argv, err);
    if (r == 0)
        r = read_file(&o, c, err);
    if (r == 0)
        r = check_set(&o, c, err);
    if (r < 0 && err->class == ERR_USAGE && !err->hint[0])
        err_hint(err, "Try \"pghaul%s%s --help\".", *c->name ? " " : "",
                 c->name);
    if (r == 0)
        *ret = o;
    else
        options_clear(&o);
    return r;
}

void
options_clear(struct options *o)
{
    for (unsigned i = 0; i < N_OPTIONS; i++)
        if (option_is_list(&option_rows[i]))
            free(((struct option_list *)((char *)o + option_rows[i].offset))
                     ->texts);
    config_free(o->file);
    *o = (struct options){0};
}
