/* SPDX-License-Identifier: PostgreSQL */

/* The built program, seen from outside. */

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader/cli/command.h"
#include "tests/server.h"

/* No cluster: nothing here reaches a server. */
const struct server_spec server_specs[1];
const unsigned server_n_specs = 0;

enum { MAX_WORDS = 6 };

/* pghaul WORD...; NULL ends the words. */
static struct server_run
pghaul(const char *const words[])
{
    const char *argv[MAX_WORDS + 2] = {server_pghaul()};

    for (unsigned i = 0; i < MAX_WORDS && words[i]; i++)
        argv[i + 1] = words[i];
    return server_run(argv);
}

#define PGHAUL(...) pghaul((const char *const[MAX_WORDS]){__VA_ARGS__})

/* The same through a shell, as "$0". */
static struct server_run
shell(const char *script)
{
    const char *argv[] = {"sh", "-c", script, server_pghaul(), NULL};

    return server_run(argv);
}

static void
run_clear(struct server_run *run)
{
    free(run->output);
    free(run->errors);
}

#define cleanup_run cleanup_(run_clear) struct server_run

/* ---- help ---- */

static void
assert_fits_80_columns(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        cr_assert_lt(len, 80, "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

Test(cli, every_command_explains_itself_in_two_ways)
{
    for (const struct command *const *c = commands; *c; c++) {
        cleanup_run a = PGHAUL((*c)->name, "--help");
        cleanup_run b = PGHAUL("help", (*c)->name);
        char head[200];

        snprintf(head, sizeof head, "pghaul %s: %s.\n\nUsage:\n  pghaul %s ",
                 (*c)->name, (*c)->summary, (*c)->name);
        cr_assert_eq(a.status, 0);
        cr_assert_eq(strncmp(a.output, head, strlen(head)), 0, "%s", a.output);
        cr_assert_str_empty(a.errors);
        cr_assert_str_eq(a.output, b.output);
        assert_fits_80_columns(a.output);
    }
}

Test(cli, help_of_all_names_every_command)
{
    cleanup_run a = PGHAUL("--help");
    cleanup_run b = PGHAUL("help");
    char line[80];

    for (const struct command *const *c = commands; *c; c++) {
        snprintf(line, sizeof line, "\n  %-17s%s", (*c)->name, (*c)->summary);
        cr_assert(strstr(a.output, line), "%s", line);
    }
    cr_assert_eq(a.status, 0);
    cr_assert_str_eq(a.output, b.output);
    assert_fits_80_columns(a.output);
}

Test(cli, version_says_which_libraries_and_how_files_are_written)
{
    cleanup_run a = PGHAUL("--version");
    cleanup_run b = PGHAUL("--version", "--verbose");

    cr_assert_eq(a.status, 0);
    cr_assert_eq(strncmp(a.output, "pghaul ", 7), 0);
    cr_assert_eq(b.status, 0);
    cr_assert(strstr(b.output, "\nlibpq    "));
    cr_assert(strstr(b.output, "\nio       "));
    cr_assert_eq(strncmp(a.output, b.output, strlen(a.output)), 0);
}

Test(cli, manual_page_is_troff_without_a_warning)
{
    cleanup_run man = shell("command -v groff >/dev/null || exit 77\n"
                            "\"$0\" help --man | groff -man -ww -z");
    cleanup_run text = PGHAUL("help", "--man");

    if (man.status == 77)
        cr_skip_test("groff is not installed");
    cr_assert_eq(man.status, 0);
    cr_assert_str_empty(man.errors);
    cr_assert(strstr(text.output, ".B \\-j, \\-\\-jobs \\fIN\\fR\n"));
    cr_assert(strstr(text.output, "\n.SS export\n"));
}

struct completion {
    char words[60], expected[60];
};

ParameterizedTestParameters(cli, bash_completes)
{
    static struct completion cases[] = {
        {"pghaul hel", "help"},
        {"pghaul help --m", "--man"},
        {"pghaul export --ch", "--chunk-size"},
        {"pghaul help --nothing", ""},
        {"pghaul export --format b", "binary"},
        {"pghaul load --progress \"\"", "auto plain none"},
    };

    return cr_make_param_array(struct completion, cases,
                               sizeof cases / sizeof *cases);
}

ParameterizedTest(struct completion *c, cli, bash_completes)
{
    char script[400];

    snprintf(script, sizeof script,
             "bash -uc 'eval \"$(\"$0\" help --bash-completion)\"\n"
             "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
             "_pghaul; printf %%s \"${COMPREPLY[*]}\"' \"$0\"",
             c->words);
    cleanup_run run = shell(script);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(run.output, c->expected);
    cr_assert_str_empty(run.errors);
}

/* ---- errors ---- */

struct bad {
    const char *words[MAX_WORDS];
    const char *errors;
};

#define TRY(what) "pghaul: hint: Try \"pghaul" what "--help\".\n"

Test(cli, bad_command_line_is_explained_on_stderr_with_status_2)
{
    static const struct bad cases[] = {
        {{NULL}, "pghaul: error: no command given\n" TRY(" ")},
        {{"--verbose"}, "pghaul: error: no command given\n" TRY(" ")},
        {{"haul"}, "pghaul: error: unrecognized command \"haul\"\n" TRY(" ")},
        {{"hel"}, "pghaul: error: unrecognized command \"hel\"\n" TRY(" ")},
        {{""}, "pghaul: error: unrecognized command \"\"\n" TRY(" ")},
        {{"--vers"},
         "pghaul: error: unrecognized option \"--vers\"\n" TRY(" ")},
        {{"--jobs", "3"},
         "pghaul: error: \"pghaul\" does not take option \"--jobs\"\n" TRY(
             " ")},
        {{"--verbose", "help"},
         "pghaul: error: too many command-line arguments (first is "
         "\"help\")\n" TRY(" ")},
        {{"help", "haul"},
         "pghaul: error: unrecognized command \"haul\"\n" TRY(" ")},
        {{"help", "--jobs", "3"},
         "pghaul: error: \"pghaul help\" does not take option "
         "\"--jobs\"\n" TRY(" help ")},
        {{"export", "--dir", "d"},
         "pghaul: error: missing required option \"--source\"\n" TRY(
             " export ")},
        {{"export", "--source", "password=x", "--dir", "d"},
         "pghaul: error: option \"--source\" contains a secret (password)\n"
         "pghaul: detail: Other users of this machine can read the arguments "
         "of a program.\n"
         "pghaul: hint: Keep it in ~/.pgpass (or the file that PGPASSFILE "
         "names), in a service file, in PGPASSWORD, or in a file for --config "
         "that only you can read.\n"},
        {{"help", "--man", "--bash-completion"},
         "pghaul: error: options \"--man\" and \"--bash-completion\" cannot be "
         "used together\n" TRY(" help ")},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_run run = pghaul(cases[i].words);

        cr_assert_eq(run.status, ERR_USAGE, "case %u", i);
        cr_assert_str_eq(run.errors, cases[i].errors);
        cr_assert_str_empty(run.output);
    }
}

Test(cli, hostile_name_cannot_drive_the_terminal)
{
    cleanup_run run = PGHAUL("x\x1b]0;owned\a\npghaul: error: y");

    cr_assert_eq(run.status, ERR_USAGE);
    cr_assert_str_eq(run.errors, "pghaul: error: unrecognized command "
                                 "\"x\\x1b]0;owned\\x07\n"
                                 "    pghaul: error: y\"\n" TRY(" "));
}

Test(cli, output_that_does_not_arrive_is_a_failure)
{
    cleanup_run full = shell("exec \"$0\" --help >/dev/full");
    cleanup_run closed = shell("exec \"$0\" --help >&-");
    cleanup_run gone = shell("{ sleep 0.2; \"$0\" --help; echo $? >&2; } | :");

    cr_assert_eq(full.status, ERR_SYSTEM);
    cr_assert_str_eq(full.errors,
                     "pghaul: error: could not write to standard output: "
                     "No space left on device\n"
                     "pghaul: hint: Make room on the file system that holds "
                     "it, then run the same command again.\n");
    cr_assert_eq(closed.status, ERR_SYSTEM);
    cr_assert_str_eq(gone.errors,
                     "pghaul: error: could not write to standard output: "
                     "Broken pipe\n5\n");
}

/* ---- signals ---- */

/* A server that lets everybody wait: what a command does on it lasts until
   the command is told to stop.  *ret_fd is its socket. */
static const char *
silent_server(int *ret_fd)
{
    static char conninfo[200];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *dir = server_tmp_dir();

    snprintf(conninfo, sizeof conninfo, "host=%s", dir);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432",
             dir);
    *ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(*ret_fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(*ret_fd, 5), 0);
    return conninfo;
}

/* An export that has connected and waits for the answer. */
static struct server_program
start_waiting_export(const char *const before[])
{
    const char *argv[12];
    struct server_program program;
    unsigned n = 0;
    int fd;

    while (*before)
        argv[n++] = *before++;
    argv[n++] = server_pghaul();
    argv[n++] = "export";
    argv[n++] = "--source";
    argv[n++] = silent_server(&fd);
    argv[n++] = "--dir";
    argv[n++] = server_tmp_dir();
    argv[n] = NULL;
    program = server_program_start(argv);
    cr_assert_geq(accept(fd, NULL, NULL), 0); /* stays open */
    return program;
}

/* The kernel has not handed it over yet. */
static int
is_pending(pid_t pid, int number)
{
    unsigned long long mask = 0;
    char path[40], line[200];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f) &&
           sscanf(line, "ShdPnd: %llx", &mask) != 1)
        ;
    if (f)
        fclose(f);
    return mask >> (number - 1) & 1;
}

