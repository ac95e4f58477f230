/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/archive/archive.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* Of this test: each has a process of its own. */
static const char *
tmp(void)
{
    static const char *dir;

    if (!dir)
        dir = server_tmp_dir();
    return dir;
}

/* Run commands of the shell in the directory of temporary files, with the
   program as $pghaul and a conninfo as $target. */
static struct server_run
shell(const char *command)
{
    setenv("pghaul", server_pghaul(), 1);
    return server_run((const char *const[]){
        "sh", "-c", "cd \"$0\" && eval \"$1\"", tmp(), command, NULL});
}

static void
must(const char *command)
{
    struct server_run run = shell(command);

    cr_assert_eq(run.status, 0, "%s: %s%s", command, run.errors, run.output);
}

static const char *
said(const char *command)
{
    struct server_run run = shell(command);

    cr_assert_eq(run.status, 0, "%s: %s%s", command, run.errors, run.output);
    return run.output;
}

static const char *
new_target(void)
{
    const char *target = server_database("target");

    setenv("target", target, 1);
    return target;
}

static const char *
path(const char *name)
{
    return moves_path(tmp(), name);
}

/* The source's export, in "run", and its archive, "shop.tar". */
static const char *
archive(void)
{
    const char *source = moves_source();

    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o shop.tar --quiet");
    return source;
}

/* ---- made ---- */

Test(archive, is_the_same_bytes_each_time_and_a_tar_of_the_bag)
{
    archive();
    must("mkdir -m 700 carried && cp -a run/data run/*.txt carried"
         " && find carried -exec touch -d 2001-01-01 {} +");
    must("$pghaul archive create --dir carried -o - --quiet | cmp - shop.tar");
    must("mkdir x && tar -xf shop.tar -C x && rm x/archive.txt x/index.txt"
         " && diff -r run/data x/data"
         " && for f in run/*.txt; do cmp $f x/${f#run/}; done"
         " && cd x && sha256sum --quiet --strict -c tagmanifest-sha256.txt"
         " && sha256sum --quiet --strict -c manifest-sha256.txt"
         " && test -z \"$(find . -type f ! -perm 600)\"");
    must("test \"$(tar -tf shop.tar | head -1)\" = README.txt");
    must("test \"$(tar -tf shop.tar | tail -1)\" = index.txt");
    must("test \"$(stat -c %a shop.tar)\" = 600");
}

/* What docs/archive.md says of the index, done by hand. */
Test(archive, index_finds_a_file_without_a_tar)
{
    archive();
    must("tail -c 1536 shop.tar | head -c 512 >foot && set -- $(grep ^index"
         " foot) && tail -c +$(($2 + 1)) shop.tar | head -c $3 >index"
         " && echo \"$4  index\" | sha256sum --quiet -c");
    must("grep ' data/' index | while read at len sha name; do"
         " tail -c +$((at + 1)) shop.tar | head -c $len | sha256sum |"
         " grep -q $sha || exit 1; done");
}

Test(archive, of_what_is_not_sealed_or_over_something_else_is_not_made)
{
    struct server_run run;

    archive();
    must("$pghaul archive create --dir run -o shop.tar >said"
         " && grep -q 'nothing to do' said");
    must("cp shop.tar other.tar && printf x >>other.tar");
    run = shell("$pghaul archive create --dir run -o other.tar");
    moves_assert_says(run, 6, "exists, and is not this archive");
    must("cp -a run open && rm open/tagmanifest-sha256.txt");
    run = shell("$pghaul archive create --dir open -o open.tar");
    moves_assert_says(run, 6, "is not sealed");
    must("test ! -e open.tar && test ! -e open.tar.part");
    must("cp -a run bad && f=$(ls bad/data/tables/*/* | tail -1) &&"
         " printf x | dd of=$f bs=1 seek=30 conv=notrunc status=none");
    run = shell("$pghaul archive create --dir bad -o bad.tar");
    moves_assert_says(run, 4, "is damaged");
    must("test ! -e bad.tar && test ! -e bad.tar.part");
    run = shell("$pghaul archive create --dir run -o /dev/full");
    moves_assert_says(run, 5, "No space left");
}

/* ---- looked at ---- */

