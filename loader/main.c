/* SPDX-License-Identifier: PostgreSQL */

/*
 * The outer shell: find the command, give it its options and a way to be
 * stopped, say what went wrong, and leave with the status that says it to
 * scripts.  Nobody else prints an error or exits.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/printable.h"
#include "io/stop.h"
#include "loader/cli/command.h"
#include "loader/cli/help.h"
#include "loader/cli/objects.h"

/* For the signal handler, which can be given nothing. */
static struct stop *stop;

static void
on_signal(int number)
{
    int saved = errno;

    (void)number;
    stop_request(stop);
    errno = saved;
}

/* What the caller wants ignored, as nohup(1) does, stays ignored. */
static int
catch_signal(int number, struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction old;

    if (sigaction(number, NULL, &old) < 0 ||
        (old.sa_handler != SIG_IGN && sigaction(number, &action, NULL) < 0))
        return err_sys(err, errno, "could not catch signal %d", number);
    return 0;
}

/*
 * A file opened later must not become descriptor 2 and get our messages.  For
 * reading only, so that writing a result to nowhere fails.  Our children's
 * too, so not O_CLOEXEC.
 */
static int
fill_standard_fds(struct err *err)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return err_sys(err, errno, "could not open \"/dev/null\"");
    close(fd);
    return 0;
}

static int
set_up_process(struct err *err)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    int r;

    r = fill_standard_fds(err);
    if (r < 0)
        return r;
    /* Secrets are in our memory: no core file, no debugger of our user's. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(err, errno, "could not forbid core dumps");
    /* A lost connection and a full quota are errors of a call: EPIPE, EFBIG. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    r = stop_new(&stop, err);
    for (unsigned i = 0; r == 0 && i < sizeof caught / sizeof *caught; i++)
        r = catch_signal(caught[i], err);
    return r;
}

/* ---- saying what went wrong ---- */

static void
print_part(const char *label, const char *text)
{
    char shown[PRINTABLE_SIZE(sizeof((struct err *)0)->message)];

    if (*text)
        fprintf(stderr, "pghaul: %s: %s\n", label,
                printable(shown, sizeof shown, text));
}

static void
print_error(const struct err *err)
{
    print_part("error", err->message);
    print_part("detail", err->detail);
    print_part("hint", err->hint);
}

static const char *class_name(enum err_class class)
{
    switch (class) {
    case ERR_DIFFERS:
        return "differs";
    case ERR_USAGE:
        return "usage";
    case ERR_SERVER:
        return "server";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_SYSTEM:
        return "system";
    case ERR_REFUSED:
        return "refused";
    case ERR_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

/* Add a part that is there; jansson takes UTF-8 only. */
static void
set_part(json_t *to, const char *key, const char *text)
{
    char shown[PRINTABLE_SIZE(sizeof((struct err *)0)->message)];

    if (*text)
        json_object_set_new(to, key,
                            json_string(printable(shown, sizeof shown, text)));
}

/* {"error": {...}}, for those who read with a program. */
static void
print_json(const struct err *err)
{
    json_t *parts = json_pack("{s:s,s:i}", "class", class_name(err->class),
                              "status", (int)err->class);
    json_t *all;

    set_part(parts, "sqlstate", err->sqlstate);
    set_part(parts, "message", err->message);
    set_part(parts, "detail", err->detail);
    set_part(parts, "hint", err->hint);
    all = json_pack("{s:o}", "error", parts);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* ---- what was asked for ---- */

static int
run_command(const struct command *c, int argc, char **argv, struct err *err)
{
    cleanup_(options_clear) struct options options = {0};
    int r, told = 0;

    r = options_parse(&options, c, argc, argv, err);
    if (r < 0)
        return r;
    if (options.help) {
        help_command(stdout, c);
        return 0;
    }
    if (objects_choose(&options, err) < 0)
        return -1;
    r = c->run(&(struct command_context){c, &options, stop, &told}, err);
    if (r < 0 && options.json && !told && err->class != ERR_DIFFERS &&
        err->class != c->verdict)
        print_json(err);
    return r;
}

/* pghaul --help, pghaul --version */
static int
run_no_command(int argc, char **argv, struct err *err)
{
    static const struct command none = {
        .name = "",
        .takes = OPTION_SET(version) | OPTION_SET(verbose),
    };
    struct options options;
    int r;

    r = options_parse(&options, &none, argc, argv, err);
    if (r < 0)
        return r;
    if (options.version)
        return version_print(stdout, options.verbose, err);
    if (options.help) {
        help_program(stdout);
        return 0;
    }
    err_set(err, ERR_USAGE, "no command given");
    return err_hint(err, "Try \"pghaul --help\".");
}

static int
asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int
dispatch(int argc, char **argv, struct err *err)
{
    const struct command *c;
    unsigned used;
    int r;

    if (argc < 2 || argv[1][0] == '-')
        return run_no_command(argc, argv, err);
    if (argc == 3 && command_is_group(argv[1]) && asks_for_help(argv[2])) {
        help_group(stdout, argv[1]);
        return 0;
    }
    r = command_find(&c, argv + 1, (unsigned)argc - 1, &used, err);
    if (r < 0)
        return r;
    return run_command(c, argc - (int)used, argv + used, err);
}

/* A result that did not arrive, on a full disk, is no success. */
static int
flush_output(struct err *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return err_sys(err, errno, "could not write to standard output");
}

int
main(int argc, char **argv)
{
    struct err err;
    int r;

    r = set_up_process(&err);
    if (r == 0)
        r = dispatch(argc, argv, &err);
    if (r == 0)
        r = flush_output(&err);
    if (r == 0)
        return 0;
    assert(r < 0); /* outcomes are for callees' callers, not for main */
    print_error(&err);
    return (int)err.class;
}
