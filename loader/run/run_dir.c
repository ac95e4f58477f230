/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/run_dir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/dir.h"
#include "io/fd.h"

struct run_dir {
    enum run_dir_mode mode;
    char *path;
    int fd;
    int lock_fd;   /* locked unless mode is LOOK; -1: nobody ever had it */
    int tables_fd; /* data/tables; -1 when mode is LOOK */
};

enum {
    NAME_MAX_KEPT = 40,
    LOCK_TRIES = 100, /* of a holder that is dead */
    LOCK_NAP_US = 20000,
};

/* ---- whose it is ---- */

struct contents {
    int run_db;
    int foreign; /* something that a run does not begin with */
};

static int
note_name(void *arg, const char *name)
{
    struct contents *found = arg;

    if (strcmp(name, "run.db") == 0)
        found->run_db = 1;
    else if (strcmp(name, "lock") != 0 && strcmp(name, "data") != 0)
        found->foreign = 1;
    return 0;
}

/* Its data/ alone is a run that was carried here from another machine. */
static int
was_carried(const struct run_dir *d)
{
    return faccessat(d->fd, "data/catalog.json", F_OK, 0) == 0;
}

/*
 * run.db makes a run directory.  Before it there are only the lock and data/,
 * so that a run interrupted that early can be begun again.
 */
static int
check_ours(const struct run_dir *d, struct err *err)
{
    struct contents found = {0};

    if (dir_each(d->fd, note_name, &found, err) < 0)
        return -1;
    if (found.run_db || (d->mode == RUN_DIR_CREATE && !found.foreign) ||
        (d->mode != RUN_DIR_LOOK && was_carried(d)))
        return 0;
    if (was_carried(d)) {
        err_set(err, ERR_REFUSED, "no command has worked in \"%s\" yet",
                d->path);
        return err_hint(err, "It holds a run that was carried here: load it, "
                             "or verify it.");
    }
    err_set(err, ERR_USAGE, "\"%s\" is not a run directory", d->path);
    if (d->mode == RUN_DIR_CREATE)
        return err_hint(err, "Name a directory that is empty or does not "
                             "exist yet.");
    return err_hint(err,
                    "Name the directory that \"pghaul export\" was given.");
}

/* ---- the lock ---- */

/* What the holder wrote, 0 when that is not a pid. */
static int
read_pid(int fd)
{
    char text[16] = "", *end;
    long pid;

    if (pread(fd, text, sizeof text - 1, 0) < 0)
        return 0;
    pid = strtol(text, &end, 10);
    return *end == '\n' && pid > 0 && pid <= INT_MAX ? (int)pid : 0;
}

static int
write_pid(const struct run_dir *d, struct err *err)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());

    if (ftruncate(d->lock_fd, 0) < 0 || pwrite(d->lock_fd, text, len, 0) != len)
        return err_sys(err, errno, "could not write \"%s/lock\"", d->path);
    return 0;
}

static int
open_lock(struct run_dir *d, int flags, struct err *err)
{
    struct stat st;

    d->lock_fd = openat(d->fd, "lock",
                        flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (d->lock_fd < 0 && errno == ENOENT)
        return 0;
    if (d->lock_fd < 0)
        return err_sys(err, errno, "could not open \"%s/lock\"", d->path);
    if (fstat(d->lock_fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s/lock\"", d->path);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_REFUSED,
                       "\"%s/lock\" is not a regular file of one name",
                       d->path);
    return 0;
}

/*
 * Of the open file description: it goes with the last descriptor, so with the
 * process, and unlike a lock of fcntl()'s older kind it is not lost when some
 * library closes another descriptor of the file.
 */
static int
lock(struct run_dir *d, struct err *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int pid;

    if (open_lock(d, O_RDWR | O_CREAT, err) < 0)
        return -1;
    /* A child of a process that was killed has the lock too until it executes
       its program. */
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (fcntl(d->lock_fd, F_OFD_SETLK, &whole) == 0)
            return write_pid(d, err);
        pid = read_pid(d->lock_fd);
        if (pid == 0 || kill(pid, 0) == 0 || errno != ESRCH)
            break;
        clock_nap_us(LOCK_NAP_US);
    }
    if (fcntl(d->lock_fd, F_OFD_SETLK, &whole) == 0)
        return write_pid(d, err);
    if (errno != EAGAIN && errno != EACCES)
        return err_sys(err, errno, "could not lock \"%s/lock\"", d->path);

    pid = read_pid(d->lock_fd);
    if (pid)
        return err_set(err, ERR_REFUSED,
                       "run directory \"%s\" is in use by process %d", d->path,
                       pid);
    return err_set(err, ERR_REFUSED,
                   "run directory \"%s\" is in use by another process",
                   d->path);
}

int
run_dir_holder(const struct run_dir *d)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int pid;

    if (d->mode != RUN_DIR_LOOK)
        return getpid();
    if (fcntl(d->lock_fd, F_OFD_GETLK, &whole) < 0 || whole.l_type == F_UNLCK)
        return 0;
    pid = read_pid(d->lock_fd);
    return pid ? pid : -1;
}

/* ---- opening ---- */

/* data/ and data/tables/. */
static int
open_tables(struct run_dir *d, struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, d->fd, "data", 1, err);
    return r ? r : dir_open_private(&d->tables_fd, data_fd, "tables", 1, err);
}

