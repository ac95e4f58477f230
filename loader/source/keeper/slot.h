/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Slot: a logical replication slot whose consistent point is a snapshot.
 *
 *     (none) --create--> being made --> there, inactive --drop--> (none)
 *                            |
 *                            +-- time is up, cancelled, failed --> (none)
 *
 * What was committed before the consistent point is in the snapshot, what is
 * committed after it comes from the slot: only CREATE_REPLICATION_SLOT on a
 * replication connection gives both.  It waits until every transaction that
 * has written and is older has ended, hence the time limit.
 *
 * A slot keeps its server's log from being removed for as long as it exists:
 * whoever makes one here drops it again when what follows fails.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/pg/session.h"

enum { SLOT_NAME = 64, SLOT_SNAPSHOT = 64 };

/* Outcome of look: there is no slot of that name. */
enum { SLOT_E_NONE = 1 };

/* ---- making one ---- */

struct slot_params {
    const char *conninfo;
    const char *name;
    const char *plugin;
    unsigned timeout_s;
    const struct stop *stop; /* ends the wait at its first level */
    /* Asked at every beat, and told every few seconds what is waited for (else
       what is NULL); <0 gives up. */
    int (*waiting)(void *arg, const char *what, struct err *err);
    void *arg;
};

struct slot_made {
    uint64_t lsn; /* the consistent point */
    /* To be imported while the session that is returned lives. */
    char snapshot[SLOT_SNAPSHOT];
};

/*
 * *ret is the replication session, s one for questions.  ERR_REFUSED when the
 * time is up: who is in the way is named.  After any failure there is no slot.
 */
int slot_create(struct session **ret, struct session *s,
                const struct slot_params *p, struct slot_made *made,
                struct err *err);

/* Could one be made?  The connection is tried, and a plugin other than
   pgoutput, which is always there, with a temporary slot that is given up
   after a second. */
int slot_try(struct session *s, const struct slot_params *p, struct err *err);

/* ---- one that is there ---- */

struct slot_look {
    int active_pid; /* who uses it; 0: nobody */
    int ours;       /* that is who makes it for us: it is not there yet */
    char plugin[SLOT_NAME];
    int here;              /* in the database of the session */
    uint64_t confirmed;    /* 0: not known (yet) */
    char lost[128];        /* why it is of no use any more; "" */
    uint64_t restart;      /* from here on its log is kept; 0: not known */
    char wal_status[16];   /* "reserved", "extended", "unreserved", "lost" */
    int64_t safe_wal_size; /* bytes until it may be lost; -1: no limit */
    int failover;          /* standbys keep a copy of it (PostgreSQL 17) */
};

int slot_look(struct session *s, const char *name, struct slot_look *ret,
              struct err *err);

/* Drop it, also when it is only being made.  Nothing when there is none;
   ERR_REFUSED while somebody else uses it. */
int slot_drop(struct session *s, const char *name, struct err *err);

/*
 * Look into it, which counts as use, without confirming anything.
 * publication: what pgoutput is asked for; NULL: another plugin.
 */
int slot_touch(struct session *s, const char *name, const char *publication,
               struct err *err);
