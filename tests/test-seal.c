/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loader/bag/seal.h"
#include "tests/run.h"
#include "tests/traced.h"

/* A run whose chunks are a few bytes each. */

static struct facts facts = {
    .state = FACTS_STAGED,
    .run_id = "6f1b2a34-0000-4000-8000-0123456789ab",
    .lsn = 0x1a2b3c4d5e,
    .system_id = "7301234567890123456",
    .database = "shop\nForged: yes",
    .encoding = "UTF8",
    .version = 150018,
};

/* Run a command of the shell in the directory; answers its status. */
static int
shell(const char *format, ...)
{
    char *command, *whole;
    int status;
    va_list ap;

    va_start(ap, format);
    cr_assert_gt(vasprintf(&command, format, ap), 0);
    va_end(ap);
    cr_assert_gt(asprintf(&whole, "cd %s && %s", path, command), 0);
    status = system(whole);
    free(whole);
    free(command);
    return WEXITSTATUS(status);
}

#define must(...) cr_assert_eq(shell(__VA_ARGS__), 0)

static void
digest(const char *text, unsigned char to[32])
{
    EVP_Digest(text, strlen(text), to, NULL, EVP_sha256(), NULL);
}

static void
stage(uint64_t chunk, const char *file)
{
    struct catalog_chunk k = {
        .id = chunk,
        .file = (char *)file,
        .file_len = strlen(file),
    };

    digest(file, k.sha256);
    ok(catalog_chunk_staged(c, &k, &err));
}

static void
add_chunk(uint64_t table, const char *file)
{
    stage(run_add_chunk(table, 1), file);
    must("mkdir -p -m 700 $(dirname data/%s) && printf %%s %s >data/%s", file,
         file, file);
}

static void
begin(void)
{
    uint64_t a, b;

    run_set_up();
    a = run_add_table("a", 1);
    b = run_add_table("b", 1);
    add_chunk(a, "tables/1-a/2.copy.lz4");
    add_chunk(b, "tables/10-b/3.copy.lz4");
    add_chunk(a, "tables/1-a/1.copy.lz4");
    add_chunk(b, "large-objects/4.copy.lz4");
    must("echo '{}' >data/catalog.json && printf dump >data/schema.dump");
    digest("dump", facts.schema_sha256);
}

TestSuite(seal, .init = begin, .fini = run_tear_down, .timeout = 600);

static int
seal(void)
{
    return seal_write(c, &facts, dir, &err);
}

/* The bag by others' word. */
static void
assert_judged(void)
{
    must("sha256sum --strict --quiet -c tagmanifest-sha256.txt");
    must("sha256sum --strict --quiet -c manifest-sha256.txt");
    must("test \"$(cd data && find . -type f | wc -l)\""
         " = \"$(wc -l <manifest-sha256.txt)\"");
    must("test \"$(grep Payload-Oxum bag-info.txt)\" = \"Payload-Oxum:"
         " $(find data -type f -printf '%%s\\n' | paste -sd+ | bc)"
         ".$(find data -type f | wc -l)\"");
}

/* ---- what is written ---- */

Test(seal, is_a_bag_that_sha256sum_verifies)
{
    cr_assert_not(seal_is_there(dir));
    ok(seal());
    cr_assert(seal_is_there(dir));
    assert_judged();
    ok(seal_check(dir, &err));
}

Test(seal, manifest_is_in_the_order_of_the_paths)
{
    must("mkdir -m 700 data/schema && printf pre >data/schema/pre-data.sql"
         " && printf post >data/schema/post-data.sql");
    for (int d = FACTS_PRE_DATA; d <= FACTS_POST_DATA; d++)
        facts.documents[d].present = 1;
    digest("pre", facts.documents[FACTS_PRE_DATA].sha256);
    digest("post", facts.documents[FACTS_POST_DATA].sha256);
    ok(seal());
    assert_judged();
    must("LC_ALL=C sort -c -k2 manifest-sha256.txt");
}

Test(seal, says_whose_copy_it_is_and_cannot_be_made_to_say_more)
{
    ok(seal());
    must("grep -q '^External-Identifier: 6f1b2a34-0000-' bag-info.txt");
    must("grep -q '^Source-Server-Version: 15.18$' bag-info.txt");
    must("grep -q '^Snapshot-LSN: 1A/2B3C4D5E$' bag-info.txt");
    must("grep -q \"^Bagging-Date: $(date -u +%%F)$\" bag-info.txt");
    must("grep -q '^Bag-Software-Agent: pghaul ' bag-info.txt");
    must("! grep -q '^Forged' bag-info.txt README.txt");
    must("printf 'BagIt-Version: 1.0\\nTag-File-Character-Encoding: UTF-8\\n'"
         " | cmp - bagit.txt");
}

Test(seal, is_the_same_when_made_again)
{
    ok(seal());
    must("mkdir was && mv *.txt was");
    ok(seal());
    must("for f in *.txt; do cmp $f was/$f || exit 1; done");
}

