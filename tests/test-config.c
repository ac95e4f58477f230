/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/cli/command.h"
#include "loader/cli/config.h"

static char path[] = "/tmp/config.XXXXXX";

static const struct command copy = {
    .name = "copy",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(source) | OPTION_SET(jobs) | OPTION_SET(chunk_size) |
             OPTION_SET(quiet) | OPTION_SET(verbose) | OPTION_SET(progress),
};

static void
write_config(const void *text, size_t len, mode_t mode)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, len), (ssize_t)len);
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void
clean_up(void)
{
    unlink(path);
}

TestSuite(config, .fini = clean_up);

/* "copy --config FILE" and up to two words more. */
static int
parse(struct options *o, char *word, char *other, struct err *err)
{
    static char command[] = "copy", option[] = "--config";
    static char *argv[6];
    int argc = 3 + (word != NULL) + (other != NULL);

    memcpy(argv, ((char *[6]){command, option, path, word, other, NULL}),
           sizeof argv);
    argv[argc] = NULL;
    return options_parse(o, &copy, argc, argv, err);
}

static struct options
must_parse(const char *text, char *word, char *other)
{
    struct options o;
    struct err err;

    write_config(text, strlen(text), 0644);
    cr_assert_eq(parse(&o, word, other, &err), 0, "%s", err.message);
    return o;
}

Test(config, says_what_options_say)
{
    struct options o =
        must_parse("# a comment\nsource: service=shop\ndir: /srv/move\n"
                   "jobs: 4\nchunk-size: '64MB'\nquiet: true\nverbose: false\n",
                   NULL, NULL);

    cr_assert_str_eq(o.source, "service=shop");
    cr_assert_str_eq(o.dir, "/srv/move");
    cr_assert_eq(o.jobs, 4);
    cr_assert_eq(o.chunk_size, 64 << 20);
    cr_assert(o.quiet);
    cr_assert_not(o.verbose);
    options_clear(&o);
}

Test(config, file_of_nothing_is_one)
{
    char dir[] = "--dir=d";
    struct options o = must_parse("# only this\n", dir, NULL);

    cr_assert_str_eq(o.dir, "d");
    options_clear(&o);
}

Test(config, command_line_wins)
{
    char dir[] = "--dir=line", jobs[] = "-j7";
    struct options o = must_parse("dir: file\njobs: 3\n", dir, jobs);

    cr_assert_str_eq(o.dir, "line");
    cr_assert_eq(o.jobs, 7);
    options_clear(&o);
}

Test(config, command_line_wins_over_what_it_contradicts)
{
    char quiet[] = "--quiet";
    struct options o =
        must_parse("dir: d\nverbose: true\nprogress: plain\n", quiet, NULL);

    cr_assert(o.quiet);
    cr_assert_not(o.verbose);
    cr_assert_eq(o.progress, OPTION_PROGRESS_AUTO);
    options_clear(&o);
}

Test(config, what_another_command_takes_is_passed_over)
{
    struct options o = must_parse("dir: d\ntarget: service=new\n", NULL, NULL);

    cr_assert_null(o.target);
    cr_assert_not(o.given & OPTION_SET(target));
    options_clear(&o);
}

Test(config, help_reads_no_file)
{
    char help[] = "--help";
    struct options o = must_parse("nonsense: [", help, NULL);

    cr_assert(o.help);
    options_clear(&o);
}

static const struct command selects = {
    .name = "selects",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(table) | OPTION_SET(exclude_table),
};

Test(config, lists_are_lists_or_one_and_the_line_replaces_them)
{
    static const char text[] = "dir: d\ntable: [a, 'b.*']\nexclude-table: c\n";
    char command[] = "selects", file[] = "--config", one[] = "-Tx",
         two[] = "-Ty";
    char *argv[] = {command, file, path, one, two, NULL};
    struct options o;
    struct err err;

    write_config(text, strlen(text), 0644);
    cr_assert_eq(options_parse(&o, &selects, 5, argv, &err), 0, "%s",
                 err.message);
    cr_assert_eq(o.table.n, 2);
    cr_assert_str_eq(o.table.texts[0], "a");
    cr_assert_str_eq(o.table.texts[1], "b.*");
    cr_assert_eq(o.exclude_table.n, 2);
    cr_assert_str_eq(o.exclude_table.texts[0], "x");
    cr_assert_str_eq(o.exclude_table.texts[1], "y");
    options_clear(&o);
}

struct bad {
    char text[100], message[100];
};

