/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Load lane: a task is a chunk, or an entry of the schema whose time has come
 * (an index of a table that is complete); a worker is a session.
 *
 *     staged bytes -> checksum, head -> frames -> rows, digest -> COPY in
 *
 * A chunk's rows and its row in the ledger are one transaction.  When its
 * outcome is not known, because the answer to the COMMIT was lost, the task is
 * simply done again: the ledger's row is written first, and who finds it there
 * is done.
 *
 * Nothing of a file is sent before all of it was checked against the
 * catalogue's SHA-256 and its head says that it is this chunk of this run.
 */

#include "loader/bag/staged.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"
#include "loader/target/ledger.h"
#include "loader/target/room.h"
#include "loader/work/lane.h"

/* All borrowed; must outlive the drive. */
struct load_lane {
    struct catalog *catalog;
    struct run_dir *dir;
    struct staged_source source; /* of the chunks' bytes */
    const char *conninfo;
    const char *encoding; /* of the staged text: the source database's */
    const struct stop *stop;
    struct ledger ledger;
    unsigned char run[16];
    unsigned max_per_table; /* writers of one table at a time */
    unsigned index_jobs;    /* entries at a time */
    unsigned n_entries;     /* in hand; of the main thread */
    int replica;            /* triggers do not fire: existing.h */
    int no_owner, no_acl;   /* leave these out of large objects' metadata */
    int discard;            /* remove a file when it is loaded */
    struct room *room;      /* when the target's disk is full */
    struct progress *progress;
    /* Of the main thread: see to it that the catalogue's marks are right, and
       that the target cannot lose what they say. */
    int (*settle)(void *arg, struct err *err);
    void *settle_arg;
    /* Of the main thread: something was given up. */
    void (*mourn)(void *settle_arg);
    enum catalog_stage settled; /* all before this is */
};

extern const struct lane_ops load_lane_ops;

/* Before the first session: is there a pooler in the way? */
int load_lane_require_way(const struct load_lane *lane, struct err *err);

/* A session of the load: its encoding and settings are the load's. */
int load_lane_connect(const struct load_lane *lane, struct session **s,
                      struct err *err);

/* Execute an entry and write it into the ledger, as one; nothing when it is
   there already.  One before the data is durable with ledger_settle() only:
   they are many. */
int load_lane_entry(const struct load_lane *lane, struct session *s,
                    enum ledger_kind kind, const struct catalog_entry *entry,
                    struct err *err);

/* Adds a hint to an error about a role that is missing in the target. */
void load_lane_hint_roles(struct err *err);
