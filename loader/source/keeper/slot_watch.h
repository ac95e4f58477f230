/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Slot watch: is the run's slot still what it was made to be?
 *
 * For the keeper, and who loads, who ask at every beat; the server is asked every second
 * or two, on a session of the watch's own which is opened again when it is
 * lost.  Where the source gives up slots that nobody uses
 * (idle_replication_slot_timeout, PostgreSQL 18) the slot is looked into often
 * enough, which confirms nothing: what a consumer will get stays the same.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/pg/session.h"

/* Outcome: a consumer has taken the slot over: it need not be kept in use. */
enum { SLOT_WATCH_E_OVER = 1 };

struct slot_watch_params {
    const struct session_params *session;
    const char *slot;
    const char *publication; /* NULL: its plugin is not pgoutput */
    uint64_t lsn;            /* the consistent point */
};

struct slot_watch;

/* Connects only when it is asked for the first time; params are borrowed. */
int slot_watch_new(struct slot_watch **ret, const struct slot_watch_params *p,
                   struct err *err);
struct slot_watch *slot_watch_free(struct slot_watch *w);
DEFINE_CLEANUP(struct slot_watch *, slot_watch_free)

/* ERR_REFUSED: the slot is lost, and with it what the snapshot was for.  That
   the server cannot be asked is no answer: 0. */
int slot_watch_beat(struct slot_watch *w, struct err *err);

/* Bytes of log until it may be lost, when last looked at; -1: no limit, or
   nobody knows. */
int64_t slot_watch_safe_wal(const struct slot_watch *w);

/* Seconds after which the source gives up an idle slot; 0: it does not. */
int slot_watch_idle_limit(struct session *s, unsigned *ret, struct err *err);