/* Not the second before the first has been taken, however slow the machine:
   the kernel would make one of them. */
static void
send_twice(pid_t pid, int number)
{
    for (int i = 0; i < 2; i++) {
        kill(pid, number);
        while (is_pending(pid, number))
            usleep(1000);
    }
}

ParameterizedTestParameters(cli, second_signal_ends_what_waits)
{
    static int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    return cr_make_param_array(int, numbers, sizeof numbers / sizeof *numbers);
}

ParameterizedTest(int *number, cli, second_signal_ends_what_waits,
                  .timeout = 60)
{
    struct server_program program =
        start_waiting_export((const char *const[]){NULL});

    send_twice(program.pid, *number);
    cleanup_run run = server_program_wait(&program);

    cr_assert_eq(run.status, ERR_CANCELLED);
    cr_assert_eq(strncmp(run.errors, "pghaul: error: ", 15), 0, "%s",
                 run.errors);
}

Test(cli, hang_up_that_nohup_ignores_stays_ignored, .timeout = 60)
{
    static const char *const nohup[] = {"sh", "-c", "trap '' HUP; exec \"$@\"",
                                        "sh", NULL};
    struct server_program program = start_waiting_export(nohup);
    int status;

    send_twice(program.pid, SIGHUP);
    cr_assert_eq(waitpid(program.pid, &status, WNOHANG), 0);
    send_twice(program.pid, SIGTERM);
    cleanup_run run = server_program_wait(&program);

    cr_assert_eq(run.status, ERR_CANCELLED);
}

