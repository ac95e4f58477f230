/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/seal.h"
#include "loader/handoff/finding.h"
#include "loader/progress/quantity.h"
#include "loader/source/capture/identity.h"
#include "loader/source/capture/publication.h"
#include "loader/source/check/question.h"

/* What each question of an epoch is about. */
struct asked {
    const struct check_params *params;
    const struct check_epoch *epoch;
    struct source_now now;
};

/* ---- is it the run's source? ---- */

static int
check_source(const struct check_params *p, const struct place *now,
             struct findings *f, struct err *err)
{
    const struct capture *m = p->epochs[0].capture;

    if (place_is(now, m->system_id, m->database))
        return finding_ok(f, err, "source", "database \"%s\" of cluster %s",
                          m->database, m->system_id);
    return finding_error(
        f, err, "source", "Give the source that the run was exported from.",
        "database \"%s\" of cluster %s, the run is of \"%s\" "
        "of %s",
        now->database, now->system_id, m->database, m->system_id);
}

/* A slot that followed its primary's standby is where it was. */
static int
check_timeline(const struct asked *a, struct findings *f, struct err *err)
{
    unsigned was = a->epoch->capture->timeline, is = a->now.place.timeline;

    if (was == 0)
        return finding_warning(f, err, "timeline",
                               "It was not written down by the export.",
                               "%u, nobody knows what it was", is);
    if (is == was)
        return finding_ok(f, err, "timeline", "%u", is);
    if (a->now.has_slot && a->now.slot.failover)
        return finding_warning(f, err, "timeline",
                               "A standby was promoted; the slot, which has "
                               "failover set, has followed.",
                               "%u, it was %u", is, was);
    return finding_error(f, err, "timeline",
                         "A standby was promoted, or the server was restored: "
                         "its log is not the one that the slot was made in.  "
                         "Export again.",
                         "%u, it was %u", is, was);
}

/* ---- the slot ---- */

static int
check_slot(const struct asked *a, struct findings *f, struct err *err)
{
    const struct slot_look *slot = &a->now.slot;
    const struct capture *m = a->epoch->capture;

    if (!a->now.has_slot)
        return finding_error(f, err, "slot",
                             "Changes since the export are lost: export again "
                             "(--start-over).",
                             "\"%s\" is not there", m->slot);
    if (!slot->here || strcmp(slot->plugin, m->plugin) != 0)
        return finding_error(f, err, "slot",
                             "Somebody has made another one of that name: "
                             "export again.",
                             "\"%s\" is of plugin %s%s, not the run's", m->slot,
                             slot->plugin,
                             slot->here ? "" : " and of another database");
    if (slot->active_pid && !a->epoch->follows)
        return finding_error(
            f, err, "slot", "Stop the consumer that reads from it.",
            "\"%s\" is in use by process %d", m->slot, slot->active_pid);
    return finding_ok(f, err, "slot", "\"%s\", plugin %s", m->slot,
                      slot->plugin);
}

static int
check_position(const struct asked *a, struct findings *f, struct err *err)
{
    char is[CAPTURE_LSN], was[CAPTURE_LSN];

    if (!a->now.has_slot)
        return 0;
    capture_lsn(is, a->now.slot.confirmed);
    capture_lsn(was, a->epoch->capture->lsn);
    if (a->epoch->follows && a->now.slot.confirmed >= a->epoch->capture->lsn)
        return finding_ok(f, err, "slot position",
                          "%s, the subscription has gone on from %s", is, was);
    if (a->now.slot.confirmed == a->epoch->capture->lsn)
        return finding_ok(f, err, "slot position", "%s, where the files end",
                          is);
    return finding_error(f, err, "slot position",
                         "A consumer has read from it, and what it read does "
                         "not come again: export again, and let nobody use the "
                         "slot before the hand-off.",
                         "%s, but the files end at %s", is, was);
}

static int
check_log(const struct asked *a, struct findings *f, struct err *err)
{
    static const char raise[] = "Hand over soon, or raise "
                                "max_slot_wal_keep_size at the source.";
    const struct slot_look *slot = &a->now.slot;
    char safe[QUANTITY_SIZE] = "no limit";

    if (!a->now.has_slot)
        return 0;
    if (slot->lost[0])
        return finding_error(f, err, "slot log",
                             "Changes since the export are lost: raise "
                             "max_slot_wal_keep_size, and export again "
                             "(--start-over).",
                             "the slot is lost: %s", slot->lost);
    if (slot->safe_wal_size >= 0)
        quantity_bytes(safe, (uint64_t)slot->safe_wal_size);
    if (strcmp(slot->wal_status, "unreserved") == 0)
        return finding_warning(f, err, "slot log", raise,
                               "about to be removed");
    return finding_ok(f, err, "slot log", "kept (%s), %s until it may be lost",
                      slot->wal_status, safe);
}

static int
check_plugin(const struct asked *a, struct findings *f, struct err *err)
{
    const char *const *plugin = a->params->plugins;
    char advice[120];

    if (!plugin)
        return 0;
    while (*plugin && strcmp(*plugin, a->epoch->capture->plugin) != 0)
        plugin++;
    if (*plugin)
        return finding_ok(f, err, "consumer", "%s reads %s",
                          a->params->consumer, a->epoch->capture->plugin);
    snprintf(advice, sizeof advice,
             "A slot keeps its plugin: export again with --plugin %s.",
             a->params->plugins[0]);
    return finding_error(f, err, "consumer", advice, "%s cannot read %s",
                         a->params->consumer, a->epoch->capture->plugin);
}

/* ---- the publication ---- */

static int
has_changed(const struct check_params *p, const struct capture *m, int *ret,
            struct err *err)
{
    cleanup_(freep) char *print = NULL;
    uint64_t n_members;
    int r = publication_print(p->source, m->publication, &print, err);

