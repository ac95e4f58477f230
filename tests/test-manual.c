/* SPDX-License-Identifier: PostgreSQL */

/* README.md and docs/ say what the program does. */

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

#include "loader/cli/command.h"
#include "tests/server.h"

/* No cluster: nothing here reaches a server. */
const struct server_spec server_specs[1];
const unsigned server_n_specs = 0;

static char *
read_source(const char *name)
{
    char path[4096], *text = NULL;
    size_t size = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", getenv("PGHAUL_SOURCE"), name);
    f = fopen(path, "r");
    cr_assert(f && getdelim(&text, &size, '\0', f) > 0, "%s", path);
    fclose(f);
    return text;
}

static void
free_text(char **text)
{
    free(*text);
}

Test(manual, readme_shows_what_help_prints)
{
    cleanup_(free_text) char *readme = read_source("README.md");
    const char *argv[] = {server_pghaul(), "--help", NULL};
    struct server_run help = server_run(argv);

    cr_assert(strstr(readme, help.output),
              "README.md does not contain the output of pghaul --help");
    free(help.output);
    free(help.errors);
}

/* Parse one line "pghaul export ..." without running it. */
static void
assert_line_parses(char *line)
{
    const struct command *c;
    struct options o;
    struct err err;
    wordexp_t words;

    cr_assert_eq(wordexp(line, &words, WRDE_NOCMD), 0, "%s", line);
    if (words.we_wordc > 1 && words.we_wordv[1][0] != '-') {
        unsigned n;

        cr_assert_eq(command_find(&c, words.we_wordv + 1,
                                  (unsigned)words.we_wordc - 1, &n, &err),
                     0, "%s", line);
        cr_assert_eq(options_parse(&o, c, (int)(words.we_wordc - n),
                                   words.we_wordv + n, &err),
                     0, "%s: %s", line, err.message);
        options_clear(&o);
    }
    wordfree(&words);
}

/* A fenced block of YAML is the file that the commands below it name. */
static void
write_example(const char *rest)
{
    FILE *f = fopen("shop.yaml", "w");

    cr_assert_not_null(f);
    fwrite(rest, 1, (size_t)(strstr(rest, "```") - rest), f);
    fclose(f);
}

/* Lines that begin with "pghaul" in fenced blocks of the shell. */
static unsigned
check_examples(const char *name)
{
    cleanup_(free_text) char *text = read_source(name);
    unsigned n = 0;
    int in_shell = 0;

    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        if (strncmp(line, "```", 3) == 0)
            in_shell = !in_shell && strcmp(line, "```sh") == 0;
        if (strcmp(line, "```yaml") == 0)
            write_example(rest);
        if (!in_shell || strncmp(line, "pghaul ", 7) != 0)
            continue;
        line[strcspn(line, "|#>;&")] = '\0';
        assert_line_parses(line);
        n++;
    }
    return n;
}

Test(manual, examples_are_commands_that_the_program_takes)
{
    size_t root = strlen(getenv("PGHAUL_SOURCE")) + 1;
    char pattern[4096];
    glob_t docs;

    cr_assert_eq(chdir(server_tmp_dir()), 0);
    cr_assert_gt(check_examples("README.md"), 0);
    snprintf(pattern, sizeof pattern, "%s/docs/*.md", getenv("PGHAUL_SOURCE"));
    cr_assert_eq(glob(pattern, 0, NULL, &docs), 0);
    for (size_t i = 0; i < docs.gl_pathc; i++)
        check_examples(docs.gl_pathv[i] + root);
    globfree(&docs);
}
