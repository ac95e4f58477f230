/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/seal.h"
#include "loader/handoff/finding.h"
#include "loader/progress/quantity.h"
#include "loader/source/capture/identity.h"
#include "loader/source/capture/publication.h"
#include "loader/source/check/question.h"

/* ---- is it the run's source? ---- */

static int
check_source(const struct check_params *p, const struct source_now *now,
             struct findings *f, struct err *err)
{
    const struct capture *m = p->capture;

    if (place_is(&now->place, m->system_id, m->database))
        return finding_ok(f, err, "source", "database \"%s\" of cluster %s",
                          m->database, m->system_id);
    return finding_error(
        f, err, "source", "Give the source that the run was exported from.",
        "database \"%s\" of cluster %s, the run is of \"%s\" "
        "of %s",
        now->place.database, now->place.system_id, m->database, m->system_id);
}

/* A slot that followed its primary's standby is where it was. */
static int
check_timeline(const struct check_params *p, const struct source_now *now,
               struct findings *f, struct err *err)
{
    unsigned was = p->capture->timeline, is = now->place.timeline;

    if (was == 0)
        return finding_warning(f, err, "timeline",
                               "It was not written down by the export.",
                               "%u, nobody knows what it was", is);
    if (is == was)
        return finding_ok(f, err, "timeline", "%u", is);
    if (now->has_slot && now->slot.failover)
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
check_slot(const struct check_params *p, const struct source_now *now,
           struct findings *f, struct err *err)
{
    const struct slot_look *slot = &now->slot;
    const struct capture *m = p->capture;

    if (!now->has_slot)
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
    if (slot->active_pid && !p->follows)
        return finding_error(
            f, err, "slot", "Stop the consumer that reads from it.",
            "\"%s\" is in use by process %d", m->slot, slot->active_pid);
    return finding_ok(f, err, "slot", "\"%s\", plugin %s", m->slot,
                      slot->plugin);
}

static int
check_position(const struct check_params *p, const struct source_now *now,
               struct findings *f, struct err *err)
{
    char is[CAPTURE_LSN], was[CAPTURE_LSN];

    if (!now->has_slot)
        return 0;
    capture_lsn(is, now->slot.confirmed);
    capture_lsn(was, p->capture->lsn);
    if (p->follows && now->slot.confirmed >= p->capture->lsn)
        return finding_ok(f, err, "slot position",
                          "%s, the subscription has gone on from %s", is, was);
    if (now->slot.confirmed == p->capture->lsn)
        return finding_ok(f, err, "slot position", "%s, where the files end",
                          is);
    return finding_error(f, err, "slot position",
                         "A consumer has read from it, and what it read does "
                         "not come again: export again, and let nobody use the "
                         "slot before the hand-off.",
                         "%s, but the files end at %s", is, was);
}

static int
check_log(const struct check_params *p, const struct source_now *now,
          struct findings *f, struct err *err)
{
    static const char raise[] = "Hand over soon, or raise "
                                "max_slot_wal_keep_size at the source.";
    const struct slot_look *slot = &now->slot;
    char safe[QUANTITY_SIZE] = "no limit";

    if (!now->has_slot)
        return 0;
    if (slot->lost[0])
        return finding_error(f, err, "slot log",
                             "Changes since the export are lost: raise "
                             "max_slot_wal_keep_size, and export again "
                             "(--start-over).",
                             "the slot is lost: %s", slot->lost);
    if (slot->safe_wal_size >= 0)
        quantity_bytes(safe, (uint64_t)slot->safe_wal_size);
    (void)p;
    if (strcmp(slot->wal_status, "unreserved") == 0)
        return finding_warning(f, err, "slot log", raise,
                               "about to be removed");
    return finding_ok(f, err, "slot log", "kept (%s), %s until it may be lost",
                      slot->wal_status, safe);
}

static int
check_plugin(const struct check_params *p, const struct source_now *now,
             struct findings *f, struct err *err)
{
    const char *const *plugin = p->plugins;
    char advice[120];

    (void)now;
    if (!plugin)
        return 0;
    while (*plugin && strcmp(*plugin, p->capture->plugin) != 0)
        plugin++;
    if (*plugin)
        return finding_ok(f, err, "consumer", "%s reads %s", p->consumer,
                          p->capture->plugin);
    snprintf(advice, sizeof advice,
             "A slot keeps its plugin: export again with --plugin %s.",
             p->plugins[0]);
    return finding_error(f, err, "consumer", advice, "%s cannot read %s",
                         p->consumer, p->capture->plugin);
}

/* ---- the publication ---- */

static int
has_changed(const struct check_params *p, int *ret, struct err *err)
{
    const struct capture *m = p->capture;
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
check_publication(const struct check_params *p, const struct source_now *now,
                  struct findings *f, struct err *err)
{
    const struct capture *m = p->capture;
    int changed, ours, r;

    (void)now;
    if (!m->publication)
        return 0;
    r = publication_look(p->source, m->publication, m->run_id, &ours, err);
    if (r == PUBLICATION_E_NONE)
        return finding_error(f, err, "publication",
                             "It must have been there since before the slot: "
                             "export again.",
                             "\"%s\" is not there", m->publication);
    if (!r)
        r = has_changed(p, &changed, err);
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
check_identities(const struct check_params *p, const struct source_now *now,
                 struct findings *f, struct err *err)
{
    struct identity_misfits x;
    int r = identity_look(p->source, p->catalog, p->capture->epoch, &x, err);

    (void)now;
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
check_left_out(const struct check_params *p, const struct source_now *now,
               struct findings *f, struct err *err)
{
    char names[400] = "";
    uint64_t cursor = 0, n = 0;
    int r;

    (void)now;
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
check_bag(const struct check_params *p, const struct source_now *now,
          struct findings *f, struct err *err)
{
    struct err why;

    (void)now;
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

static int
require_slot(const struct check_params *p, struct err *err)
{
    int r = facts_require_staged(p->facts, err);

    if (r || p->capture->state == CAPTURE_MADE)
        return r;
    err_set(err, ERR_REFUSED, "this run has no replication slot");
    return err_hint(err, "Only a run that was exported with --cdc can be "
                         "handed over.");
}

int
check_handoff(const struct check_params *p, struct source_now *ret,
              struct findings *f, struct err *err)
{
    static int (*const checks[])(const struct check_params *,
                                 const struct source_now *, struct findings *,
                                 struct err *) = {
        check_source,   check_timeline, check_slot,        check_position,
        check_log,      check_plugin,   check_publication, check_identities,
        check_left_out, check_bag,
    };
    int r = require_slot(p, err);

    if (!r)
        r = source_now_ask(ret, p->source, p->capture, err);
    for (unsigned i = 0; i < sizeof checks / sizeof *checks && !r; i++) {
        r = checks[i](p, ret, f, err);
        /* On another server no other question makes sense. */
        if (i == 0 && f->n_errors > 0)
            return r;
    }
    return r ? r : check_target(p, f, err);
}