Test(cli, nothing_that_is_opened_takes_the_place_of_a_closed_stderr,
     .timeout = 60)
{
    static const char *const closed[] = {"sh", "-c", "exec \"$@\" 2>&-", "sh",
                                         NULL};
    struct server_program program = start_waiting_export(closed);
    char name[40], path[40] = "";

    snprintf(name, sizeof name, "/proc/%d/fd/2", (int)program.pid);
    cr_assert_geq(readlink(name, path, sizeof path - 1), 0);
    cr_assert_str_eq(path, "/dev/null");
    send_twice(program.pid, SIGTERM);
    cleanup_run run = server_program_wait(&program);

    cr_assert_eq(run.status, ERR_CANCELLED);
}

Test(cli, no_core_file_would_hold_our_secrets)
{
    cleanup_run run = shell("command -v strace >/dev/null || exit 77\n"
                            "strace -e trace=prctl \"$0\" --version 2>&1 |"
                            "grep 'PR_SET_DUMPABLE, SUID_DUMP_DISABLE) *= 0'");

    if (run.status == 77)
        cr_skip_test("strace is not installed");
    cr_assert_eq(run.status, 0);
}

/* ---- errors of servers, for people and for programs ---- */

Test(cli, server_that_is_not_there_is_status_3_in_words_and_in_json)
{
    const char *dir = server_tmp_dir();
    cleanup_run run =
        PGHAUL("export", "--source", "host=/nowhere", "--dir", dir, "--json");
    json_t *all = json_loads(run.output, 0, NULL);
    const char *class, *message;
    int status;

    cr_assert_eq(run.status, ERR_SERVER);
    cr_assert_eq(strncmp(run.errors, "pghaul: error: ", 15), 0);
    cr_assert_eq(json_unpack(all, "{s:{s:s,s:i,s:s}}", "error", "class", &class,
                             "status", &status, "message", &message),
                 0, "%s", run.output);
    cr_assert_str_eq(class, "server");
    cr_assert_eq(status, ERR_SERVER);
    cr_assert(strstr(run.errors, message));
    json_decref(all);
}
