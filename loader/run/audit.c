/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/hex.h"
#include "io/fd.h"
#include "loader/run/witness.h"

enum {
    HEX = 64,
    LINE_LIMIT = 1 << 20, /* of one: options may be many */
    SEAL_LEN = sizeof ",\"sha256\":\"\"}" - 1 + HEX,
};

static const char seal_begin[] = ",\"sha256\":\"";

/* ---- a line ---- */

static void
digest(const char *text, size_t len, char ret[HEX + 1])
{
    unsigned char sha256[32];

    SHA256((const unsigned char *)text, len, sha256);
    hex_encode(ret, sha256, sizeof sha256);
}

static int
altered(uint64_t n, const char *why, struct err *err)
{
    err_set(err, ERR_CORRUPT,
            "line %" PRIu64 " of \"" AUDIT_FILE "\" is not what was written",
            n);
    return err_detail(err, "%s", why);
}

/* The line, without its end, follows *head: then it is the head. */
static int
follow(struct audit_head *head, const char *line, size_t len, json_t **ret,
       struct err *err)
{
    uint64_t n = head->n + 1;
    char found[HEX + 1];
    const char *seal, *previous;
    json_int_t number;
    json_t *entry;

    if (len <= SEAL_LEN || line[len - 1] != '}')
        return altered(n, "It is not an entry.", err);
    seal = line + len - SEAL_LEN;
    digest(line, len - SEAL_LEN, found);
    if (memcmp(seal, seal_begin, strlen(seal_begin)) != 0 ||
        memcmp(seal + strlen(seal_begin), found, HEX) != 0)
        return altered(n, "Its SHA-256 is another one.", err);
    entry = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    number = json_integer_value(json_object_get(entry, "n"));
    previous = json_string_value(json_object_get(entry, "previous"));
    if (!entry || (uint64_t)number != n ||
        strcmp(previous ? previous : "", head->sha256) != 0) {
        json_decref(entry);
        return altered(n, "It does not follow the line before it.", err);
    }
    head->n = n;
    memcpy(head->sha256, found, sizeof found);
    *ret = entry;
    return 0;
}

/* ---- the file ---- */

static int
open_file(int *ret_fd, int dir_fd, int flags, struct err *err)
{
    cleanup_(fd_closep) int fd = openat(
        dir_fd, AUDIT_FILE, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0 && errno == ENOENT) {
        *ret_fd = -1;
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not open \"" AUDIT_FILE "\"");
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_REFUSED,
                       "\"" AUDIT_FILE "\" is not a regular file of one name");
    *ret_fd = fd_take(&fd);
    return 0;
}

/* The whole lines at the end that fit; *ret_end is where they end. */
static int
read_tail(int fd, char **ret, size_t *ret_len, off_t *ret_end, struct err *err)
{
    cleanup_(freep) char *text = malloc(LINE_LIMIT + 1);
    struct stat st;
    off_t from;
    ssize_t n;

    if (!text)
        return err_nomem(err);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"" AUDIT_FILE "\"");
    from = st.st_size > LINE_LIMIT ? st.st_size - LINE_LIMIT : 0;
    n = pread(fd, text, LINE_LIMIT, from);
    if (n < 0)
        return err_sys(err, errno, "could not read \"" AUDIT_FILE "\"");
    while (n > 0 && text[n - 1] != '\n')
        n--;
    *ret_end = from + n;
    *ret_len = (size_t)n;
    *ret = take(text);
    return 0;
}

/* It says its number; whether all before it is right is audit_verify()'s. */
static int
read_last(struct audit_head *ret, int fd, off_t *ret_end, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    json_int_t number;
    json_t *entry;
    char *line;
    size_t len;
    int r = read_tail(fd, &text, &len, ret_end, err);

    *ret = (struct audit_head){0};
    if (r || len == 0)
        return r;
    text[len - 1] = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    entry = json_loads(line, 0, NULL);
    if (!entry || json_unpack(entry, "{s:I}", "n", &number) < 0 ||
        strlen(line) <= SEAL_LEN) {
        json_decref(entry);
        err_set(err, ERR_CORRUPT,
                "the last line of \"" AUDIT_FILE "\" is not what was written");
        return err_hint(err, "\"pghaul audit verify\" says more.  Move the "
                             "file away, and keep it, to go on without it.");
    }
    json_decref(entry);
    ret->n = (uint64_t)number;
    digest(line, strlen(line) - SEAL_LEN, ret->sha256);
    return 0;
}

