/* SPDX-License-Identifier: PostgreSQL */

/* Encrypted runs: nothing of the rows lies plain below RUN, at no moment; who
   has a key reads all of it, with pghaul or with age, and nobody else does. */

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* ---- the source ---- */

/* In the rows, in a large object, and in definitions. */
static const char canaries[] =
    "CREATE TABLE public.birds (id int PRIMARY KEY,"
    "  song text DEFAULT 'canary-in-default',"
    "  nest text CHECK (nest <> 'canary-in-check'));"
    "COMMENT ON TABLE public.birds IS 'canary-in-comment';"
    "INSERT INTO public.birds SELECT i, 'canary-in-row-' || md5(i::text), i"
    "  FROM generate_series(1, 50000) AS i;"
    "CREATE INDEX ON public.birds (song) WHERE nest <> 'canary-in-index';"
    "CREATE VIEW public.singers AS SELECT * FROM public.birds"
    "  WHERE song <> 'canary-in-view';"
    "SELECT lo_from_bytea(0, 'canary-in-object');";

static const char *
source(void)
{
    const char *s = moves_source();

    server_sql(s, canaries);
    return s;
}

/* ---- keys and commands ---- */

static const char *dir;

static struct server_run
shell(const char *command)
{
    return server_run((const char *const[]){
        "sh", "-c", "cd \"$0\" && eval \"$1\"", dir, command, NULL});
}

static void
must(const char *command)
{
    struct server_run run = shell(command);

    cr_assert_eq(run.status, 0, "%s: %s%s", command, run.errors, run.output);
}

static const char *
path(const char *name)
{
    return moves_path(dir, name);
}

static char recipient[80], other_recipient[80];

static void
read_line(char to[80], const char *command)
{
    struct server_run run = shell(command);

    cr_assert_eq(run.status, 0, "%s", run.errors);
    snprintf(to, 80, "%.*s", (int)strcspn(run.output, "\n"), run.output);
}

static void
make_keys(void)
{
    dir = server_tmp_dir();
    must("umask 077; age-keygen -o key 2>/dev/null");
    must("umask 077; age-keygen -o other 2>/dev/null");
    read_line(recipient, "age-keygen -y key");
    read_line(other_recipient, "age-keygen -y other");
}

#define export_words(from, ...)                                                \
    moves_words("export", "--source", from, "--dir", path("run"),              \
                "--chunk-size", "1MB", "--format", "text", __VA_ARGS__)

static void
export_encrypted(const char *from)
{
    struct server_run run =
        server_run(export_words(from, "--recipient", recipient));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.output, "encrypted to 1 recipient\n"), "%s",
                       run.output);
}

#define load(to, ...)                                                          \
    moves_pghaul("load", "--target", to, "--dir", path("run"), __VA_ARGS__)

static void
assert_loads(const char *from)
{
    const char *to = server_database("target");
    struct server_run run = load(to, "--identity", path("key"));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(from, to);
}

/* grep answers 1 when it has read all and found nothing. */
static void
assert_no(const char *canary)
{
    char command[100];
    struct server_run run;

    snprintf(command, sizeof command, "grep -rl '%s' run", canary);
    run = shell(command);
    cr_assert_eq(run.status, 1, "%s%s", run.errors, run.output);
}

static void
assert_empty(const char *to)
{
    cr_assert_str_eq(server_value(to, "SELECT count(*) FROM pg_namespace WHERE"
                                      " nspname IN ('shop', 'pghaul')"),
                     "0");
}

TestSuite(encrypted, .init = make_keys);

/* ---- what lies on the disk ---- */

Test(encrypted, nothing_is_plain_and_who_has_the_key_loads_it)
{
    const char *from = source();

    export_encrypted(from);
    assert_no("canary");
    must("cd run; test -z \"$(find data -type f ! -name '*.age'"
         " ! -name catalog.json)\"");
    must("cd run; sha256sum --strict --quiet -c manifest-sha256.txt");
    must("for f in run/data/tables/*-birds/*.age; do"
         " age -d -i key $f | lz4 -dcq; done | grep -c canary-in-row- |"
         " grep -qx 50000");
    must("age -d -i key run/data/schema/pre-data.sql.age |"
         " grep -q canary-in-default");
    assert_loads(from);
    assert_no("canary-in-row");
    assert_no("canary-in-object");
}