    *ret = m->publication_print &&
           (!print || strcmp(print, m->publication_print) != 0);
    if (!r)
        r = capture_count_members(p->catalog, m->epoch, &n_members, err);
    /* A run that was carried here knows the print only. */
    if (r || *ret || n_members == 0)
        return r;
    r = publication_check(p->source, m, p->catalog, err);
    *ret = r == PUBLICATION_E_DIFFERS;
    return *ret ? 0 : r;
}

static int
check_publication(const struct asked *a, struct findings *f, struct err *err)
{
    const struct capture *m = a->epoch->capture;
    int changed, ours, r;

    if (!m->publication)
        return 0;
    r = publication_look(a->params->source, m->publication, m->run_id, &ours,
                         err);
    if (r == PUBLICATION_E_NONE)
        return finding_error(f, err, "publication",
                             "It must have been there since before the slot: "
                             "export again.",
                             "\"%s\" is not there", m->publication);
    if (!r)
        r = has_changed(a->params, m, &changed, err);
    if (r)
        return r;
    if (changed)
        return finding_error(f, err, "publication",
                             "Its tables, filters or options were altered, or "
                             "it was made anew: changes have been lost. "
                             "Export again.",
                             "\"%s\" is not what it was at the slot's position",
                             m->publication);
    return finding_ok(f, err, "publication",
                      "\"%s\", as it was at the slot's position",
                      m->publication);
}

/* ---- the tables ---- */

static int
check_identities(const struct asked *a, struct findings *f, struct err *err)
{
    struct identity_misfits x;
    int r = identity_look(a->params->source, a->params->catalog,
                          a->epoch->capture->epoch, &x, err);

    if (!r && x.n_gone > 0)
        r = finding_warning(f, err, "tables",
                            "The target has them still: drop them there, too.",
                            "%" PRIu64 " dropped since the export: %s",
                            x.n_gone, x.gone);
    if (r)
        return r;
    if (x.n_bare > 0)
        return finding_error(f, err, "replica identities",
                             "Changes of them cannot be applied, and fail at "
                             "the source: put their key back, or ALTER TABLE "
                             "... REPLICA IDENTITY.",
                             "%" PRIu64 " unusable: %s", x.n_bare, x.bare);
    return finding_ok(f, err, "replica identities", "each is of use");
}

/* What is in the copy, but not in the slot. */
static int
check_left_out(const struct check_params *p, struct findings *f,
               struct err *err)
{
    char names[400] = "";
    uint64_t cursor = 0, n = 0;
    int r;

    for (;;) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
        size_t len = strlen(names);

        r = catalog_next_skip(p->catalog, &cursor, &s, err);
        if (r)
            break;
        if (strcmp(s->kind, "changes of table") == 0 && ++n <= 3)
            snprintf(names + len, sizeof names - len, "%s%s%s%s",
                     len ? ", " : "", s->schema, s->schema[0] ? "." : "",
                     s->name);
    }
    if (r != CATALOG_E_NONE)
        return r;
    return n == 0 ? 0
                  : finding_warning(f, err, "left out",
                                    "They are copied, but their changes are "
                                    "not in the slot: do not write to them "
                                    "until the switch.",
                                    "changes of %" PRIu64 ": %s%s", n, names,
                                    n > 3 ? ", ..." : "");
}

/* ---- the run ---- */

static int
check_bag(const struct check_params *p, struct findings *f, struct err *err)
{
    struct err why;

    if (p->facts->discards)
        return finding_ok(f, err, "bag", "none, the files were not kept");
    if (seal_check(p->dir, &why))
        return finding_error(f, err, "bag", why.hint, "%s", why.message);
    return seal_is_there(p->dir)
               ? finding_ok(f, err, "bag", "as it was sealed")
               : finding_warning(f, err, "bag",
                                 "Repeat the command that exported it.",
                                 "not sealed");
}

/* ---- all of it ---- */

/* Of one that is the only one there is nothing to say. */
static int
head_epoch(const struct check_params *p, const struct check_epoch *e,
           struct findings *f, struct err *err)
{
    char at[CAPTURE_LSN];

    return p->n_epochs == 1
               ? 0
               : finding_ok(f, err, "epoch",
                            "%u: its tables are as of %s, and one with the "
                            "others when all have caught up",
                            e->capture->epoch,
                            capture_lsn(at, e->capture->lsn));
}

static int
check_epoch(const struct check_params *p, const struct check_epoch *e,
            struct findings *f, struct err *err)
{
    static int (*const checks[])(const struct asked *, struct findings *,
                                 struct err *) = {
        check_timeline, check_slot,        check_position,   check_log,
        check_plugin,   check_publication, check_identities,
    };
    struct asked a = {.params = p, .epoch = e};
    int r = source_now_ask(&a.now, p->source, e->capture, err);

    if (!r)
        r = head_epoch(p, e, f, err);
    for (unsigned i = 0; i < sizeof checks / sizeof *checks && !r; i++)
        r = checks[i](&a, f, err);
    return r || !p->target || !e->subscription
               ? r
               : check_subscription(p, e, f, err);
}

int
check_handoff(const struct check_params *p, struct findings *f, struct err *err)
{
    struct place place;
    int r = place_ask(&place, p->source, err);

    if (!r)
        r = check_source(p, &place, f, err);
    /* On another server no other question makes sense. */
    if (r || f->n_errors > 0)
        return r;
    r = check_left_out(p, f, err);
    if (!r)
        r = check_bag(p, f, err);
    if (!r)
        r = check_target(p, f, err);
    for (unsigned i = 0; i < p->n_epochs && !r; i++)
        r = check_epoch(p, &p->epochs[i], f, err);
    return r;
}
