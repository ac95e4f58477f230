/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The keeper's slot: made while its starter waits and is told what for, then
 * watched for as long as the keeper lives.
 *
 *     NEW --make--> MADE --release--> WATCHED
 *      |                                 ^
 *      +--- there already: ALONE --------+
 *
 * ALONE: the export is complete, and the keeper holds no snapshot.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/source/keeper/keeper.h"

struct keeper_slot;

/* Both params are borrowed. */
int keeper_slot_new(struct keeper_slot **ret, const struct keeper_params *p,
                    const struct session_params *session, struct err *err);
struct keeper_slot *keeper_slot_free(struct keeper_slot *k);
DEFINE_CLEANUP(struct keeper_slot *, keeper_slot_free)

/* NULL-safe. */
int keeper_slot_is_alone(const struct keeper_slot *k);

/* Questions are asked on s.  ERR_CANCELLED when the starter is gone. */
int keeper_slot_make(struct keeper_slot *k, struct session *s, struct err *err);
/* Its snapshot, to be imported before release. */
const char *keeper_slot_snapshot(const struct keeper_slot *k);
void keeper_slot_release(struct keeper_slot *k);

uint64_t keeper_slot_lsn(const struct keeper_slot *k);

/* <0: the slot is lost; 1: there is nothing to watch any more. */
int keeper_slot_beat(struct keeper_slot *k, struct err *err);

/* Drop it again, if it was made here. */
void keeper_slot_undo(struct keeper_slot *k);
