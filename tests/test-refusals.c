/* SPDX-License-Identifier: PostgreSQL */

/*
 * What must be refused, or survived, as a user meets it: each case is a
 * command, its exit status, and what its message and hint say.
 */

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source", .hba = "local all guarded scram-sha-256\n"
                          "local all barred reject"},
        {"target", .hba = "local all guarded scram-sha-256\n"
                          "local all barred reject"})

/* Roles are the cluster's, and there before every test. */
static const char roles[] =
    "DO $$ BEGIN IF to_regrole('guarded') IS NULL THEN"
    " CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'canary-in-the-mine';"
    " CREATE ROLE barred LOGIN;"
    " CREATE ROLE sleeper NOLOGIN;"
    " CREATE ROLE guest LOGIN;"
    " END IF; END $$";

static const char few_rows[] =
    "CREATE TABLE a (i int PRIMARY KEY, t text);"
    "CREATE TABLE b (i int PRIMARY KEY, t text);"
    "INSERT INTO a SELECT i, md5(i::text) FROM generate_series(1, 1000) AS i;"
    "INSERT INTO b SELECT i, md5(i::text) FROM generate_series(1, 100) AS i;";

static const char *
source_database(void)
{
    const char *source = server_database("source");

    server_sql(source, roles);
    server_sql(source, few_rows);
    return source;
}

static const char *
target_database(void)
{
    const char *target = server_database("target");

    server_sql(target, roles);
    return target;
}

/* "a b": of a string's keywords, the last counts. */
static const char *
with(const char *conninfo, const char *more)
{
    return server_process_text("%s %s", conninfo, more);
}

static struct server_run
shell(const char *dir, const char *script)
{
    struct server_run run = server_run((const char *const[]){
        "sh", "-c", server_process_text("set -e; cd '%s'; %s", dir, script),
        server_pghaul(), NULL});

    cr_assert_eq(run.status, 0, "%s: %s", script, run.errors);
    return run;
}

/* hint "": whatever it is, or none. */
static void
assert_refused(const struct server_run *run, const char *name, int status,
               const char *says, const char *hint)
{
    const char *hints = strstr(run->errors, "pghaul: hint: ");

    cr_assert_eq(run->status, status, "%s: status %d: %s", name, run->status,
                 run->errors);
    cr_assert_not_null(strstr(run->errors, says), "%s: \"%s\" is not in: %s",
                       name, says, run->errors);
    cr_assert(!*hint || (hints && strstr(hints, hint)),
              "%s: no hint \"%s\" in: %s", name, hint, run->errors);
}

static void
assert_arrives(const char *source, const char *run_dir, const char *target)
{
    moves_load(target, run_dir);
    moves_assert_verified(target, run_dir);
    cr_assert_str_eq(server_fingerprint(target, "public.a"),
                     server_fingerprint(source, "public.a"));
    cr_assert_str_eq(server_fingerprint(target, "public.b"),
                     server_fingerprint(source, "public.b"));
}

/* ---- the command line ---- */

static const struct {
    const char *words[4];
    const char *says;
} bad_words[] = {
    {{"--bogus"}, "unrecognized option \"--bogus\""},
    {{"--target", "dbname=x"}, "does not take option \"--target\""},
    {{"--jobs", "0"}, "invalid value \"0\" for option \"--jobs\""},
    {{"--chunk-size", "much"}, "invalid value \"much\" for option"},
    {{"--format", "csv"}, "invalid value \"csv\" for option \"--format\""},
    {{"--quiet", "--verbose"}, "cannot be used together"},
    {{"--quiet", "--progress", "plain"}, "cannot be used together"},
    {{"--source", "host=a nonsense"}, "invalid connection string"},
    {{"more"}, "too many command-line arguments"},
};

Test(refusals, bad_words_are_refused_before_anything_is_made)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    for (unsigned i = 0; i < sizeof bad_words / sizeof *bad_words; i++) {
        const char *const *w = bad_words[i].words;
        int has_source = strcmp(w[0], "--source") == 0;
        const char *argv[] = {server_pghaul(),
                              "export",
                              "--dir",
                              run_dir,
                              has_source ? "--quiet" : "--source=dbname=x",
                              w[0],
                              w[1],
                              w[2],
                              NULL};
        struct server_run run = server_run(argv);

        assert_refused(&run, w[0], 2, bad_words[i].says, "");
        cr_assert_neq(access(run_dir, F_OK), 0, "%s made it", w[0]);
    }
}

