/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/keeper/keeper_slot.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/printable.h"
#include "loader/source/keeper/slot.h"
#include "loader/source/keeper/slot_watch.h"

struct keeper_slot {
    const struct keeper_params *params;
    const struct session_params *session_params;
    struct session *maker; /* the replication connection, while it is needed */
    struct slot_made made; /* lsn 0: not made (yet) */
    struct slot_watch *watch;
};

struct keeper_slot *
keeper_slot_free(struct keeper_slot *k)
{
    if (!k)
        return NULL;
    session_free(k->maker);
    slot_watch_free(k->watch);
    free(k);
    return NULL;
}

static int
watch(struct keeper_slot *k, struct err *err)
{
    const struct slot_watch_params p = {
        .session = k->session_params,
        .slot = k->params->slot,
        .publication = strcmp(k->params->plugin, "pgoutput") == 0
                           ? k->params->publication
                           : NULL,
        .lsn = keeper_slot_lsn(k),
    };

    return slot_watch_new(&k->watch, &p, err);
}

int
keeper_slot_new(struct keeper_slot **ret, const struct keeper_params *p,
                const struct session_params *session, struct err *err)
{
    cleanup_(keeper_slot_freep) struct keeper_slot *k = calloc(1, sizeof *k);
    int r;

    if (!k)
        return err_nomem(err);
    k->params = p;
    k->session_params = session;
    r = keeper_slot_is_alone(k) ? watch(k, err) : 0;
    if (!r)
        *ret = take(k);
    return r;
}

int
keeper_slot_is_alone(const struct keeper_slot *k)
{
    return k && k->params->slot_lsn != 0;
}

uint64_t
keeper_slot_lsn(const struct keeper_slot *k)
{
    return keeper_slot_is_alone(k) ? k->params->slot_lsn : k->made.lsn;
}

const char *
keeper_slot_snapshot(const struct keeper_slot *k)
{
    return k->made.snapshot;
}

/* ---- making it ---- */

/* Whoever reads our output waits; when nobody does, nobody will use it. */
static int
starter_is_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP));
}

/* {"waiting": "..."} on a line of its own. */
static int
tell_starter(const char *what)
{
    char shown[PRINTABLE_SIZE(1000)];
    json_t *o = json_object();
    int r;

    json_object_set_new(o, "waiting",
                        json_string(printable(shown, sizeof shown, what)));
    r = json_dumpf(o, stdout, JSON_COMPACT);
    json_decref(o);
    return r || putchar('\n') == EOF || fflush(stdout) ? -1 : 0;
}

static int
waiting(void *arg, const char *what, struct err *err)
{
    (void)arg;
    if (starter_is_gone() || (what && tell_starter(what)))
        return err_set(err, ERR_CANCELLED, "who asked for the slot is gone");
    return 0;
}

int
keeper_slot_make(struct keeper_slot *k, struct session *s, struct err *err)
{
    const struct slot_params p = {
        .conninfo = k->params->conninfo,
        .name = k->params->slot,
        .plugin = k->params->plugin,
        .timeout_s = k->params->slot_timeout_s,
        .stop = k->params->stop,
        .waiting = waiting,
        .arg = k,
    };

    return slot_create(&k->maker, s, &p, &k->made, err);
}

void
keeper_slot_release(struct keeper_slot *k)
{
    k->maker = session_free(k->maker);
}

void
keeper_slot_undo(struct keeper_slot *k)
{
    const struct session_params p = {
        .conninfo = k->params->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "undo",
    };
    cleanup_(session_freep) struct session *s = NULL;
    struct err ignored;

    keeper_slot_release(k);
    if (keeper_slot_is_alone(k) || k->made.lsn == 0)
        return;
    /* When this fails too, the exporter will know of the intent. */
    if (session_open(&s, &p, &ignored) == 0)
        slot_drop(s, k->params->slot, &ignored);
}

int
keeper_slot_beat(struct keeper_slot *k, struct err *err)
{
    int r = k->watch ? 0 : watch(k, err);

    return r ? r : slot_watch_beat(k->watch, err);
}
