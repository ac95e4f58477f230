/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a run says of itself: the facts of the catalogue that the commands
 * share, read once.  Keys: run.id, export.state, source.*; the list is in
 * docs/run-catalog.md.
 */

#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"

enum facts_state {
    FACTS_NEW,       /* nothing is planned: a fresh directory */
    FACTS_EXPORTING, /* entered when the plan is complete */
    FACTS_STAGED,    /* entered when the last chunk is staged */
};

/* Further files below data/ that a run has or has not. */
enum facts_document {
    FACTS_PRE_DATA,    /* schema/pre-data.sql */
    FACTS_POST_DATA,   /* schema/post-data.sql */
    FACTS_ROLES,       /* roles.sql */
    FACTS_DATABASE,    /* database.sql */
    FACTS_INVENTORY,   /* inventory.tsv */
    FACTS_ENVIRONMENT, /* environment.json */
    FACTS_STATISTICS,  /* statistics.dump */
    FACTS_N_DOCUMENTS,
};

struct facts {
    enum facts_state state;
    unsigned char run[16];
    char *run_id;    /* the same as text */
    unsigned epoch;  /* the last one: 1... */
    uint64_t lsn;    /* its; 0: none was promised */
    char *snapshot;  /* its id at the source */
    char *system_id; /* of the source cluster */
    char *database;  /* its name there */
    char *encoding;
    int version;      /* of the source server: 150018 */
    char *source;     /* where it came from, without secrets */
    char *selection;  /* what of it: selection_text(); NULL: all */
    char *recipients; /* that staged files are encrypted to, as text (age.h);
                         NULL: they are plain */
    int discards;     /* staged files are removed when they are loaded: there
                        will be nothing to load again */
    unsigned char schema_sha256[32]; /* of data/schema.dump */
    struct {
        int present;
        unsigned char sha256[32];
    } documents[FACTS_N_DOCUMENTS];
};

/* Its name below data/, and that of the schema's dump: what is encrypted ends in
   ".age". */
const char *facts_document_file(const struct facts *f, enum facts_document d);
const char *facts_schema_file(const struct facts *f);

/* Fill run from run_id; -1 when that is not a UUID. */
int facts_parse_run(struct facts *f);

/* All is NULL and 0 in a fresh run. */
int facts_read(struct facts *ret, struct catalog *c, struct err *err);
int facts_write(const struct facts *f, struct catalog *c, struct err *err);
int facts_set_state(struct catalog *c, enum facts_state state, struct err *err);
void facts_clear(struct facts *f);

/* ERR_REFUSED unless all chunks are staged; and their files are kept. */
int facts_require_staged(const struct facts *f, struct err *err);
int facts_require_files(const struct facts *f, struct err *err);