/* ---- servers that say no ---- */

static const struct {
    const char *name;
    const char *more;     /* of the connection string */
    const char *password; /* PGPASSWORD */
    const char *says, *hint;
} strict_servers[] = {
    {"no password", "user=guarded", NULL, "no password supplied",
     "the password in ~/.pgpass"},
    {"wrong password", "user=guarded", "wrong",
     "password authentication failed for user \"guarded\"",
     "the password in ~/.pgpass"},
    {"no such database", "dbname=none", NULL,
     "database \"none\" does not exist", "\"psql -l\" lists them"},
    {"no such role", "user=nobody_here", NULL,
     "role \"nobody_here\" does not exist", "Check that the role exists"},
    {"role that may not log in", "user=sleeper", NULL,
     "role \"sleeper\" is not permitted to log in", "may log in"},
    {"refused by pg_hba.conf", "user=barred", NULL,
     "pg_hba.conf rejects connection", "pg_hba.conf lets it in"},
    {"no socket", "port=5433", NULL, "No such file or directory",
     "Is the server running locally"},
    {"nobody listens", "host=127.0.0.1 port=1", NULL, "Connection refused",
     "Is the server running on that host"},
    {"no such host", "host=no-such-host.invalid", NULL,
     "could not translate host name", ""},
};

static void
assert_all_refuse(const char *side, const char *conninfo, const char *command,
                  const char *run_dir)
{
    const char *to = server_process_text("could not connect to the %s: ", side);
    const char *option = server_process_text("--%s", side);

    for (unsigned i = 0; i < sizeof strict_servers / sizeof *strict_servers;
         i++) {
        const char *name = strict_servers[i].name;
        struct server_run run;

        if (strict_servers[i].password)
            setenv("PGPASSWORD", strict_servers[i].password, 1);
        run = moves_pghaul(command, option,
                           with(conninfo, strict_servers[i].more), "--dir",
                           run_dir);
        unsetenv("PGPASSWORD");
        assert_refused(&run, name, 3, to, "");
        assert_refused(&run, name, 3, strict_servers[i].says,
                       strict_servers[i].hint);
    }
}

Test(refusals, source_that_says_no_is_quoted_and_the_directory_can_be_used_then)
{
    const char *source = source_database(), *target = target_database();
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    assert_all_refuse("source", source, "export", run_dir);
    moves_export(source, run_dir);
    assert_arrives(source, run_dir, target);
}

Test(refusals, target_that_says_no_is_quoted_and_the_run_is_as_it_was)
{
    const char *source = source_database(), *target = target_database();
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    moves_export(source, run_dir);
    assert_all_refuse("target", target, "load", run_dir);
    assert_all_refuse("target", target, "verify", run_dir);
    assert_arrives(source, run_dir, target);
}

Test(refusals, server_that_is_stopped_is_said_to_be_and_used_when_it_is_back)
{
    const char *source = source_database(), *target = target_database();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_crash("source");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    server_start("source");
    assert_refused(&run, "stopped", 3, "could not connect to the source: ",
                   "Is the server running locally");
    moves_export(source, run_dir);
    assert_arrives(source, run_dir, target);
}

Test(refusals, table_that_may_not_be_read_is_named_and_nothing_is_exported)
{
    const char *source = source_database(), *target = target_database();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, "GRANT SELECT ON a TO guest");
    run = moves_pghaul("export", "--source", with(source, "user=guest"),
                       "--dir", run_dir);
    assert_refused(&run, "b", 3,
                   "could not execute LOCK TABLE on the source: permission "
                   "denied for table b",
                   "Grant the privilege to this role");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_refused(&run, "load", 6, "the export of this run is not complete",
                   "Repeat the command");

    server_sql(source, "GRANT SELECT ON b TO guest");
    moves_export(with(source, "user=guest"), run_dir);
    assert_arrives(source, run_dir, target);
}