ParameterizedTestParameters(config, bad_ones_say_where)
{
    static struct bad bad[] = {
        {"dir: d\njbos: 4\n", "line 2, column 1: unrecognized option \"jbos\""},
        {"dir: d\n  \njobs: 0\n",
         "line 3, column 7: invalid value \"0\" for option \"--jobs\""},
        {"dir: d\ntarget: '='\n",
         "line 2, column 9: invalid connection string for option \"--target\""},
        {"dir: d\ndir: e\n", "line 2, column 1: \"dir\" is given twice"},
        {"dir: [d]\n", "line 1, column 1: option \"--dir\" takes one value"},
        {"dir: {a: b}\n",
         "line 1, column 6: \"dir\" takes a text, or a list of texts"},
        {"dir: d\ntables: a\n",
         "line 2, column 9: \"tables\" takes include, exclude and where"},
        {"dir: d\ntables:\n  mask: a\n",
         "line 3, column 3: unrecognized key \"tables.mask\""},
        {"dir: d\ntables: {where: {a: [b]}}\n",
         "line 2, column 21: \"a\" takes a text"},
        {"dir: d\ntables: {include: {a: b}}\n",
         "line 2, column 19: \"tables.include\" takes a text, or a list of "
         "texts"},
        {"dir: d\ntables: {where: a, where: b}\n",
         "line 2, column 20: \"tables.where\" is given twice"},
        {"tables: {}\ntables: {}\n",
         "line 2, column 1: \"tables\" is given twice"},
        {"dir: [[d]]\n", "line 1, column 7: \"dir\" takes a list of texts"},
        {"dir: d\nquiet: yes\n",
         "line 2, column 8: option \"--quiet\" is either true or false"},
        {"dir: d\nquiet: 'true'\n",
         "line 2, column 8: option \"--quiet\" is either true or false"},
        {"dir: d\njobs:\n", "line 2, column 6: \"jobs\" has no value"},
        {"dir: d\njobs: ~\n", "line 2, column 7: \"jobs\" has no value"},
        {"dir: d\nhelp: true\n",
         "line 2, column 1: option \"--help\" cannot stand in a file"},
        {"dir: d\nconfig: e\n",
         "line 2, column 1: option \"--config\" cannot stand in a file"},
        {"dir: &a d\n",
         "line 1, column 6: anchors, aliases and tags are not taken"},
        {"dir: *a\n",
         "line 1, column 6: anchors, aliases and tags are not taken"},
        {"dir: !!str d\n",
         "line 1, column 6: anchors, aliases and tags are not taken"},
        {"- dir\n", "line 1, column 1: this is not a configuration"},
        {"dir: d\n---\ndir: e\n",
         "line 2, column 1: there is a second document"},
        {"[a]: d\n", "line 1, column 1: a key is the name of an option"},
        {"dir: \"a\\0b\"\n",
         "line 1, column 6: a text contains a null character"},
        {"dir: d\njobs: \"4\n",
         "line 3, column 1: found unexpected end of stream"},
    };

    return cr_make_param_array(struct bad, bad, sizeof bad / sizeof *bad);
}

ParameterizedTest(struct bad *bad, config, bad_ones_say_where, .fini = clean_up)
{
    char message[200];
    struct options o;
    struct err err;

    write_config(bad->text, strlen(bad->text), 0644);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0, "%s", bad->text);
    cr_assert_eq(err.class, ERR_USAGE);
    snprintf(message, sizeof message, "in \"%s\", %s", path, bad->message);
    cr_assert_str_eq(err.message, message);
    cr_assert_str_not_empty(err.hint);
}

Test(config, bytes_that_are_no_text_are_an_error)
{
    struct options o;
    struct err err;

    write_config("dir: \xff\xfe\n", 8, 0644);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
}

Test(config, keys_without_end_are_an_error)
{
    char *text = malloc(1 << 20), *at = text;
    struct options o;
    struct err err;

    for (int i = 0; i < 60000; i++)
        at += sprintf(at, "k%d: v\n", i);
    write_config(text, (size_t)(at - text), 0644);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0);
    cr_assert(strstr(err.message, "too many keys"), "%s", err.message);
    free(text);
}

Test(config, deep_nesting_is_an_error)
{
    char text[5000];
    struct options o;
    struct err err;

    memset(text, '[', sizeof text);
    memcpy(text, "dir: ", 5);
    write_config(text, sizeof text, 0644);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0);
    cr_assert_eq(err.class, ERR_USAGE);
}

Test(config, large_file_is_an_error)
{
    char *text = malloc(CONFIG_MAX + 1);
    struct options o;
    struct err err;

    memset(text, ' ', CONFIG_MAX + 1);
    write_config(text, CONFIG_MAX + 1, 0644);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0);
    cr_assert(strstr(err.message, "is larger than"), "%s", err.message);
    free(text);
}

Test(config, what_is_no_file_is_an_error)
{
    struct options o;
    struct err err;

    cr_assert_eq(parse(&o, NULL, NULL, &err), -1);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert(mkdtemp(path));
    cr_assert_eq(parse(&o, NULL, NULL, &err), -1);
    cr_assert(strstr(err.message, "is not a regular file"), "%s", err.message);
    rmdir(path);
}

static const char secret[] = "dir: d\nsource: host=h password=hunter2\n";

Test(config, secret_in_a_private_file_is_taken)
{
    struct options o;
    struct err err;

    write_config(secret, strlen(secret), 0600);
    cr_assert_eq(parse(&o, NULL, NULL, &err), 0, "%s", err.message);
    cr_assert_str_eq(o.source, "host=h password=hunter2");
    options_clear(&o);
}

Test(config, secret_that_others_can_read_is_refused)
{
    struct options o;
    struct err err;

    write_config(secret, strlen(secret), 0640);
    cr_assert_lt(parse(&o, NULL, NULL, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert(strstr(err.message, "has a secret (password)"));
    cr_assert_null(strstr(err.message, "hunter2"));
}