/* Else nothing above would prove anything. */
Test(encrypted, without_recipients_all_is_plain_and_is_said_to_be)
{
    const char *from = source();
    struct server_run run = server_run(export_words(from, "--roles"));

    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(
        strstr(run.output, "not encrypted: --recipient was not given\n"));
    must("grep -rl canary-in-row run/data/tables");
    must("grep -rl canary-in-object run/data/large-objects");
    must("grep -q canary-in-default run/data/schema/pre-data.sql");

    /* And what was plain does not stay when it is begun anew. */
    run = server_run(export_words(from, "--roles", "--recipient", recipient));
    moves_assert_says(run, 6, "begun with other recipients");
    run = server_run(export_words(from, "--roles", "--recipient", recipient,
                                  "--start-over"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_no("canary");
    must("test ! -e run/data/schema.dump -a ! -e run/data/roles.sql");
    must("age -d -i key run/data/roles.sql.age | grep -q 'CREATE ROLE'");
    run = load(server_database("target"), "--roles", "--identity", path("key"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

/* ---- who has no key ---- */

static const struct {
    const char *option, *file, *command;
    int status;
    const char *says;
} wrong[] = {
    {"--jobs", NULL, "2", 6, "\"data/schema.dump.age\" is encrypted\n"},
    {"--identity", "other", NULL, 6, "is encrypted to other keys\n"},
    {"--identity", "other", NULL, 6, "/other\".\n"},
    {"--identity", "open", NULL, 6, "others have a right to it"},
    {"--identity", "none", NULL, 5, "No such file"},
    {"--identity", "junk", NULL, 2, "is not an identity file"},
    {"--identity-command", NULL, "echo locked >&2; exit 3", 6, "locked"},
    {"--identity-command", NULL, "true", 2, "there is no identity"},
};

Test(encrypted, without_the_right_key_nothing_is_begun)
{
    const char *from = source(), *to = server_database("target");
    struct server_run run;

    export_encrypted(from);
    must("cp key open; chmod 640 open");
    must("umask 077; echo AGE-SECRET-KEY-1SECRET >junk");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run = load(to, wrong[i].option,
                   wrong[i].file ? path(wrong[i].file) : wrong[i].command);
        moves_assert_says(run, wrong[i].status, wrong[i].says);
        cr_assert_null(strstr(run.errors, "1SECRET"));
        assert_empty(to);
    }
    run = load(to, "--identity-command", "cat \"$KEY\"");
    moves_assert_says(run, 6, "--identity-command failed");
    setenv("KEY", path("key"), 1);
    run = load(to, "--identity-command", "cat \"$KEY\"");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(from, to);
}

/* What is carried elsewhere says itself to whom it is encrypted. */
Test(encrypted, a_carried_run_is_loaded_with_a_config_file)
{
    const char *from = source(), *to = server_database("target");
    struct server_run run;

    export_encrypted(from);
    must("rm -f run/run.db*");
    must("echo \"identity: $PWD/key\" >config");
    run = load(to, "--config", path("config"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(from, to);
    run = moves_pghaul("status", "--dir", path("run"));
    cr_assert_not_null(strstr(run.output, recipient), "%s", run.output);
}

Test(encrypted, damage_is_found_before_it_is_decrypted)
{
    struct server_run run;

    export_encrypted(source());
    must("f=$(ls run/data/tables/*-birds/*.age | tail -1); chmod 600 $f;"
         " printf x | dd of=$f bs=1 seek=3000 conv=notrunc 2>/dev/null");
    run = load(server_database("target"), "--identity", path("key"));
    moves_assert_says(run, 4, "is damaged");
}

/* ---- interrupted ---- */

static void
kill_when_staged(const char *const argv[])
{
    struct server_program p = server_program_start(argv);

    moves_wait_until_staged(path("run"));
    usleep(300000);
    kill(p.pid, SIGKILL);
    server_program_wait(&p);
}

Test(encrypted, a_killed_export_leaves_nothing_plain_and_goes_on)
{
    const char *from = source();
    struct server_run run;

    kill_when_staged(export_words(from, "--recipient", recipient, "--max-rate",
                                  "1MB", "--jobs", "2"));
    must("ls run/data/tables/*/*.age");
    assert_no("canary");
    run = server_run(export_words(from, "--recipient", other_recipient));
    moves_assert_says(run, 6, "this run was begun with other recipients");
    run = server_run(export_words(from, "--recipient", recipient, "--recipient",
                                  other_recipient));
    moves_assert_says(run, 6, "this run was begun with other recipients");
    export_encrypted(from);
    assert_no("canary");
    must("test -z \"$(find run -name '*.part')\"");
    assert_loads(from);
}

#define clone_words(from, to, ...)                                             \
    moves_words("clone", "--source", from, "--target", to, "--dir",            \
                path("run"), "--recipient", recipient, "--chunk-size", "1MB",  \
                __VA_ARGS__)

Test(encrypted, a_clone_needs_no_secret_until_another_process_goes_on)
{
    const char *from = source(), *to = server_database("target");
    struct server_run run;

    run = server_run(clone_words(from, to, "--identity", path("other")));
    moves_assert_says(run, 2, "no identity given is that of a recipient");
    kill_when_staged(clone_words(from, to, "--max-rate", "1MB"));
    assert_no("canary-in-row");
    run = server_run(clone_words(from, to, "--jobs", "2"));
    moves_assert_says(run, 6, "\"data/schema.dump.age\" is encrypted to other");
    run = server_run(clone_words(from, to, "--identity", path("key")));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(from, to);
    assert_no("canary-in-row");

    must("rm -r run");
    to = server_database("target");
    run = server_run(clone_words(from, to, "--jobs", "2"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_assert_equal(from, to);
    assert_no("canary-in-row");
}

/* ---- proofs ---- */

Test(encrypted, what_differs_is_known_without_a_key_and_shown_with_one)
{
    const char *from = source(), *to = server_database("target");
    struct server_run run;

    export_encrypted(from);
    run = load(to, "--identity", path("key"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("verify", "--target", to, "--dir", path("run"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run =
        moves_pghaul("verify", "--target", to, "--dir", path("run"), "--deep");
    moves_assert_says(run, 6, "is encrypted\n");
    run = moves_pghaul("verify", "--target", to, "--dir", path("run"), "--deep",
                       "--layers", "all", "--identity", path("key"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(to, "UPDATE public.birds SET song = 'crow' WHERE id = 4711");
    run = moves_pghaul("verify", "--target", to, "--dir", path("run"));
    moves_assert_says(run, 1, "is not equal");
    cr_assert_not_null(strstr(run.errors, "could not be looked for"), "%s",
                       run.output);
    run = moves_pghaul("verify", "--target", to, "--dir", path("run"),
                       "--identity", path("key"));
    moves_assert_says(run, 1, "is not equal");
    cr_assert_not_null(strstr(run.errors, "id = 4711"), "%s", run.errors);
}

Test(encrypted, two_bags_are_compared)
{
    const char *from = source();
    struct server_run run;

    export_encrypted(from);
    must("mv run first");
    export_encrypted(from);
    run = moves_pghaul("verify", "--dir", path("run"), "--other-dir",
                       path("first"), "--deep", "--identity", path("key"));
    cr_assert_eq(run.status, 0, "%s", run.errors);
}

/* ---- by hand ---- */

/* The README's indented lines, run with nothing but what it names. */
static const char follow[] =
    "set -eu; mkdir bin\n"
    "for p in psql pg_restore; do ln -s $BIN/$p bin; done\n"
    "for p in age lz4 sha256sum; do ln -s $(command -v $p) bin; done\n"
    "sed -n 's/^    //p' run/README.txt >commands\n"
    "sh=$(command -v sh); cd run\n"
    "if PATH=$PWD/../bin $sh -eu ../commands 2>/dev/null; then exit 7; fi\n"
    "AGE_KEY=$PWD/../key PATH=$PWD/../bin $sh -eu ../commands\n";

Test(encrypted, readme_restores_it_with_age_and_common_tools_alone)
{
    const char *from = server_database("source");
    const char *target = server_conninfo("target");
    char restored[512];
    struct server_run run;

    server_sql(from, canaries);
    server_sql(target, "DROP DATABASE IF EXISTS restored");
    export_encrypted(from);
    setenv("BIN", server_bin_dir(), 1);
    setenv("PGHOST", server_socket_dir("target"), 1);
    setenv("PGUSER", server_value(target, "SELECT current_user"), 1);
    setenv("PGPORT", server_value(target, "SHOW port"), 1);
    run = shell(follow);
    unsetenv("PGHOST");
    cr_assert_eq(run.status, 0, "%s%s", run.errors, run.output);
    cr_assert_str_eq(run.errors, "");
    snprintf(restored, sizeof restored, "%s dbname=restored", target);
    cr_assert_str_eq(server_fingerprint(restored, "public.birds"),
                     server_fingerprint(from, "public.birds"));
}