Test(refusals, target_where_nothing_may_be_made_is_left_as_it_was)
{
    const char *source = source_database(), *target = target_database();
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *guest = with(target, "user=guest");
    struct server_run run;

    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", guest, "--dir", run_dir);
    assert_refused(&run, "database", 3,
                   "could not execute CREATE SCHEMA on the target: permission "
                   "denied for database",
                   "Grant the privilege to this role");

    server_sql(target, server_process_text(
                           "GRANT CREATE ON DATABASE %s TO guest",
                           server_value(target, "SELECT current_database()")));
    run = moves_pghaul("load", "--target", guest, "--dir", run_dir);
    assert_refused(&run, "schema", 3,
                   "could not execute CREATE TABLE on the target: permission "
                   "denied for schema public",
                   "Grant the privilege to this role");
    assert_refused(&run, "schema", 3, "the schema's TABLE a", "");
    cr_assert_null(server_value(target, "SELECT to_regclass('public.a')"));

    server_sql(target, "GRANT CREATE ON SCHEMA public TO guest;"
                       "GRANT postgres TO guest");
    assert_arrives(source, run_dir, guest);
}

/* ---- directories ---- */

static const struct {
    const char *name;
    const char *make;    /* in an empty directory, by sh */
    const char *dir;     /* below it */
    const char *command; /* that gets it as --dir */
    int needs_root, status;
    const char *says, *hint;
} directories[] = {
    {"a file", "touch d", "d", "export", 0, 2, "d\" is not a directory",
     "Give the name of a directory."},
    {"somebody's files", "mkdir -m 700 d; touch d/x", "d", "export", 0, 2,
     "d\" is not a run directory", "empty or does not exist"},
    {"somebody's files, for load", "mkdir -m 700 d; touch d/x", "d", "load", 0,
     2, "d\" is not a run directory", "\"pghaul export\" was given"},
    {"nothing there, for load", "true", "d", "load", 0, 2,
     "d\" is not a run directory", ""},
    {"no parent", "true", "no/d", "export", 0, 5, "could not create directory",
     ""},
    {"writable by the group", "mkdir d; chmod 770 d", "d", "export", 0, 6,
     "d\" is writable by others", "chmod go-w"},
    {"writable by all", "mkdir d; chmod 703 d", "d", "load", 0, 6,
     "d\" is writable by others", "chmod go-w"},
    {"a link", "mkdir -m 700 e; ln -s e d", "d", "export", 0, 6,
     "d\" is a symbolic link", "that it points to"},
    {"a link with a slash", "mkdir -m 700 e; ln -s e d", "d/", "export", 0, 6,
     "is a symbolic link", "that it points to"},
    {"another user's", "mkdir -m 700 d; chown nobody d", "d", "export", 1, 6,
     "d\" belongs to another user", "Run as its owner"},
    {"parent may not be written", "mkdir ro; mount -t tmpfs -o ro none ro",
     "ro/d", "export", 1, 5, "Read-only file system", ""},
    {"lock is a link", "mkdir -m 700 d; ln -s /etc/passwd d/lock", "d",
     "export", 0, 5, "could not open", ""},
    {"lock is a pipe", "mkdir -m 700 d; mkfifo d/lock", "d", "export", 0, 6,
     "is not a regular file of one name", ""},
};

/* Mounts of this test are seen by it and its children, and go with it. */
static void
have_own_mounts(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        cr_skip_test("only root may mount");
}

Test(refusals, directory_that_cannot_be_ours_is_refused)
{
    const char *source = source_database();
    int is_root = geteuid() == 0;

    if (is_root)
        have_own_mounts();
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++) {
        const char *base = server_tmp_dir();
        const char *load = strcmp(directories[i].command, "load") == 0
                               ? "--target"
                               : "--source";
        struct server_run run;

        if (directories[i].needs_root && !is_root)
            continue;
        shell(base, directories[i].make);
        run = moves_pghaul(directories[i].command, load, source, "--dir",
                           moves_path(base, directories[i].dir));
        assert_refused(&run, directories[i].name, directories[i].status,
                       directories[i].says, directories[i].hint);
    }
}

Test(refusals, export_does_not_touch_a_run_that_was_carried_here)
{
    const char *source = source_database(), *other = source_database();
    const char *target = target_database(), *dir = server_tmp_dir();
    const char *run_dir = moves_path(dir, "run");
    struct server_run run;

    moves_export(source, run_dir);
    shell(run_dir, "rm run.db lock");
    run = moves_pghaul("status", "--dir", run_dir);
    assert_refused(&run, "status", 6, "no command has worked in",
                   "load it, or verify it");
    run = moves_pghaul("export", "--source", other, "--dir", run_dir);
    assert_refused(&run, "other", 6, "is of another source",
                   "a directory of its own");

    shell(run_dir, "rm run.db lock");
    server_sql(source, "ALTER TABLE b RENAME TO c; CREATE TABLE b (i int)");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_not_null(strstr(run.output, "nothing to do"), "%s", run.output);
    server_sql(source, "DROP TABLE b; ALTER TABLE c RENAME TO b");
    assert_arrives(source, run_dir, target);
}