Test(seal, is_private)
{
    umask(0);
    ok(seal());
    must("test -z \"$(find . -name '*.txt' ! -perm 600)\"");
}

Test(seal, has_nothing_of_what_belongs_to_this_machine)
{
    ok(seal());
    must("! grep -E 'run.db|lock|keeper' manifest-sha256.txt"
         " tagmanifest-sha256.txt");
}

/* ---- what must not be sealed ---- */

static const struct {
    const char *damage;
    enum err_class class;
    const char *message;
} refused[] = {
    {"echo >data/x", ERR_REFUSED, "\"data/x\" is no part of the run"},
    {"echo >data/tables/1-a/9.copy.lz4", ERR_REFUSED,
     "\"data/tables/1-a/9.copy.lz4\" is no part of the run"},
    {"echo >data/tables/x", ERR_REFUSED, "\"data/tables/x\" is no part"},
    {"echo >data/catalog.json.part", ERR_REFUSED,
     "\"data/catalog.json.part\" is no part"},
    {"ln -s catalog.json data/link", ERR_REFUSED, "\"data/link\" is no part"},
    {"mkfifo data/fifo", ERR_REFUSED, "\"data/fifo\" is no part"},
    {"mkdir -p data/a/b/c/d/e", ERR_REFUSED, "is no part of the run"},
    {"mv data/tables x && ln -s ../x data/tables", ERR_REFUSED,
     "\"data/tables\" is no part"},
    {"rm data/tables/1-a/2.copy.lz4", ERR_CORRUPT,
     "\"data/tables/1-a/2.copy.lz4\" is missing"},
    {"rm -r data/tables/1-a", ERR_CORRUPT,
     "\"data/tables/1-a/1.copy.lz4\" is missing"},
    {"echo >>data/tables/10-b/3.copy.lz4", ERR_CORRUPT,
     "\"data/tables/10-b/3.copy.lz4\" has the wrong length"},
    {"rm data/schema.dump", ERR_CORRUPT, "\"schema.dump\" is missing"},
    {"echo >>data/schema.dump", ERR_CORRUPT, "\"data/schema.dump\" is damaged"},
    {"mkdir data/schema; echo >data/schema/pre-data.sql", ERR_REFUSED,
     "\"data/schema/pre-data.sql\" is no part"},
    {"rm data/catalog.json", ERR_CORRUPT, "\"catalog.json\" is missing"},
};

Test(seal, is_refused_unless_what_is_there_is_what_is_listed)
{
    must("mkdir was && cp -a data was");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        must("rm -rf data *.txt && cp -a was/data .");
        must("%s", refused[i].damage);
        cr_assert_lt(seal(), 0, "%s", refused[i].damage);
        cr_assert_eq(err.class, refused[i].class, "%s: %s", refused[i].damage,
                     err.message);
        cr_assert(strstr(err.message, refused[i].message), "%s: %s",
                  refused[i].damage, err.message);
        cr_assert_not(seal_is_there(dir));
        must("test -z \"$(find . -name '*.txt.part')\"");
    }
}

/* ---- what was sealed and has changed ---- */

static const struct {
    const char *damage, *message;
} broken[] = {
    {"sed -i s/1.0/0.97/ bagit.txt", "\"bagit.txt\" is of another version"},
    {"sed -i s/UTF-8/UTF-16/ bagit.txt", "\"bagit.txt\" is of another version"},
    {"rm tagmanifest-sha256.txt; sed -i s/1.0/2.0/ bagit.txt",
     "\"bagit.txt\" is of another version"},
    {": >bagit.txt", "\"bagit.txt\" is not one"},
    {"rm bagit.txt", "\"bagit.txt\" is missing"},
    {"rm README.txt", "\"README.txt\" is missing"},
    {"echo >>bag-info.txt", "\"bag-info.txt\" is not the one that was sealed"},
    {"sed -i s/1-a/1-b/ manifest-sha256.txt",
     "\"manifest-sha256.txt\" is not the one that was sealed"},
    {"rm manifest-sha256.txt", "\"manifest-sha256.txt\" is missing"},
    {"echo x >>tagmanifest-sha256.txt",
     "\"tagmanifest-sha256.txt\" is malformed"},
    {": >tagmanifest-sha256.txt", "does not list manifest-sha256.txt"},
    {"sed -i 's/ bagit.txt/ ..\\/bagit.txt/' tagmanifest-sha256.txt",
     "\"tagmanifest-sha256.txt\" is malformed"},
    {"head -c 100000 /dev/zero >tagmanifest-sha256.txt", "is too large"},
    {"echo '{\"a\": 1}' >data/catalog.json",
     "\"data/catalog.json\" is not the one that was sealed"},
    {"sed -i /catalog.json/d manifest-sha256.txt;"
     " sha256sum manifest-sha256.txt >tagmanifest-sha256.txt",
     "\"manifest-sha256.txt\" does not list catalog.json"},
};