Test(archive, list_and_verify_say_what_is_in_it)
{
    archive();
    must("test \"$($pghaul archive list shop.tar --json | python3 -c '"
         "import json, sys; o = json.load(sys.stdin);"
         "print(o[\"rows\"] == sum(t[\"rows\"] for t in o[\"tables\"]) > 30000)"
         "')\" = True");
    must("$pghaul archive list - <shop.tar >a && $pghaul archive list shop.tar"
         " | cmp - a && grep -q 'shop\\.orders' a");
    must("$pghaul archive verify shop.tar && $pghaul archive verify --deep"
         " shop.tar --json >j && cat shop.tar | $pghaul archive verify - --deep"
         " && $pghaul archive verify --part 2/3 --deep shop.tar");
    must("test $(wc -l <shop.tar.attestations.jsonl) -eq 4");
    must("test \"$(sed -n 2p shop.tar.attestations.jsonl | tr -d '\\n' |"
         " sha256sum | cut -c1-64)\" = \"$(sed -n 3p"
         " shop.tar.attestations.jsonl | sed 's/.*\"previous\":\"//; s/\".*//"
         "')\"");
    must("test -z \"$(ls -d ${TMPDIR:-/tmp}/pghaul-* 2>/dev/null)\" ||"
         " test -n \"$(pgrep pghaul)\"");
}

/* As many bytes as it reads of the archive, by strace's word. */
Test(archive, extract_reads_one_table_and_nothing_else)
{
    const char *source = server_database("source"), *target;
    long n;

    server_sql(source, "CREATE TABLE large (id int, t text);"
                       "INSERT INTO large SELECT i, md5(i::text) ||"
                       " md5((-i)::text) FROM generate_series(1, 400000) AS i;"
                       "CREATE TABLE small (id int, \"a b\" text);"
                       "INSERT INTO small VALUES (1, E'x\\ty'), (2, NULL)");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o shop.tar --quiet");
    must("strace -f -qq -y -e trace=pread64,read -o trace"
         " $pghaul archive extract shop.tar small -o small --quiet");
    n = atol(said("sed -n '/shop.tar>/s/.* = //p' trace |"
                  " awk '{n += $1} END {print n}'"));
    cr_assert_gt(n, 0);
    cr_assert_lt(n * 100, atol(said("stat -c %s shop.tar")), "%ld bytes", n);

    target = new_target();
    server_sql(target, "CREATE TABLE small (id int, \"a b\" text);"
                       "CREATE TABLE large (id int, t text)");
    must("for f in small/*; do lz4 -tq $f; done");
    must("cat shop.tar | $pghaul archive extract - public.small -o - >rows"
         " 2>told && sed -n 's/^    //p' told | sed 's/psql/& -d \"$target\"/'"
         " >command && sh command <rows");
    must("$pghaul archive extract shop.tar large -o - --quiet |"
         " psql -X -d \"$target\" -c 'COPY large FROM STDIN (FORMAT binary)'");
    cr_assert_str_eq(server_fingerprint(target, "small"),
                     server_fingerprint(source, "small"));
    cr_assert_str_eq(server_fingerprint(target, "large"),
                     server_fingerprint(source, "large"));
}

Test(archive, extract_of_no_table_or_of_two_is_refused)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE TABLE t (); CREATE SCHEMA s;"
                       "CREATE TABLE s.t (); CREATE TABLE s.\"a.b\" (x int);"
                       "INSERT INTO s.\"a.b\" VALUES (7)");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o a.tar --quiet");
    run = shell("$pghaul archive extract a.tar t -o -");
    moves_assert_says(run, 2, "more than one table");
    run = shell("$pghaul archive extract a.tar u -o -");
    moves_assert_says(run, 2, "no table \"u\"");
    must("$pghaul archive extract a.tar s.a.b -o b -q");
}

/* ---- restored ---- */

Test(archive, is_restored_from_a_file_and_from_a_pipe)
{
    const char *source = archive(), *target = new_target();

    must("$pghaul archive restore shop.tar --target \"$target\" --dir back -q");
    moves_assert_equal(source, target);
    moves_assert_verified(target, path("back"));
    must("test -z \"$(find back -name '*.lz4')\"");
    must("$pghaul archive restore shop.tar --target \"$target\" >again &&"
         " grep -q 'nothing to do' again");

    target = new_target();
    must("cat shop.tar | $pghaul archive restore - --target \"$target\" -q"
         " --jobs 3");
    moves_assert_same_tables(source, target);
}

