/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/fd.h"
#include "io/object/object_text.h"

#define FIRST_LINE "pghaul upload 1"

/* ---- texts of others, in hex: a line stays a line ---- */

static char *
encode(const char *text)
{
    size_t len = strlen(text);
    char *ret = malloc(2 * len + 1);

    if (ret)
        object_hex(ret, (const unsigned char *)text, len);
    return ret;
}

/* NULL: it is none. */
static char *
decode(const char *hex)
{
    size_t len = strspn(hex, "0123456789abcdef");
    char *ret;

    if (hex[len] || len % 2)
        return NULL;
    ret = malloc(len / 2 + 1);
    for (size_t i = 0; ret && i < len / 2; i++) {
        unsigned byte = 0;

        sscanf(hex + 2 * i, "%2x", &byte);
        ret[i] = (char)byte;
    }
    if (ret)
        ret[len / 2] = '\0';
    return ret;
}

/* ---- reading ---- */

static void
file_closep(FILE **f)
{
    if (*f)
        fclose(*f);
}

static void
read_part(struct object_state *s, const char *text)
{
    unsigned n;
    uint64_t len;
    char checksum[64], etag[1024];
    struct object_part *part;

    if (sscanf(text, "%u %" SCNu64 " %63s %1023s", &n, &len, checksum, etag) !=
        4)
        return;
    part = object_parts_at(&s->parts, n);
    if (!part)
        return;
    free(part->etag);
    part->etag = decode(etag);
    part->len = len;
    strcpy(part->checksum, checksum);
}

static void
read_line(struct object_state *s, char *line)
{
    char *value = strchr(line, ' ');
    size_t len = strlen(line);

    /* One that was not written to its end says nothing. */
    if (!value || len < 5 || strcmp(line + len - 5, " end\n") != 0)
        return;
    line[len - 5] = '\0';
    *value++ = '\0';
    if (strcmp(line, "of") == 0 && !s->of)
        s->of = decode(value);
    else if (strcmp(line, "id") == 0 && !s->id)
        s->id = decode(value);
    else if (strcmp(line, "tag") == 0)
        snprintf(s->tag, sizeof s->tag, "%s", value);
    else if (strcmp(line, "part") == 0)
        read_part(s, value);
}

static int
open_state(FILE **ret, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    *ret = NULL;
    if (fd < 0)
        return errno == ENOENT
                   ? 0
                   : err_sys(err, errno, "could not open \"%s\"", path);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        *ret = fdopen(fd, "re");
    if (*ret)
        return 0;
    close(fd);
    return err_set(err, ERR_REFUSED, "\"%s\" is no file", path);
}

int
object_state_read(struct object_state *ret, const char *path, struct err *err)
{
    cleanup_(file_closep) FILE *f = NULL;
    cleanup_(freep) char *line = NULL;
    size_t size = 0;

    *ret = (struct object_state){0};
    if (open_state(&f, path, err) < 0)
        return -1;
    if (!f || getline(&line, &size, f) < 0 ||
        strcmp(line, FIRST_LINE "\n") != 0)
        return 0;
    while (getline(&line, &size, f) >= 0)
        read_line(ret, line);
    if (ret->of && ret->id && strlen(ret->tag) == OBJECT_TAG_SIZE - 1)
        return 1;
    object_state_clear(ret);
    return 0;
}

void
object_state_clear(struct object_state *s)
{
    free(s->of);
    free(s->id);
    object_parts_clear(&s->parts);
    *s = (struct object_state){0};
}

/* ---- writing ---- */

static int
put(int fd, const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (write(fd, text, len) == (ssize_t)len)
        return 0;
    return err_sys(err, errno ? errno : EIO,
                   "could not write what is uploaded");
}

static int
put_head(int fd, const struct object_state *s, struct err *err)
{
    cleanup_(freep) char *of = encode(s->of), *id = encode(s->id), *text = NULL;
    int r;

    if (!of || !id ||
        asprintf(&text, FIRST_LINE "\nof %s end\nid %s end\ntag %s end\n", of,
                 id, s->tag) < 0)
        return text = NULL, err_nomem(err);
    r = put(fd, text, err);
    for (unsigned i = 0; !r && i < s->parts.n; i++)
        if (s->parts.parts[i].etag)
            r = object_state_add(fd, i + 1, &s->parts.parts[i], err);
    if (!r && fdatasync(fd) < 0)
        r = err_sys(err, errno, "could not sync what is uploaded");
    return r;
}

int
object_state_begin(int *ret_fd, const char *path, const struct object_state *s,
                   struct err *err)
{
    cleanup_(fd_closep) int fd = -1;

    object_state_remove(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", path);
    if (put_head(fd, s, err) < 0)
        return -1;
    *ret_fd = fd_take(&fd);
    return 0;
}

int
object_state_add(int fd, unsigned n, const struct object_part *part,
                 struct err *err)
{
    cleanup_(freep) char *etag = encode(part->etag), *line = NULL;

    if (!etag || asprintf(&line, "part %u %" PRIu64 " %s %s end\n", n,
                          part->len, part->checksum, etag) < 0)
        return line = NULL, err_nomem(err);
    return put(fd, line, err);
}

void
object_state_remove(const char *path)
{
    unlink(path);
}
