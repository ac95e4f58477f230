/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Capture: what a run has made at its source for change data capture, as the
 * run catalogue knows it: the slot, the publication, the tables in it, and the
 * replica identities that were changed for it.  Each epoch of a run (catalog.h)
 * has its own.
 *
 *     NONE --intend--> INTENDED --made--> MADE
 *       ^                  |                |
 *       +----- forget -----+----------------+
 *
 * Names are written down before what they name is made, so that whoever comes
 * after a crash finds it: INTENDED says that each thing may be there or not.
 * catalog_clear() forgets none of this, for it is not gone by that.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"

enum capture_state {
    CAPTURE_NONE,
    CAPTURE_INTENDED, /* entered before anything is made */
    CAPTURE_MADE,     /* entered when the consistent point is known */
};

struct capture {
    unsigned epoch;
    enum capture_state state;
    char *run_id;      /* of the run that intended it */
    char *system_id;   /* of the source's cluster */
    char *database;    /* its name there */
    char *slot;        /* its name */
    char *publication; /* its name; NULL: there is none */
    char *plugin;
    uint64_t floor; /* the source's log position when it was intended */
    uint64_t lsn;   /* the slot's consistent point, since MADE */
    int found;      /* the publication was there before: never ours to drop */
    /* As they were at the consistent point, to be compared with; 0 and NULL:
       nobody has looked. */
    unsigned timeline;
    char *publication_print; /* publication_print() */
};

/* The newest epoch's; state is NONE when the run has none; clear in any case. */
int capture_read(struct capture *ret, struct catalog *c, struct err *err);
/* That of the first epoch after this one (0: of the first); CATALOG_E_NONE. */
int capture_next(struct catalog *c, unsigned epoch, struct capture *ret,
                 struct err *err);
void capture_clear(struct capture *m);

/* Those of all epochs, the oldest first; n is 0 when the run has none. */
struct captures {
    struct capture *list;
    unsigned n;
};
int captures_read(struct captures *ret, struct catalog *c, struct err *err);
void captures_clear(struct captures *all);

/* All but the state; INTENDED.  The tables of an older intent of this epoch
   are forgotten. */
int capture_intend(const struct capture *m, struct catalog *c, struct err *err);
int capture_made(struct catalog *c, unsigned epoch, uint64_t lsn,
                 struct err *err);
/* The timeline of the source's log, and the publication's print; or NULL. */
int capture_witness(struct catalog *c, unsigned epoch, unsigned timeline,
                    const char *publication_print, struct err *err);
int capture_forget(struct catalog *c, unsigned epoch, struct err *err);

/* "0/1A2B3C"; parse: 0, or -1. */
enum { CAPTURE_LSN = 24 };
char *capture_lsn(char to[CAPTURE_LSN], uint64_t lsn);
int capture_parse_lsn(const char *text, uint64_t *ret);

/* ---- its tables: one for every table of the plan of its epoch ---- */

struct capture_table {
    unsigned epoch;
    uint32_t oid;
    char *schema;
    char *name;
    uint32_t member; /* what the publication holds for it: itself, or the root
                        that it is a partition of; 0: it is left out */
    char identity;   /* 'd', 'i', 'n': its replica identity before it became
                        FULL, to be put back; 0: it was not changed */
    char *reason;    /* why it is left out; or NULL */
};

struct capture_table *capture_table_free(struct capture_table *t);
DEFINE_CLEANUP(struct capture_table *, capture_table_free)

/* What an older epoch says of its identity is taken over. */
int capture_add_table(struct catalog *c, const struct capture_table *t,
                      struct err *err);
/* The table after oid (0: the first), by oid; CATALOG_E_NONE. */
int capture_next_table(struct catalog *c, unsigned epoch, uint32_t oid,
                       struct capture_table **ret, struct err *err);
/* Written down before it is changed, and 0 after it was put back. */
int capture_set_identity(struct catalog *c, const struct capture_table *t,
                         char identity, struct err *err);

/* How many tables are in the epoch's plan or here, but not in both. */
int capture_count_strays(struct catalog *c, unsigned epoch, uint64_t *ret,
                         struct err *err);
/* How many members there are, and whether this is one. */
int capture_count_members(struct catalog *c, unsigned epoch, uint64_t *ret,
                          struct err *err);
int capture_has_member(struct catalog *c, unsigned epoch, uint32_t oid,
                       int *ret, struct err *err);
/* The member after oid (0: the first); CATALOG_E_NONE. */
int capture_next_member(struct catalog *c, unsigned epoch, uint32_t oid,
                        uint32_t *ret, struct err *err);
/* The condition by which the rows of the planned table are chosen; NULL: none,
   or there is no such table.  The caller frees. */
int capture_condition_of(struct catalog *c, uint32_t oid, char **ret,
                         struct err *err);
/* Whether some table is published through its root. */
int capture_has_roots(struct catalog *c, unsigned epoch, int *ret,
                      struct err *err);

/* The member after oid whose tables a newer epoch captures, so that this
   epoch's publication is to lose it; CATALOG_E_NONE. */
int capture_next_moved(struct catalog *c, unsigned epoch, uint32_t oid,
                       uint32_t *ret, struct err *err);
/* It has lost them. */
int capture_forget_moved(struct catalog *c, unsigned epoch, struct err *err);

/* What is left out joins the skips of the plan. */
int capture_add_skips(struct catalog *c, struct err *err);