static void
restore_in_pieces(const char *source, const char *command)
{
    const char *target = new_target();
    char once[256];

    for (int i = 1; i <= 6; i++) {
        snprintf(once, sizeof once, "timeout -s KILL 0.%d sh -c '%s'", i,
                 command);
        shell(once);
    }
    must(command);
    moves_assert_same_tables(source, target);
    moves_assert_same_schema(source, target);
}

Test(archive, that_was_killed_is_restored_by_the_same_command)
{
    const char *source = archive();

    restore_in_pieces(source, "exec $pghaul archive restore shop.tar --target"
                              " \"$target\" -q");
    restore_in_pieces(source, "exec $pghaul archive restore - --target"
                              " \"$target\" -q <shop.tar");
    must("rm -rf ${TMPDIR:-/tmp}/pghaul-??????");
}

Test(archive, with_large_objects_comes_through_a_pipe)
{
    const char *source = server_database("source"), *target = new_target();

    server_sql(source, "CREATE TABLE z (i int); INSERT INTO z VALUES (1);"
                       "SELECT lo_from_bytea(0, decode(md5(i::text), 'hex'))"
                       " FROM generate_series(1, 300) AS i");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o - -q |"
         " $pghaul archive restore - --target \"$target\" -q");
    cr_assert_str_eq(
        server_value(target, "SELECT count(*) || md5(string_agg(lo_get(oid)"
                             "::text, ' ' ORDER BY oid)) FROM"
                             " pg_largeobject_metadata"),
        server_value(source, "SELECT count(*) || md5(string_agg(lo_get(oid)"
                             "::text, ' ' ORDER BY oid)) FROM"
                             " pg_largeobject_metadata"));
}

/* ---- in volumes ---- */

Test(archive, in_volumes_is_many_tars_and_one_archive)
{
    const char *source = archive(), *target;
    struct server_run run;

    must("$pghaul archive create --dir run -o v.tar --volume-size 1MB -q");
    must("test $(ls v.*.tar | wc -l) -ge 2 && for v in v.*.tar; do"
         " test $(stat -c %s $v) -le 1048576 && tar -tf $v >/dev/null ||"
         " exit 1; done");
    must("mkdir x && for v in v.*.tar; do tar -xf $v -C x; done &&"
         " diff -r run/data x/data");
    must("$pghaul archive verify --deep v.tar -q && $pghaul archive verify"
         " v.001.tar -q && cat v.*.tar | $pghaul archive verify - -q --deep");
    target = new_target();
    must("$pghaul archive restore v.tar --target \"$target\" -q");
    moves_assert_equal(source, target);
    must("rm v.002.tar && $pghaul archive create --dir run -o v.tar"
         " --volume-size 1MB -q && $pghaul archive verify v.tar -q");

    run = shell("$pghaul archive verify v.002.tar");
    moves_assert_says(run, 2, "is volume 2 of");
    must("mv v.002.tar w");
    run = shell("$pghaul archive list v.tar");
    moves_assert_says(run, 4, "\"v.002.tar\", is missing");
    run = shell("(cat v.001.tar v.003.tar; cat v.*.tar) |"
                " $pghaul archive verify -");
    cr_assert_eq(run.status, 4, "%s", run.errors);
    must("cp v.001.tar v.002.tar");
    run = shell("$pghaul archive verify v.tar");
    moves_assert_says(run, 4, "is not volume 2 of");
}

/* ---- hostile ---- */

static void
assert_refused(const char *name, int status, int number)
{
    const char *ways[] = {
        number % 2 ? "$pghaul archive verify bad/%s.tar -q"
                   : "cat bad/%s.tar | $pghaul archive verify - -q",
        "cat bad/%s.tar | $pghaul archive restore - --target \"$target\" -q",
    };
    struct server_run run;
    char command[256];

    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(command, sizeof command, ways[i], name);
        run = shell(command);
        cr_assert_eq(run.status, status, "%s: status %d: %s", command,
                     run.status, run.errors);
        cr_assert(strstr(run.errors, "error: "), "%s", command);
    }
}

