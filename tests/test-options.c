/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "loader/cli/command.h"

static const struct command copy = {
    .name = "copy",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(source) | OPTION_SET(jobs) | OPTION_SET(format) |
             OPTION_SET(chunk_size) | OPTION_SET(io) | OPTION_SET(compress) |
             OPTION_SET(ledger_schema) | OPTION_SET(progress) |
             OPTION_SET(quiet) | OPTION_SET(verbose) | OPTION_SET(on_limit) |
             OPTION_SET(max_replica_lag) | OPTION_SET(max_active_sessions),
    .max_operands = 1,
};

/* Parse "a b c" as the words after the command; '' is an empty one.  Options
   point into static memory, until the next call. */
static int
parse(const char *line, struct options *o, struct err *err)
{
    static char command[] = "copy", none[] = "", words[200];
    static char *argv[20];
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    argv[argc++] = command;
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
        argv[argc++] = strcmp(w, "''") == 0 ? none : w;
    argv[argc] = NULL;
    return options_parse(o, &copy, argc, argv, err);
}

static struct options
must_parse(const char *line)
{
    struct options o;
    struct err err;

    cr_assert_eq(parse(line, &o, &err), 0, "%s: %s", line, err.message);
    return o;
}

Test(options, defaults_are_those_of_the_table)
{
    struct options o = must_parse("--dir d");

    cr_assert_str_eq(o.dir, "d");
    cr_assert_null(o.source);
    cr_assert_eq(o.format, OPTION_FORMAT_AUTO);
    cr_assert_eq(o.compress, OPTION_COMPRESS_LZ4);
    cr_assert_eq(o.io, OPTION_IO_AUTO);
    cr_assert_eq(o.progress, OPTION_PROGRESS_AUTO);
    cr_assert_eq(o.chunk_size, 128 << 20);
    cr_assert_str_eq(o.ledger_schema, "pghaul");
    cr_assert_eq(o.quiet, 0);
    cr_assert_eq(o.given, OPTION_SET(dir));
    cr_assert_null(o.operands[0]);
}

Test(options, words_are_taken_in_any_order_and_form)
{
    struct options o =
        must_parse("one -qj7 --format=text --io sync --dir=d --compress none");

    cr_assert_eq(o.jobs, 7);
    cr_assert_eq(o.quiet, 1);
    cr_assert_eq(o.format, OPTION_FORMAT_TEXT);
    cr_assert_eq(o.io, OPTION_IO_SYNC);
    cr_assert_eq(o.compress, OPTION_COMPRESS_NONE);
    cr_assert_str_eq(o.operands[0], "one");
    cr_assert_null(o.operands[1]);
    cr_assert_eq(must_parse("--format binary --dir d").format,
                 OPTION_FORMAT_BINARY);
    cr_assert_eq(must_parse("--io uring --dir d").io, OPTION_IO_URING);
    cr_assert_eq(must_parse("--progress plain --dir d").progress,
                 OPTION_PROGRESS_PLAIN);
    cr_assert_eq(must_parse("--progress none --dir d").progress,
                 OPTION_PROGRESS_NONE);
}

Test(options, parsing_twice_begins_anew)
{
    cr_assert_eq(must_parse("--dir d -j 3").jobs, 3);
    cr_assert_eq(must_parse("--dir d -j 4").jobs, 4);
}

Test(options, jobs_are_as_many_as_the_processors_we_may_use)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    cr_assert_eq(must_parse("--dir d").jobs,
                 (unsigned)(CPU_COUNT(&set) < 64 ? CPU_COUNT(&set) : 64));
    for (unsigned i = 0, n = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set) && n++ > 0)
            CPU_CLR(i, &set);
    cr_assert_eq(sched_setaffinity(0, sizeof set, &set), 0);
    cr_assert_eq(must_parse("--dir d").jobs, 1);
}

Test(options, sizes_have_the_units_of_postgresql)
{
    cr_assert_eq(must_parse("--dir d --chunk-size 1MB").chunk_size, 1 << 20);
    cr_assert_eq(must_parse("--dir d --chunk-size 1024kB").chunk_size, 1 << 20);
    cr_assert_eq(must_parse("--dir d --chunk-size 1048576B").chunk_size,
                 1 << 20);
    cr_assert_eq(must_parse("--dir d --chunk-size 3GB").chunk_size, 3ULL << 30);
    cr_assert_eq(must_parse("--dir d --chunk-size 1TB").chunk_size, 1ULL << 40);
}

