/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "loader/cli/command.h"

enum { JOBS_MAX = 64, NAME_MAX_BYTES = 63 /* NAMEDATALEN - 1 */ };
#define CHUNK_SIZE_MIN (UINT64_C(1) << 20)
#define CHUNK_SIZE_MAX (UINT64_C(1) << 40)

/* ---- one value ---- */

static int
fail_value(const struct option_row *row, const char *text, struct err *err)
{
    return err_set(err, ERR_USAGE, "invalid value \"%s\" for option \"--%s\"",
                   text, row->name);
}

static int
parse_flag(const struct option_row *row, const char *text, void *field,
           struct err *err)
{
    (void)row, (void)text, (void)err;
    *(int *)field = 1;
    return 0;
}

static int
parse_path(const struct option_row *row, const char *text, void *field,
           struct err *err)
{
    if (!*text)
        return fail_value(row, text, err);
    *(const char **)field = text;
    return 0;
}

static int
parse_name(const struct option_row *row, const char *text, void *field,
           struct err *err)
{
    if (!*text || strlen(text) > NAME_MAX_BYTES ||
        strncmp(text, "pg_", 3) == 0) {
        fail_value(row, text, err);
        return err_detail(err,
                          "A name has 1 to %d bytes and does not begin "
                          "with \"pg_\".",
                          NAME_MAX_BYTES);
    }
    *(const char **)field = text;
    return 0;
}

/* How many processors we may run on, which a container can make fewer than
   the machine has. */
static unsigned
count_cores(void)
{
    cpu_set_t set;
    int n = 0;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

/* Digits only: strtoull() alone would take " -1".  *end is what follows. */
static int
parse_digits(const char *text, uint64_t *ret, char **end)
{
    if (!isdigit((unsigned char)*text))
        return -1;
    errno = 0;
    *ret = strtoull(text, end, 10);
    return errno ? -1 : 0;
}

static int
parse_jobs(const struct option_row *row, const char *text, void *field,
           struct err *err)
{
    uint64_t n;
    char *end;

    if (strcmp(text, "cores") == 0) {
        *(unsigned *)field = count_cores();
        return 0;
    }
    if (parse_digits(text, &n, &end) < 0 || *end || n < 1 || n > JOBS_MAX) {
        fail_value(row, text, err);
        return err_detail(err, "It is a number from 1 to %d, or \"cores\".",
                          JOBS_MAX);
    }
    *(unsigned *)field = (unsigned)n;
    return 0;
}

/* The units of postgresql.conf, case and all; *ret is a shift. */
static int
parse_unit(const char *text, unsigned *ret)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};

    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i]) == 0) {
            *ret = 10 * i;
            return 0;
        }
    return -1;
}

static int
parse_size(const struct option_row *row, const char *text, void *field,
           struct err *err)
{
    unsigned shift;
    uint64_t n;
    char *end;

    if (parse_digits(text, &n, &end) < 0 || parse_unit(end, &shift) < 0) {
        fail_value(row, text, err);
        return err_hint(err, "Give a whole number and a unit: \"B\", \"kB\", "
                             "\"MB\", \"GB\" or \"TB\".");
    }
    if (n > CHUNK_SIZE_MAX >> shift || n << shift < CHUNK_SIZE_MIN) {
        fail_value(row, text, err);
        return err_detail(err, "It is outside the range 1MB to 1TB.");
    }
    *(uint64_t *)field = n << shift;
    return 0;
}

/* The field is an enum without negative values, for which all compilers that
   we know use unsigned. */
static_assert(sizeof(enum option_format) == sizeof(unsigned), "enum size");

static int
parse_choice(const struct option_row *row, const char *text, void *field,
             struct err *err)
{
    size_t len = strlen(text);
    const char *word = row->argument;

    for (unsigned i = 0; *word; i++) {
        size_t n = strcspn(word, "|");

        if (n == len && memcmp(word, text, n) == 0) {
            *(unsigned *)field = i;
            return 0;
        }
        word += n + (word[n] == '|');
    }
    fail_value(row, text, err);
    return err_detail(err, "It is one of %s.", row->argument);
}

