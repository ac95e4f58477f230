/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/run.h"

TestSuite(catalog_file, .init = run_set_up, .fini = run_tear_down,
          .timeout = 60);

static uint64_t
n_tables(void)
{
    struct catalog_counts n;

    ok(catalog_count(c, &n, &err));
    return n.n_tables;
}

/* ---- crashes ---- */

/* In a child, which opens the run for itself and dies by kill -9. */
static void
die_after(void (*work)(void))
{
    int status;
    pid_t pid;

    run_close();
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        run_open(RUN_DIR_OPEN);
        work();
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
add_and_commit(void)
{
    ok(catalog_begin(c, &err));
    run_add_table("t", 1);
    ok(catalog_commit(c, &err));
}

/* More than the page cache holds, so that part of it is in the log already. */
static void
add_many(void)
{
    ok(catalog_begin(c, &err));
    for (int i = 0; i < 50000; i++)
        run_add_table("t", 1);
}

Test(catalog_file, free_without_commit_rolls_back)
{
    ok(catalog_begin(c, &err));
    run_add_table("t", 1);
    cr_assert_eq(n_tables(), 1);
    run_close();
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(n_tables(), 0);
}

Test(catalog_file, what_was_committed_survives_kill_9)
{
    die_after(add_and_commit);
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(n_tables(), 1);
}

Test(catalog_file, kill_9_within_a_transaction_leaves_the_state_before_it)
{
    add_and_commit();
    die_after(add_many);
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(n_tables(), 1);
    cr_assert_eq(run_add_table("t", 1), 2);
}

Test(catalog_file, a_table_is_added_with_all_its_columns_or_not_at_all)
{
    struct catalog_column columns[] = {{"a", "int"}, {NULL, "int"}};
    struct catalog_table t = {
        .schema = "s", .name = "t", .n_columns = 2, .columns = columns};

    cr_assert_lt(catalog_add_table(c, &t, &err), 0);
    cr_assert_eq(n_tables(), 0);
    cr_assert_eq(run_number("SELECT count(*) FROM columns"), 0);
}

/* ---- looking while another works ---- */

/* Run look in a process of its own; its answer, 0...99. */
static int
in_a_child(int (*look)(void))
{
    int status;
    pid_t pid;

    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        /* The parent's are its own: not closed here, or its locks would go. */
        run_open(RUN_DIR_LOOK);
        _exit(look());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
look_at_tables(void)
{
    return (int)n_tables();
}

static int
look_and_write(void)
{
    return catalog_set(c, "k", "v", &err) < 0 ? err.class : 99;
}

Test(catalog_file, a_look_sees_what_is_committed_while_the_writer_writes)
{
    run_add_table("t", 1);
    ok(catalog_begin(c, &err));
    run_add_table("t", 1);
    cr_assert_eq(in_a_child(look_at_tables), 1);
    ok(catalog_commit(c, &err));
    cr_assert_eq(in_a_child(look_at_tables), 2);
}

Test(catalog_file, a_look_sees_what_a_dead_writer_left_in_the_log)
{
    char name[64];

    die_after(add_and_commit);
    snprintf(name, sizeof name, "%s/run.db-wal", path);
    cr_assert_eq(access(name, F_OK), 0);

    cr_assert_eq(in_a_child(look_at_tables), 1);
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(n_tables(), 1);
}

Test(catalog_file, a_look_at_a_run_that_is_closed_changes_nothing)
{
    run_add_table("t", 1);
    run_close();
    cr_assert_eq(in_a_child(look_at_tables), 1);
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(run_add_table("t", 1), 2);
}

Test(catalog_file, a_look_cannot_write)
{
    cr_assert_eq(in_a_child(look_and_write), ERR_SYSTEM);
}

/* ---- what is refused ---- */

static void
in_file(const char *sql)
{
    sqlite3 *db;
    char name[64];

    snprintf(name, sizeof name, "%s/run.db", path);
    cr_assert_eq(sqlite3_open(name, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void
make_newer(int fd)
{
    (void)fd;
    in_file("PRAGMA user_version = 4");
}

static void
make_foreign(int fd)
{
    (void)fd;
    in_file("PRAGMA application_id = 7");
}

static void
make_text(int fd)
{
    char text[4096];

    memset(text, 'x', sizeof text);
    cr_assert_eq(pwrite(fd, text, sizeof text, 0), (ssize_t)sizeof text);
}

static void
make_short(int fd)
{
    cr_assert_eq(ftruncate(fd, 5000), 0);
}

static void
make_empty(int fd)
{
    cr_assert_eq(ftruncate(fd, 0), 0);
}

static void
in_dir(int (*change)(const char *, const char *), const char *from,
       const char *to)
{
    char a[64], b[64];

    snprintf(a, sizeof a, "%s/%s", path, from);
    snprintf(b, sizeof b, "%s/%s", path, to);
    cr_assert_eq(change(a, b), 0);
}

static void
make_link(int fd)
{
    (void)fd;
    in_dir(rename, "run.db", "elsewhere");
    in_dir(symlink, "elsewhere", "run.db");
}

static void
make_two_names(int fd)
{
    (void)fd;
    in_dir(link, "run.db", "elsewhere");
}

Test(catalog_file, what_is_not_ours_is_refused)
{
    static const struct {
        const char *name;
        void (*mutilate)(int fd);
        enum err_class class;
        const char *message; /* PATH stands for the file's */
    } cases[] = {
        {"newer", make_newer, ERR_REFUSED,
         "run catalogue \"PATH\" is of version 4, this program reads "
         "version 3"},
        {"other program's", make_foreign, ERR_REFUSED,
         "\"PATH\" is not a run catalogue"},
        {"empty", make_empty, ERR_REFUSED, "\"PATH\" is not a run catalogue"},
        {"text", make_text, ERR_CORRUPT,
         "could not access run catalogue \"PATH\": file is not a database"},
        {"short", make_short, ERR_CORRUPT,
         "could not access run catalogue \"PATH\": database disk image is "
         "malformed"},
        {"symbolic link", make_link, ERR_REFUSED, "could not trust \"PATH\""},
        {"two names", make_two_names, ERR_REFUSED, "could not trust \"PATH\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256], name[64];
        const char *after;
        int fd;

        run_close();
        snprintf(name, sizeof name, "%s/run.db", path);
        fd = open(name, O_RDWR | O_CLOEXEC);
        cr_assert_geq(fd, 0);
        cases[i].mutilate(fd);
        close(fd);

        ok(run_dir_open(&dir, path, RUN_DIR_OPEN, &err));
        cr_assert_lt(catalog_open(&c, dir, 0, &err), 0, "%s", cases[i].name);
        cr_assert_null(c);
        cr_assert_eq(err.class, cases[i].class, "%s", cases[i].name);
        after = strstr(cases[i].message, "PATH");
        snprintf(expected, sizeof expected, "%.*s%s%s",
                 (int)(after - cases[i].message), cases[i].message, name,
                 after + 4);
        cr_assert_str_eq(err.message, expected, "%s", cases[i].name);

        run_tear_down();
        strcpy(path + strlen(path) - 6, "XXXXXX");
        run_set_up();
    }
}

Test(catalog_file, a_missing_file_is_made_only_when_asked)
{
    char name[64];

    run_close();
    ok(run_dir_open(&dir, path, RUN_DIR_OPEN, &err));
    snprintf(name, sizeof name, "%s/run.db", path);
    cr_assert_eq(unlink(name), 0);
    cr_assert_lt(catalog_open(&c, dir, 0, &err), 0);
    cr_assert_eq(err.sys, ENOENT);
    ok(catalog_open(&c, dir, 1, &err));
}

Test(catalog_file, another_writer_is_refused)
{
    sqlite3 *other;
    char name[64];

    snprintf(name, sizeof name, "%s/run.db", path);
    cr_assert_eq(sqlite3_open(name, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
    cr_assert_lt(catalog_set(c, "k", "v", &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert(strstr(err.message, "database is locked"), "%s", err.message);
    sqlite3_close(other);
    ok(catalog_set(c, "k", "v", &err));
}

Test(catalog_file, a_failed_write_has_the_reason_and_undoes_the_transaction)
{
    struct catalog_table t = {.schema = "s", .name = "t"};
    int r = 0;

    run_add_table("t", 1);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, -1}), 0);
    ok(catalog_begin(c, &err));
    while (r == 0)
        r = catalog_add_table(c, &t, &err);
    cr_assert_eq(err.class, ERR_SYSTEM);
    cr_assert_eq(err.sys, EFBIG);
    cr_assert(strstr(err.message, "run.db\": File too large"), "%s",
              err.message);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){-1, -1}), 0);

    run_close();
    run_open(RUN_DIR_OPEN);
    cr_assert_eq(n_tables(), 1);
}

Test(catalog_file, its_files_are_for_the_owner_alone)
{
    static const char *const names[] = {"run.db", "run.db-wal", "run.db-shm"};

    run_tear_down();
    strcpy(path + strlen(path) - 6, "XXXXXX");
    umask(0);
    run_set_up();
    run_add_table("t", 1);
    for (int i = 0; i < 3; i++) {
        struct stat st;

        cr_assert_eq(fstatat(run_dir_fd(dir), names[i], &st, 0), 0);
        cr_assert_eq(st.st_mode, S_IFREG | 0600, "%s", names[i]);
    }
}