Test(archive, that_is_hostile_is_refused_and_makes_nothing)
{
    const char *source = server_database("source"), *target = new_target();
    char name[64], *list;
    int status, n, count = 0;

    server_sql(source, "CREATE TABLE a (i int, t text);"
                       "INSERT INTO a SELECT i, md5(i::text)"
                       " FROM generate_series(1, 40000) AS i");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o good.tar -q && mkdir bad");
    setenv("hostile",
           moves_path(getenv("PGHAUL_SOURCE"), "tests/hostile-tars.py"), 1);
    list = strdup(said(PYTHON " \"$hostile\" good.tar bad"));
    for (char *at = list; sscanf(at, "%63s %d%n", name, &status, &n) == 2;
         at += n, count++)
        assert_refused(name, status, count);
    free(list);
    cr_assert_geq(count, 40);
    /* What came before the damage was right. */
    cr_assert_str_eq(server_value(target, "SELECT count(DISTINCT i) = count(*)"
                                          " AND bool_and(t = md5(i::text))"
                                          " FROM a"),
                     "t");
}

/* A bit of any byte that is no chunk's, and of some that are. */
static int
is_taken(const char *name)
{
    const struct archive_in_params p = {.where = name};
    cleanup_(archive_in_freep) struct archive_in *a = NULL;
    const struct archive_member *m;
    struct err err;
    int r = archive_in_open(&a, &p, &err);

    while (r == 0 && (r = archive_in_next(a, &m, &err)) == 0)
        r = archive_in_take(a, NULL, NULL, &err);
    cr_assert(r > 0 || err.class == ERR_CORRUPT || err.class == ERR_REFUSED ||
                  err.class == ERR_USAGE,
              "%s", err.message);
    return r == ARCHIVE_E_END;
}

static void
flip(int fd, off_t at, int bit)
{
    unsigned char byte;

    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << bit);
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
}

Test(archive, with_any_bit_changed_or_cut_anywhere_is_not_taken)
{
    const char *source = server_database("source"), *name = path("a.tar");
    struct stat st;
    int fd;

    server_sql(source, "CREATE TABLE a (i int)");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o a.tar -q");
    fd = open(name, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert(is_taken(name));
    for (off_t at = 0; at < st.st_size; at += 3) {
        flip(fd, at, (int)(at / 3 % 8));
        cr_assert_not(is_taken(name), "at %jd", (intmax_t)at);
        flip(fd, at, (int)(at / 3 % 8));
    }
    cr_assert(is_taken(name));
    while (st.st_size > 0) {
        st.st_size -= 256;
        cr_assert_eq(ftruncate(fd, st.st_size > 0 ? st.st_size : 0), 0);
        cr_assert_not(is_taken(name), "at %jd", (intmax_t)st.st_size);
    }
    close(fd);
}

/* ---- by hand, and README.txt to the letter ---- */

Test(archive, is_restored_with_tar_sha256sum_lz4_and_psql_alone)
{
    const char *source = server_database("source");
    const char *target = server_conninfo("target");
    char restored[512];

    server_sql(source, "CREATE TABLE \"o'ne\" (id int PRIMARY KEY, t text);"
                       "INSERT INTO \"o'ne\" SELECT i, md5(i::text)"
                       " FROM generate_series(1, 9000) AS i");
    server_sql(target, "DROP DATABASE IF EXISTS restored");
    moves_export(source, path("run"));
    must("$pghaul archive create --dir run -o shop.tar -q");
    setenv("BIN", server_bin_dir(), 1);
    setenv("PGHOST", server_socket_dir("target"), 1);
    setenv("PGUSER", server_value(target, "SELECT current_user"), 1);
    setenv("PGPORT", server_value(target, "SHOW port"), 1);
    must("mkdir bin && ln -s $BIN/psql bin && for p in lz4 sha256sum tar sed"
         " mkdir; do ln -s $(command -v $p) bin; done && sh=$(command -v sh)"
         " && PATH=$PWD/bin && mkdir there && cd there"
         " && tar -xOf ../shop.tar README.txt >../README"
         /* What unpacks it stands in its head, for who has the file alone. */
         " && sed -n 's/^  *tar -xf FILE$/tar -xf ..\\/shop.tar/p' ../README"
         " >../unpack && $sh -eu ../unpack"
         " && sed -n 's/^    //p' README.txt >../commands"
         " && $sh -eu ../commands");
    unsetenv("PGHOST");
    snprintf(restored, sizeof restored, "%s dbname=restored", target);
    cr_assert_str_eq(server_fingerprint(restored, "\"o'ne\""),
                     server_fingerprint(source, "\"o'ne\""));
}

/* ---- kept, and let go ---- */

Test(archive, expires_when_its_day_is_over_unless_it_is_held)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE TABLE a (i int)");
    setenv("source", source, 1);
    must("make() { name=$1; shift; $pghaul export --source \"$source\" --dir"
         " $name --profile archive -q \"$@\" && $pghaul archive create --dir"
         " $name -o $name.tar -q; };"
         "make past --retain-until 2001-01-31;"
         "make future --retain-until 2999-12-31;"
         "make held --retain-until 2001-01-31 --legal-hold 'case 7';"
         "make plain");
    must("cp past.tar bad.tar && printf x >>bad.tar");
    must("$pghaul archive expire --dry-run past.tar future.tar held.tar"
         " plain.tar >said && ls past.tar && grep -q 'would go  past.tar' said"
         " && grep -q 'held      held.tar: case 7' said");
    must("$pghaul archive expire past.tar future.tar held.tar plain.tar -q &&"
         " test ! -e past.tar && ls future.tar held.tar plain.tar &&"
         " grep -q '\"did\":\"expired\"' past.tar.attestations.jsonl");
    run = shell("$pghaul archive expire bad.tar");
    cr_assert_eq(run.status, 4, "%s", run.errors);
    must("ls bad.tar");
    run = shell("$pghaul export --source \"$source\" --dir past"
                " --retain-until 2999-12-31");
    moves_assert_says(run, 6, "is sealed already");
}