/* ---- what is in the directory ---- */

/* pghaul load, after the script has been at work in a copy of a run. */
static const struct damage {
    const char *name, *script;
    int status;
    const char *says, *hint;
} damages[] = {
    {"run.db cut short", "truncate -s 5000 run.db", 4,
     "run.db\": database disk image is malformed", "data/catalog.json"},
    {"run.db overwritten", "head -c 50000 /dev/urandom >run.db", 4,
     "run.db\": file is not a database", "data/catalog.json"},
    {"run.db without a table", "sqlite3 run.db 'DROP TABLE chunks'", 4,
     "run.db\": no such table", "data/catalog.json"},
    {"run.db without the run's id",
     "sqlite3 run.db \"DELETE FROM settings WHERE key = 'run.id'\"", 4,
     "does not say which run it is of", ""},
    {"run.db without the schema's checksum",
     "sqlite3 run.db \"DELETE FROM settings WHERE key = 'schema.sha256'\"", 4,
     "does not say what schema.dump is", ""},
    {"run.db of the future", "sqlite3 run.db 'PRAGMA user_version = 99'", 6,
     "is of version 99, this program reads version",
     "Use the version of pghaul that began the run."},
    {"run.db of another program", "sqlite3 run.db 'PRAGMA application_id = 1'",
     6, "run.db\" is not a run catalogue", ""},
    {"run.db is a link", "mv run.db x; ln -s x run.db", 6, "could not trust",
     ""},
    {"run.db is a directory", "rm run.db; mkdir run.db", 6, "could not trust",
     ""},
    {"no schema", "rm data/schema.dump", 4, "\"schema.dump\" is missing", ""},
    {"schema cut short", "truncate -s -100 data/schema.dump", 4,
     "\"schema.dump\" is damaged", ""},
    {"schema empty", ": >data/schema.dump", 4, "\"schema.dump\" is damaged",
     ""},
    {"another name in the schema",
     "sed -i 's/md5/sha/' data/schema.dump;"
     " printf x | dd of=data/schema.dump bs=1 seek=400 conv=notrunc",
     4, "\"schema.dump\" is damaged", ""},
    {"schema is a link", "mv data/schema.dump x; ln -s ../x data/schema.dump",
     6, "\"data/schema.dump\" goes through a symbolic link", ""},
    {"schema of a pg_dump that knew less",
     "LC_ALL=C sed -i 's/1[5-9]\\(\\.[0-9]\\)/13\\1/g' data/schema.dump;"
     " sqlite3 run.db \"UPDATE settings SET value ="
     " '$(sha256sum data/schema.dump | cut -c1-64)'"
     " WHERE key = 'schema.sha256'\"",
     6, "was dumped by pg_dump 13, too old for a target of PostgreSQL",
     "Install the client programs of PostgreSQL 15 or newer"},
    {"chunk missing", "rm data/tables/*-a/*.lz4", 4, ".copy.lz4\" is missing",
     ""},
    {"chunk cut short", "truncate -s -1 data/tables/*-a/*.lz4", 4,
     ".copy.lz4\" has the wrong length", ""},
    {"chunk longer", "echo >>$(ls data/tables/*-a/*.lz4)", 4,
     ".copy.lz4\" has the wrong length", ""},
    {"chunk of another run of the same",
     "cp ../other/data/tables/*-a/*.lz4 data/tables/*-a/", 4,
     ".copy.lz4\" is damaged", ""},
    {"chunk is a link",
     "cd data/tables/*-a; f=$(ls *.lz4); mv $f x; ln -s x $f", 6,
     "goes through a symbolic link", "Put what it points to in its place."},
    {"chunk is a pipe", "cd data/tables/*-a; f=$(ls *.lz4); rm $f; mkfifo $f",
     6, "is not a regular file", ""},
    /* Without run.db, the catalogue is made from data/catalog.json. */
    {"catalog.json cut short",
     "rm run.db tagmanifest-sha256.txt; truncate -s 700 data/catalog.json", 4,
     "\"catalog.json\" is not valid JSON at line", ""},
    {"catalog.json empty",
     "rm run.db tagmanifest-sha256.txt; : >data/catalog.json", 4,
     "\"catalog.json\" is not valid JSON", ""},
    {"catalog.json no object",
     "rm run.db tagmanifest-sha256.txt; echo '[]' >data/catalog.json", 4,
     "\"catalog.json\": expected an object, found an array", ""},
    {"catalog.json of the future",
     "rm run.db tagmanifest-sha256.txt; sed -i 's/\"version\": 1,/\"version\": "
     "7,/' data/catalog.json",
     6, "catalog.json has version 7", "newer pghaul"},
    {"catalog.json without a run",
     "rm run.db tagmanifest-sha256.txt; sed -i '/\"run\":/s/: \"....../: "
     "\"zzzzzz/' data/catalog.json",
     4, "catalog.json: run is not a UUID", ""},
    {"catalog.json that counts below zero",
     "rm run.db tagmanifest-sha256.txt; sed -i 's/\"rows\": [0-9]*/\"rows\": "
     "-4/' data/catalog.json",
     4, "rows", ""},
    {"catalog.json that points elsewhere",
     "rm run.db tagmanifest-sha256.txt; sed -i "
     "'s#\"tables/[0-9]*-a/#\"../../run/data/#' "
     "data/catalog.json",
     6, "is not the name of a file below its directory", ""},
    {"catalog.json with another checksum",
     "rm run.db tagmanifest-sha256.txt; sed -i '/\"schema\"/s/\"sha256\": "
     "\"../\"sha256\": \"zz/' "
     "data/catalog.json",
     4, "checksum", ""},
};

