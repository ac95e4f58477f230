/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Results of a proof: what is told, as it becomes known, about tables, about
 * single rows, and about what is no table.  Who renders them (the verdict on
 * the terminal, JSON, a report) gets all of it and keeps what it needs; texts
 * live as long as the call.
 *
 * All is told by the main thread.  The rows of a table that differs are told
 * before the table.  Times are milliseconds since the proof began.
 */

#include <stdint.h>

#include "formats/copy_rows.h"
#include "formats/digest.h"

/* The two that are compared: the left one is what should be. */
enum proof_end { PROOF_LEFT, PROOF_RIGHT, PROOF_ENDS };

enum proof_verdict {
    PROOF_EQUAL,
    PROOF_ACCEPTED, /* differs, within what was accepted beforehand */
    PROOF_DIFFERS,
    PROOF_MISSING, /* only one of the two has it */
    PROOF_FAILED,  /* could not be compared, which proves nothing */
    PROOF_N_VERDICTS,
};

/* "equal", "accepted", "differs", "missing", "failed". */
const char *proof_verdict_name(enum proof_verdict v);
/* Does it let the proof as a whole succeed? */
int proof_verdict_is_good(enum proof_verdict v);

/* What was looked at; the layers of a table are a set of 1 << layer. */
enum proof_layer {
    PROOF_COUNTS,     /* numbers of rows */
    PROOF_AGGREGATES, /* of each column */
    PROOF_DIGESTS,    /* of each row */
    PROOF_SCHEMA,     /* definitions */
    PROOF_DRIFT,      /* definitions at the source since the export */
    PROOF_SEQUENCES,  /* against the data */
    PROOF_KEYS,       /* foreign keys and other constraints, that they hold */
    PROOF_INDEXES,    /* that they are valid */
    PROOF_FILES,      /* of a bag */
    PROOF_N_LAYERS,
};

/* "counts", "aggregates", "digests"... */
const char *proof_layer_name(enum proof_layer l);

/* A table, or all n_tables below one root. */
struct proof_table {
    const char *schema, *name; /* the table's or the root's */
    uint64_t n_tables;
    enum proof_verdict verdict;
    const char *reason;           /* a phrase; NULL where all is equal */
    const char *accepted;         /* the rule that applied, as given, or NULL */
    int is_there[PROOF_ENDS];     /* which of the two has it */
    struct digest at[PROOF_ENDS]; /* of the rows that were compared */
    enum copy_format format;      /* in which they were */
    unsigned layers;              /* done: set of 1 << enum proof_layer */
    uint32_t sample_ppm;          /* rows compared of a million; 0: all */
    struct {
        int is_known; /* the rows that differ were looked for */
        uint64_t n_missing, n_extra, n_differing;
        uint64_t n_shown;
    } rows;
    uint64_t n_bytes; /* read, of both */
    uint64_t begun_ms, ms;
};

enum proof_row_kind {
    PROOF_ROW_MISSING,   /* on the right */
    PROOF_ROW_EXTRA,     /* on the right */
    PROOF_ROW_DIFFERING, /* the same key, other values */
    PROOF_N_ROW_KINDS,
};

/* "missing", "extra", "differing". */
const char *proof_row_kind_name(enum proof_row_kind k);

/* One row that is not the same on both sides; of a table all that are shown
   are told, at most as many as was asked for. */
struct proof_row {
    const char *schema, *name; /* as the table's result has them */
    enum proof_row_kind kind;
    uint64_t n;      /* so many like it */
    const char *key; /* "id = 5, at = 2024-01-01"; without a key the whole row.
                        Values are cut and printable */
    /* Of a DIFFERING one: the columns that differ and their values, as text;
       NULL is SQL's. */
    unsigned n_columns;
    const struct proof_value {
        const char *column;
        const char *at[PROOF_ENDS];
    } * columns;
};

/* What is no table's rows: an object of the schema, a sequence, a column's
   aggregate, a file... */
struct proof_finding {
    enum proof_layer layer;
    enum proof_verdict verdict;
    const char *kind;     /* "index", "sequence", "column"... */
    const char *object;   /* qualified name */
    const char *what;     /* a phrase: "is not valid in the target" */
    const char *accepted; /* the rule that applied, or NULL */
    /* Definitions or values that are not the same; may be NULL. */
    const char *at[PROOF_ENDS];
};

/* Each may be NULL. */
struct proof_listener {
    void (*table)(void *arg, const struct proof_table *table);
    void (*row)(void *arg, const struct proof_row *row);
    void (*finding)(void *arg, const struct proof_finding *finding);
    void *arg;
};

void proof_tell_table(const struct proof_listener *l,
                      const struct proof_table *table);
void proof_tell_row(const struct proof_listener *l,
                    const struct proof_row *row);
void proof_tell_finding(const struct proof_listener *l,
                        const struct proof_finding *finding);
