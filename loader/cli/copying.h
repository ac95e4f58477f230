/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the commands that copy have in common: how their options become the
 * parameters of an export and of a load.
 */

#include "loader/cli/keying.h"
#include "loader/cli/selecting.h"
#include "loader/cli/workplace.h"
#include "loader/handoff/vigil.h"
#include "loader/source/export.h"
#include "loader/target/load.h"

/* Options that an export, and a load, take (besides those of all commands). */
#define COPYING_EXPORT_OPTIONS                                                 \
    (OPTION_SET(jobs) | OPTION_SET(format) | OPTION_SET(compress) |            \
     OPTION_SET(chunk_size) | OPTION_SET(io) | OPTION_SET(start_over) |        \
     OPTION_SET(new_epoch) | OPTION_SET(cdc) | OPTION_SET(slot) |              \
     OPTION_SET(publication) | OPTION_SET(plugin) | OPTION_SET(slot_timeout) | \
     OPTION_SET(replica_identity) | OPTION_SET(keeper_hours) |                 \
     OPTION_SET(roles) | OPTION_SET(publications) | SELECTING_OPTIONS |        \
     OPTION_SET(max_rate) | OPTION_SET(max_replica_lag) |                      \
     OPTION_SET(max_active_sessions) | OPTION_SET(on_limit) |                  \
     OPTION_SET(max_snapshot_age) | OPTION_SET(max_wal_retained) |             \
     OPTION_SET(profile) | OPTION_SET(retain_until) | OPTION_SET(legal_hold) | \
     KEYING_RECIPIENT_OPTIONS | KEYING_IDENTITY_OPTIONS)
#define COPYING_LOAD_OPTIONS                                                   \
    (OPTION_SET(jobs) | OPTION_SET(ledger_schema) | OPTION_SET(no_owner) |     \
     OPTION_SET(no_acl) | OPTION_SET(into_existing) | OPTION_SET(truncate) |   \
     OPTION_SET(append) | OPTION_SET(rebuild_indexes) |                        \
     OPTION_SET(no_key_check) | OPTION_SET(no_refresh) |                       \
     OPTION_SET(before_sql) | OPTION_SET(after_sql) | OPTION_SET(yes) |        \
     OPTION_SET(roles) | OPTION_SET(publications) | OPTION_SET(no_analyze) |   \
     OPTION_SET(sequence_margin) | OPTION_SET(index_jobs) |                    \
     KEYING_IDENTITY_OPTIONS | OPTION_SET(on_target_full))
/* How much is said, and how. */
#define COPYING_TALK_OPTIONS                                                   \
    (OPTION_SET(progress) | OPTION_SET(json) | OPTION_SET(quiet) |             \
     OPTION_SET(verbose))

/* The name of the plugin that was chosen. */
const char *copying_plugin(const struct options *o);

struct guard_limits copying_guard_limits(const struct options *o);
struct planner_params copying_planner_params(const struct options *o);
/* The selection is borrowed. */
struct export_params copying_export_params(const struct workplace *w,
                                           struct selection *selection);
/* --retain-until and --legal-hold, after the export has begun and before it is
   sealed. */
int copying_note_retention(struct workplace *w, struct err *err);
/* Read the identities where the run is encrypted, and look whether one of them
   opens it: before anything is loaded. */
int copying_open_keys(struct workplace *w, const struct facts *f,
                      struct err *err);
/* What a load would take away is asked for, unless --yes was given. */
int copying_confirm_load(const struct workplace *w, struct err *err);
/* Over the slots of the run, at --source, while the lane is at work. */
int copying_keep_vigil(struct vigil **ret, const struct workplace *w,
                       struct err *err);
void copying_watch(struct lane *lane, struct vigil *vigil);
struct load_params copying_load_params(const struct workplace *w,
                                       const struct facts *f);
