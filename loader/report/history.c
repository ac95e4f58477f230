/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"
#include "loader/progress/events.h"
#include "loader/report/lines.h"

enum { NOTES_PER_COMMAND = 30 };

static const char schema[] =
    "DROP TABLE IF EXISTS temp.report_spent;"
    "CREATE TEMP TABLE report_spent("
    "  table_id INTEGER PRIMARY KEY,"
    "  export INTEGER NOT NULL DEFAULT 0,"
    "  load INTEGER NOT NULL DEFAULT 0,"
    "  build INTEGER NOT NULL DEFAULT 0" /* indexes, keys, statistics */
    "  ) STRICT;"
    "DROP TABLE IF EXISTS temp.report_trouble;"
    "CREATE TEMP TABLE report_trouble("
    "  lane TEXT NOT NULL, outcome TEXT NOT NULL, why TEXT NOT NULL,"
    "  label TEXT NOT NULL," /* of the first */
    "  at INTEGER NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY(lane, outcome, why)) STRICT, WITHOUT ROWID;"
    "DROP TABLE IF EXISTS temp.report_notes;"
    "CREATE TEMP TABLE report_notes("
    "  id INTEGER PRIMARY KEY, command INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;";

/* ---- the commands ---- */

static void
forget_command(struct history_command *k)
{
    json_decref(k->options);
}

void
history_clear(struct history *h)
{
    for (unsigned i = 0; i < h->n; i++)
        forget_command(&h->commands[i]);
    free(h->commands);
    json_decref(h->source);
    json_decref(h->target);
    *h = (struct history){0};
}

static struct history_command *
last(struct history *h)
{
    return h->n ? &h->commands[h->n - 1] : NULL;
}

static void
set_name(char *to, size_t size, const json_t *o, const char *member)
{
    snprintf(to, size, "%s", lines_text(o, member));
}

static void
begin_command(struct history *h, const json_t *o, uint64_t offset)
{
    struct history_command *k = last(h);

    if (k)
        k->end = offset;
    if (h->n == HISTORY_COMMANDS) {
        forget_command(h->commands);
        memmove(h->commands, h->commands + 1, --h->n * sizeof *h->commands);
    }
    k = &h->commands[h->n++];
    *k = (struct history_command){
        .number = ++h->n_all,
        .offset = offset,
        .end = UINT64_MAX,
        .at = lines_u64(o, "at"),
        .options = json_incref(json_object_get(o, "options")),
    };
    set_name(k->name, sizeof k->name, o, "command");
    set_name(k->version, sizeof k->version, o, "version");
}

static void
end_command(struct history_command *k, const json_t *o)
{
    k->has_ended = 1;
    k->ms = lines_u64(o, "ms");
    k->status = (unsigned)lines_u64(o, "status");
    set_name(k->why, sizeof k->why, o, "why");
}

/* ---- phases ---- */

static void
begin_phase(struct history_command *k, const json_t *o)
{
    struct history_phase *p;

    if (k->n_phases == HISTORY_PHASES)
        return;
    p = &k->phases[k->n_phases++];
    *p = (struct history_phase){.at = lines_u64(o, "at"), .ms = HISTORY_OPEN};
    set_name(p->name, sizeof p->name, o, "name");
}

static void
see_phase(struct history_command *k, const json_t *o)
{
    const char *state = lines_text(o, "state");

    if (strcmp(state, "begun") == 0) {
        begin_phase(k, o);
        return;
    }
    for (unsigned i = k->n_phases; i-- > 0;) {
        struct history_phase *p = &k->phases[i];

        if (p->ms != HISTORY_OPEN ||
            strcmp(p->name, lines_text(o, "name")) != 0)
            continue;
        p->ms = lines_u64(o, "ms");
        p->failed = strcmp(state, "failed") == 0;
        return;
    }
}

/* ---- tasks ---- */

static struct history_lane *
find_lane(struct history_command *k, const char *name)
{
    for (unsigned i = 0; i < k->n_lanes; i++)
        if (strcmp(k->lanes[i].name, name) == 0)
            return &k->lanes[i];
    if (k->n_lanes == HISTORY_LANES)
        return NULL;
    snprintf(k->lanes[k->n_lanes].name, HISTORY_NAME, "%s", name);
    return &k->lanes[k->n_lanes++];
}

static int
is(const json_t *o, const char *member, const char *text)
{
    return strcmp(lines_text(o, member), text) == 0;
}

static void
count_task(struct history_lane *l, const json_t *o)
{
    uint64_t ended_at = lines_u64(o, "at"), ms = lines_u64(o, "ms");
    unsigned worker = (unsigned)lines_u64(o, "worker");

    if (worker > l->n_workers)
        l->n_workers = worker;
    if (!l->begun_at || ended_at - ms < l->begun_at)
        l->begun_at = ended_at - ms;
    l->ended_at = ended_at;
    if (is(o, "outcome", "failed")) {
        l->n_failed++;
    } else if (!is(o, "outcome", "done")) {
        l->n_again++;
    } else {
        l->n_done++;
        l->n_rows += lines_u64(o, "rows");
        l->n_bytes += lines_u64(o, "bytes");
        l->n_stored += lines_u64(o, "stored");
    }
}

