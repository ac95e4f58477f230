/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The schema on its way into the target: pg_dump's own entries, executed one
 * by one on our sessions.
 *
 *     schema.dump --pg_restore--> SQL of a section --cut--> entries
 *
 * The cut is made at the comments that stand over each entry.  Since texts of
 * the source (a function's body, a comment) could imitate such a line, it
 * counts only if it gives exactly the entries that pg_restore lists; if not,
 * the halves are asked for by themselves, and so on, down to single entries.
 */

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"

struct schema;

/* The schema has nothing in the second, statistics nothing in the first. */
enum schema_section {
    SCHEMA_PRE_DATA,
    SCHEMA_DATA,
    SCHEMA_POST_DATA,
    SCHEMA_N_SECTIONS
};

struct schema_params {
    const struct run_dir *dir;   /* borrowed */
    struct catalog *catalog;     /* borrowed: what is left out */
    const struct stop *stop;     /* borrowed */
    const char *file;            /* "schema.dump" below data/ */
    const unsigned char *sha256; /* of it */
    int in_memory; /* what is made of it must be on no disk: it is encrypted */
    const struct age_identities *identities; /* to open it; or NULL */
    enum schema_section without; /* the file has nothing in this one */
    int major;                   /* of the server that was dumped */
    int target_major;            /* of the server that is loaded */
    int no_owner;                /* objects belong to who loads */
    int no_acl;                  /* without GRANT and REVOKE */
    int publications;            /* those that the dump has */
};

/* Checks the file and lists it.  Refused: a pg_dump that was too
   old to say all that this target must be told. */
int schema_open(struct schema **ret, const struct schema_params *p,
                struct err *err);
struct schema *schema_free(struct schema *s);
DEFINE_CLEANUP(struct schema *, schema_free)

/* How many publications the dump has, but are not to be made. */
unsigned schema_passed_publications(const struct schema *s);

/*
 * Hand over the section's entries in the order in which they are to be
 * executed, each to be run in a transaction of its own.  An index or key of a
 * table comes with the table's oid at the source: it needs nothing but this
 * table; others come with 0.  entry->table is left 0.  A visit that is not 0
 * ends it.  What the catalogue leaves out is passed over, with its comments and
 * its rights.
 */
int schema_each(struct schema *s, enum schema_section section,
                int (*visit)(void *arg, struct catalog_entry *entry,
                             uint32_t oid, struct err *err),
                void *arg, struct err *err);