Test(refusals, damaged_run_is_refused_by_name_and_an_intact_copy_still_loads)
{
    const char *source = source_database(), *target = target_database();
    const char *dir = server_tmp_dir();
    const char *run_dir = moves_path(dir, "run");

    moves_export(source, run_dir);
    moves_export(source, moves_path(dir, "other"));
    for (unsigned i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct server_run run;

        shell(dir, server_process_text("rm -rf copy; cp -a run copy; cd copy;"
                                       "{ %s; } 2>/dev/null",
                                       damages[i].script));
        run = moves_pghaul("load", "--target", target, "--dir",
                           moves_path(dir, "copy"));
        assert_refused(&run, damages[i].name, damages[i].status,
                       damages[i].says, damages[i].hint);
        cr_assert_str_eq(server_value(target,
                                      "SELECT coalesce((xpath('/row/n/text()',"
                                      " query_to_xml('SELECT count(*) AS n"
                                      " FROM public.a', true, true, '')))[1]"
                                      "::text, '0') WHERE"
                                      " to_regclass('public.a') IS NOT NULL"
                                      " UNION ALL SELECT '0' LIMIT 1"),
                         "0", "%s: rows were loaded", damages[i].name);
    }
    assert_arrives(source, run_dir, target);
}

/* ---- a full disk ---- */

static void
resize(const char *disk, const char *size)
{
    cr_assert_eq(mount("none", disk, "tmpfs", MS_REMOUNT,
                       server_process_text("size=%s", size)),
                 0);
}

static const char *
small_disk(const char *size)
{
    const char *disk = server_tmp_dir();

    have_own_mounts();
    cr_assert_eq(mount("none", disk, "tmpfs", 0,
                       server_process_text("mode=0700,size=%s", size)),
                 0);
    return disk;
}

static const char incompressible[] =
    "INSERT INTO a SELECT i, (SELECT string_agg(sha256((i * 50 + j)"
    "::text::bytea)::text, '') FROM generate_series(1, 30) AS j)"
    " FROM generate_series(10001, 20000) AS i";

/* 1: run.db and the schema have room, the rows have not. */
Test(refusals, disk_full_of_rows_is_said_and_the_command_completes_with_room)
{
    const char *source = source_database(), *target = target_database();
    const char *disk = small_disk("8m");
    const char *run_dir = moves_path(disk, "run");
    const char *const words[] = {server_pghaul(), "export", "--source",
                                 source,          "--dir",  run_dir,
                                 "--chunk-size",  "1MB",    NULL};
    struct server_run run;

    server_sql(source, incompressible);
    run = server_run(words);
    assert_refused(&run, "8 MB", 5, "No space left on device", "Make room");
    run = shell(run_dir, "find . -name '*.part' -o -name catalog.json");
    cr_assert_str_empty(run.output);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_refused(&run, "load", 6, "is not complete", "Repeat");

    resize(disk, "64m");
    run = server_run(words);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    assert_arrives(source, run_dir, target);
}

