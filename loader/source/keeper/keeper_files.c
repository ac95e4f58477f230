/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/keeper_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "formats/manifest.h"
#include "io/clock.h"
#include "io/fd.h"
#include "io/printable.h"
#include "loader/catalog/capture.h"
#include "loader/run/notice.h"

#define LOCK "keeper.lock"
#define FILE_NAME "keeper.json"

enum {
    LOCK_WAIT_MS = 10000,
    NAP_US = 20000,
};

/* 0, or the errno.  A lock of the process, not of the file description: then
   the kernel tells others whose it is. */
static int
lock_now(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_SETLK, &whole) == 0)
        return 0;
    return errno == EACCES ? EAGAIN : errno;
}

static int
wait_for_lock(int fd)
{
    uint64_t deadline = clock_ms() + LOCK_WAIT_MS;
    int r;

    while ((r = lock_now(fd)) == EAGAIN && clock_ms() < deadline)
        clock_nap_us(NAP_US);
    return r;
}

int
keeper_files_lock(const struct run_dir *dir, int *ret_fd, struct err *err)
{
    cleanup_(fd_closep) int fd = openat(
        run_dir_fd(dir), LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", LOCK);
    r = wait_for_lock(fd);
    if (r == EAGAIN)
        return err_set(err, ERR_REFUSED,
                       "run directory \"%s\" has a keeper already",
                       run_dir_path(dir));
    if (r)
        return err_sys(err, r, "could not lock \"%s\"", LOCK);
    *ret_fd = fd_take(&fd);
    return 0;
}

pid_t
keeper_files_holder(const struct run_dir *dir)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    cleanup_(fd_closep) int fd =
        openat(run_dir_fd(dir), LOCK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fcntl(fd, F_GETLK, &whole) < 0 || whole.l_type == F_UNLCK)
        return 0;
    return whole.l_pid;
}

/* A server's words need not be UTF-8: printable() makes them ASCII. */
static void
set_text(json_t *o, const char *member, const char *text)
{
    char shown[PRINTABLE_SIZE(sizeof((struct keeper_look *)0)->lost)];

    if (text[0])
        json_object_set_new(o, member,
                            json_string(printable(shown, sizeof shown, text)));
}

int
keeper_files_write(const struct run_dir *dir, const struct keeper_look *look,
                   struct err *err)
{
    json_t *o = json_object(), *list = json_array();
    char lsn[CAPTURE_LSN];

    json_object_set_new(o, "pid", json_integer(look->pid));
    json_object_set_new(o, "begun", json_integer(look->begun));
    json_object_set_new(o, "origin", json_string(look->origin));
    for (int i = 0; i < KEEPER_HOLDERS; i++)
        json_array_append_new(list, json_string(look->snapshots[i]));
    json_object_set_new(o, "snapshots", list);
    if (look->lsn)
        json_object_set_new(o, "slot_lsn",
                            json_string(capture_lsn(lsn, look->lsn)));
    set_text(o, "lost", look->lost);
    set_text(o, "hint", look->hint);
    if (look->in_vain)
        json_object_set_new(o, "in_vain", json_true());
    return notice_write(dir, FILE_NAME, o, err);
}

static void
copy_id(char to[64], const char *from)
{
    snprintf(to, 64, "%s", from ? from : "");
}

static void
copy_part(char *to, size_t size, const struct manifest_at *at,
          const char *member)
{
    const char *text =
        manifest_has(at, member) ? manifest_string(at, member) : NULL;

    snprintf(to, size, "%s", text ? text : "");
}

static void
parse_slot(const struct manifest_at *root, struct keeper_look *ret)
{
    char lsn[CAPTURE_LSN];

    copy_part(lsn, sizeof lsn, root, "slot_lsn");
    capture_parse_lsn(lsn, &ret->lsn);
    copy_part(ret->lost, sizeof ret->lost, root, "lost");
    copy_part(ret->hint, sizeof ret->hint, root, "hint");
    ret->in_vain =
        manifest_has(root, "in_vain") && manifest_bool(root, "in_vain");
}

static void
parse(const struct manifest_at *root, struct keeper_look *ret)
{
    struct manifest_at list = manifest_array(root, "snapshots");

    ret->pid = (pid_t)manifest_u64(root, "pid", 1, INT_MAX);
    ret->begun = manifest_i64(root, "begun");
    copy_id(ret->origin, manifest_string(root, "origin"));
    for (size_t i = 0; i < KEEPER_HOLDERS && i < manifest_count(&list); i++) {
        struct manifest_at id = manifest_element(&list, i);

        copy_id(ret->snapshots[i], manifest_string(&id, NULL));
    }
    parse_slot(root, ret);
}

int
keeper_files_read(const struct run_dir *dir, struct keeper_look *ret,
                  struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct keeper_look look = {0};
    struct manifest_at root;
    int r = notice_read(dir, FILE_NAME, &m, err);

    if (r)
        return r == NOTICE_E_NONE ? KEEPER_E_NONE : r;
    root = manifest_root(m);
    parse(&root, &look);
    r = manifest_check(m, err);
    if (!r)
        *ret = look;
    return r;
}

int
keeper_files_exist(const struct run_dir *dir)
{
    return notice_exists(dir, FILE_NAME);
}

void
keeper_files_remove(const struct run_dir *dir)
{
    notice_remove(dir, FILE_NAME);
}