/* ---- who has done what ---- */

Test(archive, audit_has_two_lines_of_each_command_and_a_cut_is_noticed)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE TABLE a (i int); INSERT INTO a VALUES (7)");
    moves_export(source, path("run"));
    new_target();
    must(
        "$pghaul archive create --dir run -o a.tar -q && $pghaul load --dir run"
        " --target \"$target\" -q && $pghaul status --dir run >/dev/null");
    must(
        "python3 -c '\n"
        "import json\n"
        "o = [json.loads(l) for l in open(\"run/audit.jsonl\")]\n"
        "assert [(x[\"entry\"], x[\"command\"]) for x in o] == [(e, c) for c in"
        " (\"export\", \"archive create\", \"load\")"
        " for e in (\"begin\", \"end\")], o\n"
        "assert [x.get(\"rows\") for x in o] == [None, 1] * 3, o\n"
        "assert all(x.get(\"status\", 0) == 0 for x in o), o\n"
        "assert not any(\"password\" in str(x) for x in o)'");
    must("$pghaul audit verify --dir run a.tar");
    must("cp run/audit.jsonl all && head -n 2 all >run/audit.jsonl &&"
         " $pghaul audit verify --dir run");
    run = shell("$pghaul audit verify --dir run a.tar");
    moves_assert_says(run, 4, "is not what it was");
    must(": >run/audit.jsonl");
    run = shell("$pghaul audit verify --dir run");
    moves_assert_says(run, 4, "is not what it was");
}

/* bag-info.txt's root, by another's reckoning. */
Test(archive, merkle_root_is_of_the_lines_of_the_manifest)
{
    moves_export(moves_source(), path("run"));
    must(
        "python3 -c '\n"
        "import hashlib\n"
        "def h(b): return hashlib.sha256(b).digest()\n"
        "def mth(l):\n"
        "    if len(l) == 1: return h(b\"\\0\" + l[0])\n"
        "    k = 1\n"
        "    while k * 2 < len(l): k *= 2\n"
        "    return h(b\"\\1\" + mth(l[:k]) + mth(l[k:]))\n"
        "print(mth(open(\"run/manifest-sha256.txt\", \"rb\").read()"
        ".splitlines()).hex())' >root && grep -q \"^Merkle-Root: $(cat root)$\""
        " run/bag-info.txt");
}