Test(seal, broken_is_noticed)
{
    ok(seal());
    must("mkdir was && cp -a data *.txt was");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        must("rm -rf data *.txt && cp -a was/* .");
        ok(seal_check(dir, &err));
        shell("{ %s; } 2>/dev/null", broken[i].damage);
        cr_assert_lt(seal_check(dir, &err), 0, "%s", broken[i].damage);
        cr_assert_eq(err.class, ERR_CORRUPT, "%s", broken[i].damage);
        cr_assert(strstr(err.message, broken[i].message), "%s: %s",
                  broken[i].damage, err.message);
    }
}

Test(seal, that_is_not_there_is_not_missed)
{
    ok(seal_check(dir, &err));
    ok(seal_remove(dir, &err));
}

Test(seal, tag_file_that_is_a_link_is_not_followed)
{
    ok(seal());
    must("mv README.txt x && ln -s x README.txt");
    cr_assert_lt(seal_check(dir, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
}

/* ---- crashes ---- */

struct moment {
    unsigned n, at;
};

static int
is_now(void *seen, long nr)
{
    struct moment *m = seen;

    /* What changes the directory: all between these is the same to it. */
    if (nr != __NR_openat && nr != __NR_renameat && nr != __NR_renameat2 &&
        nr != __NR_unlinkat && nr != __NR_fsync && nr != __NR_write)
        return 0;
    return m->n++ == m->at;
}

static void
seal_in_child(void *arg)
{
    (void)arg;
    cr_assert_eq(seal(), 0);
}

static void
remove_in_child(void *arg)
{
    (void)arg;
    cr_assert_eq(seal_remove(dir, &err), 0);
}

/* Whoever sees a seal may trust it. */
static void
assert_all_or_nothing(void)
{
    if (seal_is_there(dir))
        assert_judged();
    ok(seal_check(dir, &err));
}

Test(seal, killed_at_any_call_is_whole_or_not_there)
{
    int end = TRACED_KILLED;
    unsigned n = 0;

    for (; end == TRACED_KILLED; n++) {
        struct moment m = {.at = n};

        cr_assert_lt(n, 300);
        must("rm -f *.txt");
        end = traced_run(seal_in_child, NULL, is_now, &m);
        assert_all_or_nothing();
        /* The same command goes on. */
        if (n % 5 == 0) {
            ok(seal());
            assert_judged();
        }
    }
    cr_assert_gt(n, 20);
    cr_assert(seal_is_there(dir));
}

Test(seal, removal_killed_at_any_call_leaves_no_seal_that_is_not_whole)
{
    int end = TRACED_KILLED;

    for (unsigned n = 0; end == TRACED_KILLED; n++) {
        struct moment m = {.at = n};

        cr_assert_lt(n, 100);
        ok(seal());
        end = traced_run(remove_in_child, NULL, is_now, &m);
        assert_all_or_nothing();
    }
    must("test -z \"$(ls *.txt 2>/dev/null)\"");
}

/* ---- many ---- */

/* 200,000, ten times as many, were measured: 2 s of CPU, 0.4 MiB. */
enum { MANY = 20000 };

static long
peak_kib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* Empty files, which cost what large ones do: they are not read. */
static void
add_many(void)
{
    unsigned char sha256[32];
    uint64_t table = 0;
    char file[64];

    EVP_Digest("", 0, sha256, NULL, EVP_sha256(), NULL);
    ok(catalog_begin(c, &err));
    for (unsigned i = 0; i < MANY; i++) {
        struct catalog_chunk k = {.file = file};
        int fd;

        if (i % 1000 == 0) {
            table = run_add_table("t", 1);
            must("mkdir -m 700 data/tables/%d-t", (int)table);
        }
        k.id = run_add_chunk(table, 1);
        memcpy(k.sha256, sha256, 32);
        snprintf(file, sizeof file, "tables/%d-t/%d.copy.lz4", (int)table,
                 (int)k.id);
        ok(catalog_chunk_staged(c, &k, &err));
        fd = openat(run_dir_fd(dir), "data", O_PATH);
        close(openat(fd, file, O_CREAT | O_WRONLY, 0600));
        close(fd);
    }
    ok(catalog_commit(c, &err));
}

Test(seal, of_many_chunks_takes_little_time_and_no_memory)
{
    clock_t begun;
    long before;

    add_many();
    before = peak_kib();
    begun = clock();
    ok(seal());
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed, and is slow */
    cr_assert_lt(clock() - begun, 5 * CLOCKS_PER_SEC);
    cr_assert_lt(peak_kib() - before, 2048);
#else
    (void)begun, (void)before;
#endif
    ok(seal_check(dir, &err));
    must("test $(wc -l <manifest-sha256.txt) = %d", MANY + 6);
    must("LC_ALL=C sort -c -k2 manifest-sha256.txt");
}
