/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/events.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "formats/manifest.h"
#include "io/clock.h"
#include "io/fd.h"
#include "io/printable.h"

enum {
    BUFFER_SIZE = 64 << 10,
    FLUSH_MS = 1000,
    TEXT_MAX = 2048, /* of what is said */
    PHASES_MAX = 8,
};

struct events {
    int fd; /* -1: it cannot be written any more */
    /* Whole lines that are not written yet. */
    char *buffer;
    size_t n;
    uint64_t flushed_ms;
    /* The wall's time when our clock stood at begun_ms: read once, since it
       may jump. */
    uint64_t wall_ms, begun_ms;
    struct phase {
        const char *name;
        uint64_t begun_ms;
    } phases[PHASES_MAX];
    unsigned n_phases;
    char trouble[256];
};

/* ---- the file ---- */

static void
give_up(struct events *e, int sys)
{
    snprintf(e->trouble, sizeof e->trouble,
             "could not write \"" EVENTS_FILE "\": %s", strerror(sys));
    close(fd_take(&e->fd));
}

/* O_APPEND: what is added never lies over what is there. */
static void
flush(struct events *e)
{
    size_t done = 0;

    while (e->fd >= 0 && done < e->n) {
        ssize_t n = write(e->fd, e->buffer + done, e->n - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            give_up(e, errno);
    }
    e->n = 0;
    e->flushed_ms = clock_ms();
}

/* Each line is a whole one, also after one that a crash has torn. */
static int
end_torn_line(const struct events *e, off_t size, struct err *err)
{
    char last = '\n';

    if (size > 0 && pread(e->fd, &last, 1, size - 1) != 1)
        return err_sys(err, errno, "could not read \"" EVENTS_FILE "\"");
    if (last != '\n' && write(e->fd, "\n", 1) != 1)
        return err_sys(err, errno, "could not write \"" EVENTS_FILE "\"");
    return 0;
}

static int
open_file(struct events *e, int dir_fd, struct err *err)
{
    struct stat st;

    e->fd = openat(dir_fd, EVENTS_FILE,
                   O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
                       O_CLOEXEC,
                   0600);
    if (e->fd < 0 || fstat(e->fd, &st) < 0)
        return err_sys(err, errno, "could not open \"" EVENTS_FILE "\"");
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_REFUSED,
                       "\"" EVENTS_FILE "\" is not a regular file of one name");
    return end_torn_line(e, st.st_size, err);
}

int
events_open(struct events **ret, int dir_fd, struct err *err)
{
    cleanup_(events_freep) struct events *e = NULL;
    struct timespec now;
    int r;

    e = calloc(1, sizeof *e);
    if (!e)
        return err_nomem(err);
    e->fd = -1;
    e->buffer = malloc(BUFFER_SIZE);
    if (!e->buffer)
        return err_nomem(err);
    r = open_file(e, dir_fd, err);
    if (r)
        return r;
    clock_gettime(CLOCK_REALTIME, &now);
    e->wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    e->begun_ms = e->flushed_ms = clock_ms();
    *ret = take(e);
    return 0;
}

struct events *
events_free(struct events *e)
{
    if (!e)
        return NULL;
    flush(e);
    fd_closep(&e->fd);
    free(e->buffer);
    free(e);
    return NULL;
}

const char *
events_trouble(const struct events *e)
{
    return e && *e->trouble ? e->trouble : NULL;
}

/* ---- lines ---- */

/* Takes o over.  A line that is too large is left out: none is, by the bounds
   of what is put in. */
static void
put_line(struct events *e, json_t *o)
{
    size_t n;

    for (int tries = 0; o && tries < 2; tries++) {
        n = json_dumpb(o, e->buffer + e->n, BUFFER_SIZE - e->n - 1,
                       JSON_COMPACT);
        if (n > 0 && n < BUFFER_SIZE - e->n) {
            e->n += n;
            e->buffer[e->n++] = '\n';
            break;
        }
        flush(e);
    }
    json_decref(o);
}

static void
set_text(json_t *o, const char *member, const char *text)
{
    char cut[TEXT_MAX], shown[PRINTABLE_SIZE(TEXT_MAX)];

    snprintf(cut, sizeof cut, "%s", text);
    json_object_set_new(o, member,
                        json_string(printable(shown, sizeof shown, cut)));
}

static void
set_number(json_t *o, const char *member, uint64_t n)
{
    json_object_set_new(o, member, manifest_u64_json(n));
}

/* What is 0 goes without saying. */
static void
set_some(json_t *o, const char *member, uint64_t n)
{
    if (n)
        set_number(o, member, n);
}