Test(archive, drill_restores_compares_and_leaves_nothing_but_its_report)
{
    const char *target = server_conninfo("target");
    struct server_run run;

    archive();
    setenv("target", target, 1);
    must("$pghaul archive drill shop.tar --target \"$target\" -q");
    must("sha256sum --quiet -c shop.tar.drill-*.sha256 && python3 -c '\n"
         "import glob, json\n"
         "o = json.load(open(glob.glob(\"shop.tar.drill-*Z.json\")[0]))\n"
         "assert o[\"right\"] and o[\"rows\"] > 30000, o'");
    must("grep -q '\"did\":\"drilled\"' shop.tar.attestations.jsonl");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_database"
                                          " WHERE datname LIKE '%drill%'"),
                     "0");
    must("cp shop.tar bad.tar && set -- $(tail -c 1536 bad.tar | grep -a "
         "^index |"
         " head -1) && at=$(tail -c +$(($2 + 1)) bad.tar | grep -a"
         " data/tables/ | head -1 | cut -d' ' -f1) && printf xyz |"
         " dd of=bad.tar bs=1 seek=$((at + 500)) conv=notrunc status=none");
    run = shell("$pghaul archive drill bad.tar --target \"$target\" -q");
    moves_assert_says(run, 4, "is damaged");
    must("grep -q '\"right\": false' bad.tar.drill-*Z.json");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_database"
                                          " WHERE datname LIKE '%drill%'"),
                     "0");
}

/* openssl makes the keys and is the judge. */
Test(archive, signature_is_what_openssl_takes)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, "CREATE TABLE a (i int)");
    moves_export(source, path("run"));
    must("for k in k l; do openssl genpkey -algorithm ed25519 -out $k &&"
         " openssl pkey -in $k -pubout -out $k.pub; done; chmod 600 k &&"
         " $pghaul archive create --dir run -o a.tar --sign-key k -q &&"
         " tar -xf a.tar tagmanifest-sha256.txt && openssl pkeyutl -verify"
         " -pubin -inkey k.pub -rawin -in tagmanifest-sha256.txt"
         " -sigfile a.tar.sig && $pghaul archive verify a.tar"
         " --public-key k.pub -q");
    run = shell("$pghaul archive verify a.tar --public-key l.pub");
    moves_assert_says(run, 4, "is not right");
    must("printf x | dd of=a.tar.sig bs=1 seek=9 conv=notrunc status=none");
    run = shell("$pghaul archive verify a.tar --public-key k.pub");
    moves_assert_says(run, 4, "is not right");
    must("rm a.tar.sig");
    run = shell("$pghaul archive verify a.tar --public-key k.pub");
    moves_assert_says(run, 4, "there is no signature");
    must("chmod 644 k");
    run = shell("$pghaul archive create --dir run -o a.tar --sign-key k");
    moves_assert_says(run, 6, "others may read the key");
    run = shell("$pghaul archive create --dir run -o b.tar --sign-key k.pub");
    cr_assert_eq(run.status, 6, "%s", run.errors);
    must("chmod 600 k.pub");
    run = shell("$pghaul archive create --dir run -o b.tar --sign-key k.pub");
    moves_assert_says(run, 2, "no private key of Ed25519");
}

Test(archive, of_an_encrypted_run_is_read_by_who_has_the_key)
{
    const char *source = server_database("source"), *target = new_target();
    struct server_run run;

    setenv("source", source, 1);
    server_sql(source, "CREATE TABLE a (i int, t text);"
                       "INSERT INTO a SELECT i, md5(i::text)"
                       " FROM generate_series(1, 4000) AS i");
    must("age-keygen -o key 2>/dev/null && chmod 600 key && $pghaul export"
         " --source \"$source\" --dir run --recipient $(age-keygen -y key)"
         " --profile archive -q && $pghaul archive create --dir run -o a.tar -q"
         " && $pghaul archive verify a.tar -q && $pghaul archive list a.tar");
    run = shell("$pghaul archive verify --deep a.tar");
    moves_assert_says(run, 6, "no identity");
    run = shell("$pghaul archive restore a.tar --target \"$target\"");
    moves_assert_says(run, 6, "no identity");
    must("$pghaul archive verify --deep a.tar --identity key -q && cat a.tar |"
         " $pghaul archive verify --deep - --identity key -q");
    must(
        "test $($pghaul archive extract a.tar a -o - --identity key -q | wc -l)"
        " -eq 4000 && $pghaul archive extract a.tar a -o x --identity key -q"
        " && lz4 -tq x/*.text.lz4");
    must("cat a.tar | $pghaul archive restore - --target \"$target\" --identity"
         " key -q");
    cr_assert_str_eq(server_fingerprint(target, "a"),
                     server_fingerprint(source, "a"));
}