Test(options, help_requires_nothing)
{
    cr_assert_eq(must_parse("--help").help, 1);
    cr_assert_eq(must_parse("-h -j 3").help, 1);
}

Test(options, connection_strings_uris_and_services_are_taken_as_they_are)
{
    static const char *const strings[] = {
        "host=/run/x",
        "service=prod",
        "postgresql://u@h:5433/db?sslmode=require",
    };
    char line[200];

    for (unsigned i = 0; i < sizeof strings / sizeof *strings; i++) {
        snprintf(line, sizeof line, "--dir d --source %s", strings[i]);
        cr_assert_str_eq(must_parse(line).source, strings[i]);
    }
    cr_assert_str_empty(must_parse("--dir d --source ''").source);
}

struct bad {
    char line[80], message[90], detail[80];
};

ParameterizedTestParameters(options, bad_ones_are_errors_of_usage)
{
    static struct bad bad[] = {
        {"--dir d --nope", "unrecognized option \"--nope\"", ""},
        {"--dir d --=x", "unrecognized option \"--\"", ""},
        {"--dir d -Z", "unrecognized option \"-Z\"", ""},
        {"--di d", "unrecognized option \"--di\"", ""},
        {"--dir d --job=3", "unrecognized option \"--job\"", ""},
        {"--dir d -- --job", "unrecognized option \"--job\"", ""},
        {"--dir -- --job 3", "unrecognized option \"--job\"", ""},
        {"", "missing required option \"--dir\"", ""},
        {"--dir", "option \"--dir\" requires an argument", ""},
        {"--dir d -j", "option \"--jobs\" requires an argument", ""},
        {"--dir d --quiet=yes", "option \"--quiet\" takes no argument", ""},
        {"--dir d --dir e", "option \"--dir\" is given twice", ""},
        {"--dir d -q --quiet", "option \"--quiet\" is given twice", ""},
        {"--dir d --json", "\"pghaul copy\" does not take option \"--json\"",
         ""},
        {"--dir d -q -v",
         "options \"--quiet\" and \"--verbose\" cannot be used together", ""},
        {"--dir d --progress none -q",
         "options \"--quiet\" and \"--progress\" cannot be used together", ""},
        {"--dir d a b", "too many command-line arguments (first is \"b\")", ""},
        {"--dir ''", "invalid value \"\" for option \"--dir\"", ""},
        {"--dir d -j 0", "invalid value \"0\" for option \"--jobs\"",
         "It is a number from 1 to 64, or \"cores\"."},
        {"--dir d -j 65", "invalid value \"65\" for option \"--jobs\"",
         "It is a number from 1 to 64, or \"cores\"."},
        {"--dir d -j -1", "invalid value \"-1\" for option \"--jobs\"",
         "It is a number from 1 to 64, or \"cores\"."},
        {"--dir d -j 2x", "invalid value \"2x\" for option \"--jobs\"",
         "It is a number from 1 to 64, or \"cores\"."},
        {"--dir d -j 18446744073709551617",
         "invalid value \"18446744073709551617\" for option \"--jobs\"",
         "It is a number from 1 to 64, or \"cores\"."},
        {"--dir d --format csv",
         "invalid value \"csv\" for option \"--format\"",
         "It is one of auto|binary|text."},
        {"--dir d --format aut",
         "invalid value \"aut\" for option \"--format\"",
         "It is one of auto|binary|text."},
        {"--dir d --io ''", "invalid value \"\" for option \"--io\"",
         "It is one of auto|uring|sync."},
        {"--dir d --io auto|sync",
         "invalid value \"auto|sync\" for option \"--io\"",
         "It is one of auto|uring|sync."},
        {"--dir d --chunk-size 128",
         "invalid value \"128\" for option \"--chunk-size\"", ""},
        {"--dir d --chunk-size 128mb",
         "invalid value \"128mb\" for option \"--chunk-size\"", ""},
        {"--dir d --chunk-size 1023kB",
         "invalid value \"1023kB\" for option \"--chunk-size\"",
         "It is outside the range 1MB to 1TB."},
        {"--dir d --chunk-size 2TB",
         "invalid value \"2TB\" for option \"--chunk-size\"",
         "It is outside the range 1MB to 1TB."},
        {"--dir d --chunk-size 16777217TB",
         "invalid value \"16777217TB\" for option \"--chunk-size\"",
         "It is outside the range 1MB to 1TB."},
        {"--dir d --ledger-schema pg_x",
         "invalid value \"pg_x\" for option \"--ledger-schema\"",
         "A name has 1 to 63 bytes and does not begin with \"pg_\"."},
    };

    return cr_make_param_array(struct bad, bad, sizeof bad / sizeof *bad);
}