/* The time of its table, whatever came of it. */
static int
add_time(struct catalog *c, const json_t *o, struct err *err)
{
    static const char *const adds[] = {
        "INSERT INTO report_spent(table_id, export) VALUES(?1, ?2) ON CONFLICT"
        " DO UPDATE SET export = export + ?2",
        "INSERT INTO report_spent(table_id, load) VALUES(?1, ?2) ON CONFLICT"
        " DO UPDATE SET load = load + ?2",
        "INSERT INTO report_spent(table_id, build) VALUES(?1, ?2) ON CONFLICT"
        " DO UPDATE SET build = build + ?2",
    };
    uint64_t table = lines_u64(o, "table");
    int which = -1;

    if (is(o, "lane", "export"))
        which = 0;
    else if (is(o, "lane", "load"))
        which = lines_u64(o, "chunk") ? 1 : 2;
    if (which < 0 || !table)
        return 0;
    return catalog_db_run(c, err, SQL(adds[which]), INT(table),
                          INT(lines_u64(o, "ms")));
}

static int
add_trouble(struct catalog *c, const json_t *o, struct err *err)
{
    if (is(o, "outcome", "done"))
        return 0;
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO report_trouble VALUES(?, ?, ?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET n = n + 1"),
        TEXT(lines_text(o, "lane")), TEXT(lines_text(o, "outcome")),
        TEXT(lines_text(o, "why")), TEXT(lines_text(o, "label")),
        INT(lines_u64(o, "at")));
}

static int
see_task(struct history_command *k, struct catalog *c, const json_t *o,
         struct err *err)
{
    struct history_lane *l = find_lane(k, lines_text(o, "lane"));
    int r;

    if (l)
        count_task(l, o);
    if (!c)
        return 0;
    r = add_time(c, o, err);
    return r ? r : add_trouble(c, o, err);
}

/* ---- all ---- */

static int
see_note(struct history_command *k, struct catalog *c, const json_t *o,
         struct err *err)
{
    if (++k->n_notes > NOTES_PER_COMMAND || !c)
        return 0;
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO report_notes(command, at, text) VALUES(?, ?, ?)"),
        INT(k->number), INT(lines_u64(o, "at")), TEXT(lines_text(o, "text")));
}

static void
see_server(struct history *h, json_t *o)
{
    json_t **side = is(o, "side", "source") ? &h->source : &h->target;

    json_decref(*side);
    *side = json_incref(o);
}

static int
see(struct history *h, struct catalog *c, json_t *o, uint64_t offset,
    struct err *err)
{
    struct history_command *k;

    if (is(o, "event", "begin"))
        begin_command(h, o, offset);
    k = last(h);
    if (!k)
        return 0; /* its beginning was cut off */
    k->last_at = lines_u64(o, "at");
    if (is(o, "event", "task"))
        return see_task(k, c, o, err);
    if (is(o, "event", "note"))
        return see_note(k, c, o, err);
    if (is(o, "event", "phase"))
        see_phase(k, o);
    else if (is(o, "event", "server"))
        see_server(h, o);
    else if (is(o, "event", "end"))
        end_command(k, o);
    k->n_limits += is(o, "event", "limit");
    return 0;
}

static int
read_all(struct history *h, struct lines *l, struct catalog *c, struct err *err)
{
    uint64_t offset;
    json_t *o;
    int r;

    while ((r = lines_next(l, &o, &offset, err)) == 0) {
        r = see(h, c, o, offset, err);
        json_decref(o);
        if (r)
            return r;
    }
    h->n_torn = lines_n_torn(l);
    return r == LINES_E_END ? 0 : r;
}

int
history_read(struct history *ret, const struct run_dir *dir, struct catalog *c,
             struct err *err)
{
    cleanup_(lines_freep) struct lines *l = NULL;
    int r;

    *ret = (struct history){0};
    ret->commands = calloc(HISTORY_COMMANDS, sizeof *ret->commands);
    if (!ret->commands)
        return err_nomem(err);
    r = c ? catalog_db_script(c, err, schema) : 0;
    if (!r)
        r = lines_open(&l, run_dir_fd(dir), EVENTS_FILE, err);
    if (r)
        return r == LINES_E_NONE ? 0 : r;
    return read_all(ret, l, c, err);
}

uint64_t
history_ms(const struct history_command *k)
{
    return k->has_ended ? k->ms : k->last_at - k->at;
}

const struct history_command *
history_last(const struct history *h, const char *lane)
{
    for (unsigned i = h->n; i-- > 0;)
        for (unsigned j = 0; j < h->commands[i].n_lanes; j++)
            if (strcmp(h->commands[i].lanes[j].name, lane) == 0)
                return &h->commands[i];
    return NULL;
}
