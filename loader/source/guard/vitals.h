/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Vitals: what a run costs its source, measured there by one short statement
 * that is a transaction of its own: the views of pg_stat_* are those of this
 * moment, and no horizon is held back by asking.
 *
 * What other sessions and standbys do is shown to members of pg_read_all_stats
 * only (pg_monitor is one); to others it is unknown.  A standby that is not
 * connected is not seen.
 */

#include <stdint.h>

#include "io/err.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"

enum vital {
    VITAL_SNAPSHOT_AGE,  /* ms since the snapshot was taken */
    VITAL_XMIN_AGE,      /* transactions that its horizon is behind */
    VITAL_WAL,           /* bytes kept by the slot; without one: written since
                            the snapshot was taken */
    VITAL_REPLICAS,      /* physical standbys that are connected */
    VITAL_REPLICA_LAG,   /* ms, of the worst of them; of a source that is itself
                            a standby, its own too */
    VITAL_REPLICA_BYTES, /* the same as WAL that is not replayed */
    VITAL_SESSIONS,      /* active ones of others, in the whole cluster */
    N_VITALS,
};

struct vitals {
    uint64_t n;     /* which measurement this is: 1... */
    int64_t at;     /* when, in seconds since 1970: to be shown */
    unsigned known; /* set of 1 << enum vital */
    int has_slot;   /* VITAL_WAL is a slot's */
    uint64_t value[N_VITALS];
    char trouble[1024]; /* why it could not be measured again; else "" */
};

static inline int
vitals_know(const struct vitals *v, enum vital which)
{
    return (v->known & 1u << which) != 0;
}

/* What the measurements are measured from. */
struct vitals_origin {
    uint64_t xmin, lsn; /* of the snapshot */
    uint64_t taken_ms;  /* clock_ms() then */
    const char *slot;   /* borrowed; NULL: there is none */
    /* Since when a standby is behind that does not say for how long; 0: none
       is.  Kept by measure. */
    uint64_t behind_ms;
};

/* By a session that has just taken the snapshot, in its transaction. */
int vitals_begin(struct vitals_origin *ret, struct session *s, const char *slot,
                 struct err *err);

/* n and trouble are the caller's to fill. */
int vitals_measure(struct vitals_origin *o, struct session *s,
                   struct vitals *ret, struct err *err);

/*
 * May this user measure all that is in the set?  ERR_REFUSED, with the GRANT
 * that helps, if not.
 */
int vitals_require(struct session *s, unsigned set, struct err *err);

/* ---- RUN/vitals.json: by the keeper, for all others ---- */

enum { VITALS_E_NONE = 1 };

int vitals_write(const struct run_dir *dir, const struct vitals *v,
                 struct err *err);
/* E_NONE: nobody has measured. */
int vitals_read(const struct run_dir *dir, struct vitals *ret, struct err *err);
int vitals_are_written(const struct run_dir *dir);
void vitals_remove(const struct run_dir *dir);

/* "snapshot_age_ms": the name of each in JSON. */
extern const char *const vitals_names[N_VITALS];
