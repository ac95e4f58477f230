/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Silence: triggers that must not fire at what a load does, in one session.
 *
 *     triggers         session_replication_role = replica, where the role may
 *     event triggers   event_triggers = off, from PostgreSQL 17 on; before,
 *                      the same as above, which leaves those that are to fire
 *                      ALWAYS; neither unless the role may
 *
 * Both end with the session; user's SQL is run without them.
 */

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"

/* *ret: it is so now; 0: this role may not. */
int silence_triggers(struct session *s, int *ret, struct err *err);

/* The same until the transaction ends, where the role may. */
int silence_transaction(struct session *s, struct err *err);

/* As far as this role may. */
int silence_event_triggers(struct session *s, struct err *err);

/* Note those of the target's that fire even so. */
int silence_tell(struct session *s, struct progress *p, struct err *err);

/* Until the transaction ends all is as the role and the database have it. */
int silence_break(struct session *s, struct err *err);