int
audit_read_head(struct audit_head *ret, int dir_fd, struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    off_t end;
    int r = open_file(&fd, dir_fd, O_RDONLY, err);

    *ret = (struct audit_head){0};
    return r || fd < 0 ? r : read_last(ret, fd, &end, err);
}

/* ---- adding ---- */

/* Numbers, witnesses, entry, seal; to free. */
static char *
print_line(const struct audit_head *head, const json_t *entry)
{
    json_t *o = json_object();
    char sha256[HEX + 1], *text, *line = NULL;

    json_object_set_new(o, "n", json_integer((json_int_t)head->n + 1));
    json_object_set_new(o, "previous",
                        head->n > 0 ? json_string(head->sha256) : json_null());
    witness_add(o);
    json_object_set_new(o, "pid", json_integer(getpid()));
    json_object_update(o, (json_t *)entry);
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text)
        return NULL;
    digest(text, strlen(text) - 1, sha256);
    if (asprintf(&line, "%.*s%s%s\"}\n", (int)strlen(text) - 1, text,
                 seal_begin, sha256) < 0)
        line = NULL;
    free(text);
    return line;
}

static int
write_line(int fd, const char *line, int durable, struct err *err)
{
    size_t len = strlen(line);
    ssize_t n;

    if (len > LINE_LIMIT)
        return err_set(err, ERR_REFUSED,
                       "an entry of \"" AUDIT_FILE "\" would be too long");
    n = write(fd, line, len);
    if (n < 0 || (size_t)n < len)
        return err_sys(err, n < 0 ? errno : ENOSPC,
                       "could not write \"" AUDIT_FILE "\"");
    if (durable && fdatasync(fd) < 0)
        return err_sys(err, errno, "could not sync \"" AUDIT_FILE "\"");
    return 0;
}

static int
add(int dir_fd, const json_t *entry, int durable, struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    cleanup_(freep) char *line = NULL;
    struct audit_head head;
    struct stat st;
    off_t end;
    int r = open_file(&fd, dir_fd, O_RDWR | O_APPEND | O_CREAT, err);

    if (!r)
        r = read_last(&head, fd, &end, err);
    if (r)
        return r;
    /* A line that a crash has torn was never an entry. */
    if (fstat(fd, &st) < 0 || (st.st_size > end && ftruncate(fd, end) < 0))
        return err_sys(err, errno, "could not mend \"" AUDIT_FILE "\"");
    line = print_line(&head, entry);
    return line ? write_line(fd, line, durable, err) : err_nomem(err);
}

int
audit_add(int dir_fd, json_t *entry, int durable, struct err *err)
{
    int r = add(dir_fd, entry, durable, err);

    json_decref(entry);
    return r;
}

/* ---- reading all ---- */

static int
read_lines(struct audit_head *head, FILE *f, audit_visit *visit, void *arg,
           struct err *err)
{
    cleanup_(freep) char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int r = 0;

    while (!r && (n = getline(&line, &room, f)) > 0) {
        json_t *entry = NULL;

        if (line[n - 1] != '\n')
            return altered(head->n + 1, "It has no end.", err);
        r = follow(head, line, (size_t)n - 1, &entry, err);
        if (!r && visit)
            r = visit(arg, head, entry, err);
        json_decref(entry);
    }
    if (!r && ferror(f))
        r = err_sys(err, errno, "could not read \"" AUDIT_FILE "\"");
    return r;
}

int
audit_verify(struct audit_head *ret, int dir_fd, audit_visit *visit, void *arg,
             struct err *err)
{
    int fd = -1, r = open_file(&fd, dir_fd, O_RDONLY, err);
    FILE *f;

    *ret = (struct audit_head){0};
    if (r || fd < 0)
        return r ? r
                 : err_sys(err, ENOENT, "could not open \"" AUDIT_FILE "\"");
    f = fdopen(fd, "r");
    if (!f) {
        close(fd);
        return err_nomem(err);
    }
    r = read_lines(ret, f, visit, arg, err);
    fclose(f);
    return r;
}