/* Name the parameter that holds a secret, if one does. */
static const char *
find_secret(const PQconninfoOption *o)
{
    /* libpq marks what must not be shown with "*". */
    for (; o->keyword; o++)
        if (o->dispchar[0] == '*' && o->val && *o->val)
            return o->keyword;
    return NULL;
}

/*
 * Arguments can be read by everybody on the machine, for as long as the
 * program runs and before it could overwrite them; so a secret in one is
 * refused.  libpq's own message is not shown: it can quote the string.
 */
static int
parse_conninfo(const struct option_row *row, const char *text, void *field,
               struct err *err)
{
    PQconninfoOption *parsed = PQconninfoParse(text, NULL);
    const char *secret;
    int r = 0;

    if (!parsed) {
        err_set(err, ERR_USAGE, "invalid connection string for option \"--%s\"",
                row->name);
        return err_hint(err, "Give \"host=... dbname=...\", "
                             "\"postgresql://host/dbname\" or "
                             "\"service=NAME\".");
    }
    secret = find_secret(parsed);
    if (secret) {
        r = err_set(err, ERR_USAGE, "option \"--%s\" contains a secret (%s)",
                    row->name, secret);
        err_detail(err, "Other users of this machine can read the arguments "
                        "of a program.");
        err_hint(err, "Keep it in ~/.pgpass (or the file that PGPASSFILE "
                      "names), in a service file, or in PGPASSWORD.");
    }
    PQconninfoFree(parsed);
    *(const char **)field = text;
    return r;
}

/* ---- the table ---- */

const struct option_row option_rows[N_OPTIONS] = {
#define OPTION(field, letter, name, argument, standard, kind, not_with,        \
               only_with, help)                                                \
    {name,        argument, standard,  help,                                   \
     letter,      not_with, only_with, offsetof(struct options, field),        \
     parse_##kind},
#include "loader/cli/options.def"
};

uint64_t
options_of(const struct command *c)
{
    return c->requires | c->takes | OPTION_SET(help);
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

static int
set_option(struct options *o, const struct command *c,
           const struct option_row *row, const char *text, struct err *err)
{
    uint64_t bit = UINT64_C(1) << (row - option_rows);

    if (!(options_of(c) & bit))
        return err_set(err, ERR_USAGE,
                       "\"pghaul%s%s\" does not take option \"--%s\"",
                       *c->name ? " " : "", c->name, row->name);
    if (o->given & bit)
        return err_set(err, ERR_USAGE, "option \"--%s\" is given twice",
                       row->name);
    o->given |= bit;
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
    if ((unsigned)(argc - optind) > c->max_operands)
        return err_set(err, ERR_USAGE,
                       "too many command-line arguments (first is \"%s\")",
                       argv[optind + (int)c->max_operands]);
    return 0;
}

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

/* What was given must fit together and be enough. */
static int
check_set(const struct options *o, const struct command *c, struct err *err)
{
    uint64_t missing = o->help ? 0 : c->requires & ~o->given;

    for (unsigned i = 0; i < N_OPTIONS; i++) {
        const struct option_row *row = &option_rows[i];
        uint64_t bit = UINT64_C(1) << i;
        uint64_t against = o->given & row->not_with;

        if (missing & bit)
            return err_set(err, ERR_USAGE, "missing required option \"--%s\"",
                           row->name);
        if (o->given & bit && against)
            return err_set(err, ERR_USAGE,
                           "options \"--%s\" and \"--%s\" cannot be used "
                           "together",
                           row->name,
                           option_rows[__builtin_ctzll(against)].name);
        if (o->given & bit && row->only_with && !(o->given & row->only_with))
            return err_set(
                err, ERR_USAGE, "option \"--%s\" is used only with \"--%s\"",
                row->name, option_rows[__builtin_ctzll(row->only_with)].name);
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
        r = check_set(&o, c, err);
    if (r < 0 && !err->hint[0])
        err_hint(err, "Try \"pghaul%s%s --help\".", *c->name ? " " : "",
                 c->name);
    if (r == 0)
        *ret = o;
    return r;
}