static int
open_parts(struct run_dir *d, const char *path, struct err *err)
{
    int r;

    r = dir_open_private(&d->fd, AT_FDCWD, path, d->mode == RUN_DIR_CREATE,
                         err);
    if (r == DIR_E_MISSING) {
        err_set(err, ERR_USAGE, "\"%s\" is not a run directory", path);
        return err_detail(err, "There is no such directory.");
    }
    if (r)
        return r;

    r = check_ours(d, err);
    if (r)
        return r;
    if (d->mode == RUN_DIR_LOOK)
        return open_lock(d, O_RDONLY, err);
    r = lock(d, err);
    return r ? r : open_tables(d, err);
}

int
run_dir_open(struct run_dir **ret, const char *path, enum run_dir_mode mode,
             struct err *err)
{
    cleanup_(run_dir_freep) struct run_dir *d = NULL;
    int r;

    d = malloc(sizeof *d);
    if (!d)
        return err_nomem(err);
    *d = (struct run_dir){
        .mode = mode,
        .path = strdup(path),
        .fd = -1,
        .lock_fd = -1,
        .tables_fd = -1,
    };
    if (!d->path)
        return err_nomem(err);
    r = open_parts(d, path, err);
    if (r)
        return r;
    *ret = take(d);
    return 0;
}

struct run_dir *
run_dir_free(struct run_dir *d)
{
    if (!d)
        return NULL;
    fd_closep(&d->tables_fd);
    fd_closep(&d->lock_fd);
    fd_closep(&d->fd);
    free(d->path);
    free(d);
    return NULL;
}

const char *
run_dir_path(const struct run_dir *d)
{
    return d->path;
}

int
run_dir_fd(const struct run_dir *d)
{
    return d->fd;
}

enum run_dir_mode
run_dir_mode(const struct run_dir *d)
{
    return d->mode;
}

/* ---- the tables' directories ---- */

/* ASCII alone, whatever the locale is. */
static char
make_safe(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9'))
        return c;
    return '_';
}

void
run_dir_table_name(char ret[RUN_DIR_NAME], uint64_t n, const char *name)
{
    char safe[NAME_MAX_KEPT + 1];
    size_t i;

    for (i = 0; i < NAME_MAX_KEPT && name[i]; i++)
        safe[i] = make_safe(name[i]);
    safe[i] = '\0';
    snprintf(ret, RUN_DIR_NAME, "%" PRIu64 "-%s", n, safe);
}

int
run_dir_open_table(struct run_dir *d, const char *name, int *ret_fd,
                   struct err *err)
{
    assert(d->tables_fd >= 0 && name[0] != '.' && !strchr(name, '/'));

    return dir_open_private(ret_fd, d->tables_fd, name, 1, err);
}

int
run_dir_open_large_objects(struct run_dir *d, int *ret_fd, struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, d->fd, "data", 0, err);
    return r ? r : dir_open_private(ret_fd, data_fd, "large-objects", 1, err);
}

/* ---- sweeping ---- */

struct sweep {
    int (*keep)(void *arg, const char *name, struct err *err);
    void *arg;
    int tables_fd;
    const char *folder; /* the directory being swept: "tables/<dir>" */
    int dir_fd;
    unsigned n;
    struct err *err;
};

static int
sweep_file(void *arg, const char *file)
{
    struct sweep *s = arg;
    char name[2 * NAME_MAX + sizeof "tables//"];
    int r;

    snprintf(name, sizeof name, "%s/%s", s->folder, file);
    r = s->keep(s->arg, name, s->err);
    if (r)
        return r < 0 ? r : 0;
    s->n++;
    return dir_remove(s->dir_fd, file, s->err);
}

/* Sweep the directory, and remove it when it is empty then. */
static int
sweep_folder(struct sweep *s, int at_fd, const char *dir, const char *folder)
{
    cleanup_(fd_closep) int fd = -1;
    int r;

    r = dir_open_private(&fd, at_fd, dir, 0, s->err);
    if (r)
        return r < 0 ? r : 0;
    s->folder = folder;
    s->dir_fd = fd;
    r = dir_each(fd, sweep_file, s, s->err);
    if (r)
        return r;
    if (unlinkat(at_fd, dir, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
        errno != EEXIST)
        return err_sys(s->err, errno, "could not remove \"%s\"", folder);
    return 0;
}

static int
sweep_table(void *arg, const char *dir)
{
    struct sweep *s = arg;
    char folder[NAME_MAX + sizeof "tables/"];
    struct stat st;

    snprintf(folder, sizeof folder, "tables/%s", dir);
    if (fstatat(s->tables_fd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(s->err, errno, "could not examine \"%s\"", folder);
    if (S_ISDIR(st.st_mode))
        return sweep_folder(s, s->tables_fd, dir, folder);
    s->n++;
    return dir_remove(s->tables_fd, dir, s->err);
}

int
run_dir_sweep(struct run_dir *d,
              int (*keep)(void *arg, const char *name, struct err *err),
              void *arg, unsigned *ret_n, struct err *err)
{
    struct sweep s = {
        .keep = keep, .arg = arg, .tables_fd = d->tables_fd, .err = err};
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_each(d->tables_fd, sweep_table, &s, err);
    if (!r)
        r = dir_open_private(&data_fd, d->fd, "data", 0, err);
    if (!r)
        r = sweep_folder(&s, data_fd, "large-objects", "large-objects");
    if (r)
        return r;
    *ret_n = s.n;
    return 0;
}