ParameterizedTest(struct bad *bad, options, bad_ones_are_errors_of_usage)
{
    struct options o;
    struct err err;

    cr_assert_lt(parse(bad->line, &o, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert_str_eq(err.message, bad->message);
    cr_assert_str_eq(err.detail, bad->detail);
    cr_assert_str_not_empty(err.hint);
}

struct secret {
    char source[80], named[20];
};

ParameterizedTestParameters(options, secret_in_an_argument_is_refused)
{
    static struct secret secrets[] = {
        {"password=hunter2", "(password)"},
        {"postgresql://me:hunter2@host/db", "(password)"},
        {"postgresql://host/db?password=hunter2", "(password)"},
        {"postgres://host/?sslpassword=hunter2", "(sslpassword)"},
        {"passwordhunter2", ""},
        {"password='hunter2", ""},
        {"postgresql://me:hunter2@[host/db", ""},
    };

    return cr_make_param_array(struct secret, secrets,
                               sizeof secrets / sizeof *secrets);
}

ParameterizedTest(struct secret *secret, options,
                  secret_in_an_argument_is_refused)
{
    struct options o;
    char line[100];
    struct err err;

    snprintf(line, sizeof line, "--dir d --source %s", secret->source);
    cr_assert_lt(parse(line, &o, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
    cr_assert(strstr(err.message, secret->named), "%s", err.message);
    cr_assert_null(strstr(err.message, "hunter2"));
    cr_assert_null(strstr(err.detail, "hunter2"));
    cr_assert_null(strstr(err.hint, "hunter2"));
}

Test(options, hint_names_the_command_that_was_tried)
{
    struct options o;
    struct err err;

    cr_assert_lt(parse("--nope", &o, &err), 0);
    cr_assert_str_eq(err.hint, "Try \"pghaul copy --help\".");
}

Test(options, durations_have_the_units_of_postgresql)
{
    static const struct {
        const char *line;
        uint64_t ms;
    } good[] = {
        {"--dir d --max-replica-lag 90s", 90000},
        {"--dir d --max-replica-lag 1500ms", 1500},
        {"--dir d --max-replica-lag 30min", 1800000},
        {"--dir d --max-replica-lag 24h", 86400000},
        {"--dir d --max-replica-lag 30d", UINT64_C(2592000000)},
    };
    static const char *const bad[] = {
        "--dir d --max-replica-lag 10",
        "--dir d --max-replica-lag 10m",
        "--dir d --max-replica-lag -1s",
        "--dir d --max-replica-lag 0s",
        "--dir d --max-replica-lag 31d",
        "--dir d --max-replica-lag 18446744073709551615d",
        "--dir d --max-active-sessions 0",
        "--dir d --max-active-sessions 5s",
        "--dir d --on-limit pause",
    };
    struct options o;
    struct err err;

    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_eq(must_parse(good[i].line).max_replica_lag, good[i].ms, "%s",
                     good[i].line);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_lt(parse(bad[i], &o, &err), 0, "%s", bad[i]);
    o = must_parse("--dir d --max-active-sessions 20 --on-limit pause");
    cr_assert_eq(o.max_active_sessions, 20);
    cr_assert_eq(o.on_limit, OPTION_ON_LIMIT_PAUSE);
    cr_assert_eq(o.max_replica_lag, 0);
}