static void
set_why(json_t *o, const struct err *why)
{
    if (!why)
        return;
    set_number(o, "status", (uint64_t)why->class);
    set_text(o, "why", why->message);
    if (*why->detail)
        set_text(o, "detail", why->detail);
}

/* {"at": milliseconds since 1970, "event": ...} */
static json_t *
line(const struct events *e, const char *event, uint64_t now_ms)
{
    json_t *o = json_object();

    set_number(o, "at", e->wall_ms + (now_ms - e->begun_ms));
    json_object_set_new(o, "event", json_string(event));
    return o;
}

/* ---- commands ---- */

void
events_begin(struct events *e, const char *command, const char *version,
             json_t *options)
{
    time_t s;
    struct tm tm;
    char time[sizeof "-2147483648-01-01T00:00:00Z"];
    json_t *o;

    if (!e) {
        json_decref(options);
        return;
    }
    s = (time_t)(e->wall_ms / 1000);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
    o = line(e, "begin", e->begun_ms);
    json_object_set_new(o, "time", json_string(time));
    json_object_set_new(o, "command", json_string(command));
    json_object_set_new(o, "version", json_string(version));
    set_number(o, "pid", (uint64_t)getpid());
    json_object_set_new(o, "options", options);
    put_line(e, o);
    flush(e);
}

void
events_end(struct events *e, const struct err *why)
{
    uint64_t now_ms = clock_ms();
    json_t *o;

    if (!e)
        return;
    while (e->n_phases > 0)
        events_phase_end(e, why);
    o = line(e, "end", now_ms);
    set_number(o, "ms", now_ms - e->begun_ms);
    set_why(o, why);
    if (!why)
        set_number(o, "status", 0);
    put_line(e, o);
    flush(e);
}

/* ---- phases ---- */

void
events_phase_begin(struct events *e, const char *name)
{
    uint64_t now_ms = clock_ms();
    json_t *o;

    if (!e)
        return;
    assert(e->n_phases < PHASES_MAX);
    e->phases[e->n_phases++] = (struct phase){name, now_ms};
    o = line(e, "phase", now_ms);
    json_object_set_new(o, "name", json_string(name));
    json_object_set_new(o, "state", json_string("begun"));
    put_line(e, o);
    flush(e);
}

void
events_phase_end(struct events *e, const struct err *why)
{
    uint64_t now_ms = clock_ms();
    const struct phase *p;
    json_t *o;

    if (!e)
        return;
    assert(e->n_phases > 0);
    p = &e->phases[--e->n_phases];
    o = line(e, "phase", now_ms);
    json_object_set_new(o, "name", json_string(p->name));
    json_object_set_new(o, "state", json_string(why ? "failed" : "done"));
    set_number(o, "ms", now_ms - p->begun_ms);
    set_why(o, why);
    put_line(e, o);
}

/* ---- what happens in them ---- */

void
events_server(struct events *e, const char *side, json_t *o)
{
    json_t *l;

    if (e) {
        l = line(e, "server", clock_ms());
        json_object_set_new(l, "side", json_string(side));
        json_object_update(l, o);
        put_line(e, l);
    }
    json_decref(o);
}

void
events_task(struct events *e, const struct events_task *t)
{
    json_t *o;

    if (!e)
        return;
    o = line(e, "task", t->ended_ms);
    json_object_set_new(o, "lane", json_string(t->lane));
    set_number(o, "worker", t->worker);
    set_text(o, "label", t->label);
    set_some(o, "table", t->table);
    set_some(o, "chunk", t->chunk);
    set_number(o, "ms", t->ended_ms - t->begun_ms);
    set_some(o, "rows", t->n_rows);
    set_some(o, "bytes", t->n_bytes);
    set_some(o, "stored", t->n_stored);
    json_object_set_new(o, "outcome", json_string(t->outcome));
    set_why(o, t->why);
    put_line(e, o);
}

void
events_limit(struct events *e, const char *lane, unsigned n_workers)
{
    json_t *o;

    if (!e)
        return;
    o = line(e, "limit", clock_ms());
    json_object_set_new(o, "lane", json_string(lane));
    set_number(o, "workers", n_workers);
    put_line(e, o);
}

void
events_note(struct events *e, const char *text)
{
    json_t *o;

    if (!e)
        return;
    o = line(e, "note", clock_ms());
    set_text(o, "text", text);
    put_line(e, o);
}

void
events_beat(struct events *e)
{
    if (e && e->n > 0 && clock_ms() - e->flushed_ms >= FLUSH_MS)
        flush(e);
}

void
events_flush(struct events *e)
{
    if (e)
        flush(e);
}