Test(refusals, disk_full_of_anything_else_is_said_just_so)
{
    const char *source = source_database(), *target = target_database();
    const char *disk = small_disk("8k");
    const char *run_dir = moves_path(disk, "run");
    struct server_run run;

    server_sql(source,
               "DO $$ BEGIN EXECUTE format('CREATE FUNCTION f() RETURNS text"
               " LANGUAGE sql AS %L', 'SELECT ''' || repeat('x', 900000) ||"
               " ''''); END $$");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    assert_refused(&run, "run.db", 5, "run.db\": No space left on device",
                   "Make room");
    resize(disk, "700k");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir);
    assert_refused(&run, "schema", 5, "schema.dump.part\": No space left",
                   "Make room");

    resize(disk, "64m");
    moves_export(source, run_dir);
    assert_arrives(source, run_dir, target);
}

/* ---- secrets ---- */

static const char canary[] = "canary-in-the-mine";

/* In the tools' places, programs that note what they and the keeper were given
   and then do the work. */
static void
watch_tools(const char *dir)
{
    static const char *const tools[] = {"pg_dump", "pg_restore"};

    have_own_mounts();
    for (unsigned i = 0; i < sizeof tools / sizeof *tools; i++) {
        const char *real = moves_path(server_bin_dir(), tools[i]);
        const char *ours = moves_path(dir, tools[i]);
        FILE *f = fopen(ours, "w");

        fprintf(f,
                "#!/bin/sh\n"
                "for p in $$ $(grep -lzx keeper /proc/[0-9]*/cmdline |"
                " cut -d/ -f3); do\n"
                "  cat /proc/$p/cmdline; echo; cat /proc/$p/environ; echo\n"
                "done >>%s/given 2>/dev/null\n"
                "exec %s.real \"$@\"\n",
                dir, ours);
        fclose(f);
        shell(dir, server_process_text("cp %s %s.real; chmod 755 %s", real,
                                       ours, ours));
        cr_assert_eq(mount(ours, real, NULL, MS_BIND, NULL), 0);
    }
}

static const struct {
    const char *name, *more;
    const char *variable, *value; /* %s: a directory */
} ways[] = {
    {"PGPASSWORD", "user=guarded", "PGPASSWORD", canary},
    {".pgpass", "user=guarded", "PGPASSFILE", "%s/pgpass"},
    {"service file", "user=guarded service=with-secret", "PGSERVICEFILE",
     "%s/service"},
};

static void
assert_no_canary(const struct server_run *run, const char *name)
{
    cr_assert_eq(run->status, 0, "%s: %s", name, run->errors);
    cr_assert_null(strstr(run->output, canary), "%s", name);
    cr_assert_null(strstr(run->errors, canary), "%s", name);
}

Test(refusals, password_is_in_no_file_no_message_and_no_child)
{
    const char *source = source_database(), *dir = server_tmp_dir();
    struct server_run run;

    watch_tools(dir);
    shell(dir, server_process_text(
                   "umask 077; echo '*:*:*:*:%s' >pgpass;"
                   " printf '[with-secret]\\npassword=%s\\n' >service",
                   canary, canary));
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *run_dir = moves_path(dir, server_process_text("run-%u", i));
        const char *from = with(source, ways[i].more);
        const char *to = with(target_database(), ways[i].more);

        setenv(ways[i].variable,
               strchr(ways[i].value, '%')
                   ? server_process_text("%s%s", dir, ways[i].value + 2)
                   : ways[i].value,
               1);
        run = moves_pghaul("export", "--source", from, "--dir", run_dir,
                           "--verbose");
        assert_no_canary(&run, ways[i].name);
        run =
            moves_pghaul("load", "--target", to, "--dir", run_dir, "--verbose");
        assert_no_canary(&run, ways[i].name);
        run = moves_pghaul("verify", "--target", to, "--dir", run_dir);
        assert_no_canary(&run, ways[i].name);
        run = moves_pghaul("status", "--dir", run_dir, "--json");
        assert_no_canary(&run, ways[i].name);
        unsetenv(ways[i].variable);

        run = shell(dir, "for name in pg_dump pg_restore keeper; do"
                         " grep -aqw $name given; done;"
                         " grep -raoF canary-in run-* given || rm given");
        cr_assert_str_empty(run.output, "%s: %s", ways[i].name, run.output);
    }
}
