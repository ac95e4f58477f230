/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Run catalogue: what a run consists of and how far it is, in RUN/run.db
 * (SQLite, WAL).  What it does not list does not exist: a staged file counts
 * from the moment its row is committed.
 *
 *     chunk    PLANNED --staged--> STAGED --loaded--> (ledger in the target)
 *     entry    PENDING --done----> DONE
 *     table    OK --failed--> FAILED: its chunks are not handed out any more
 *
 * An epoch is a snapshot of the source.  A run has one; when that is lost
 * before all is staged, another may be taken for the tables that are not:
 * each table is of one epoch, wholly.
 *
 * Only the main thread of the one process that holds the run's lock writes.
 * Whether a chunk has been loaded or an entry restored is the target's ledger's
 * word: these marks are forgotten at the start of every load and read anew.
 *
 * Memory does not grow with tables or chunks: work is fetched one by one.
 * Here is the seam behind which another store could stand, with leases in
 * place of "taken".  The schema is documented in docs/run-catalog.md.
 */

#include <stdint.h>

#include "formats/chunk.h"
#include "formats/copy_rows.h"
#include "formats/digest.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/run/run_dir.h"

struct catalog;

/* Outcomes. */
enum {
    CATALOG_E_NONE = 1, /* there is no (more) such thing */
    CATALOG_E_LOADED,   /* it is too late for that */
    CATALOG_E_WAITS,    /* it is too early for that */
};

/* Opens RUN/run.db; create makes it (schema version 3) when missing.  Another
   version, or a file that is not ours, is refused.  In a directory that was
   opened to LOOK at, nothing can be changed or taken; the process at work is
   not disturbed. */
int catalog_open(struct catalog **ret, const struct run_dir *dir, int create,
                 struct err *err);
/* One of nobody's, for a plan that is only looked at: an unnamed file where
   temporary files are, gone with this process however it ends. */
int catalog_open_scratch(struct catalog **ret, struct err *err);
struct catalog *catalog_free(struct catalog *c);
DEFINE_CLEANUP(struct catalog *, catalog_free)

/* Several changes as one (each call is one by itself).  free without commit
   rolls back. */
int catalog_begin(struct catalog *c, struct err *err);
int catalog_commit(struct catalog *c, struct err *err);
/* Nothing of it was; *err, the reason, stays as it is. */
void catalog_roll_back(struct catalog *c);

/* Forget tables, chunks, entries, sequences, settings: a run begun again.
   Not what was made at the source (capture.h). */
int catalog_clear(struct catalog *c, struct err *err);

/*
 * Facts about the run, by name: "run.id", "export.state", "source.version"...
 * (the list is in docs/run-catalog.md).  The caller frees *ret; E_NONE when
 * it is not set.  Setting NULL unsets.
 */
int catalog_get(struct catalog *c, const char *key, char **ret,
                struct err *err);
int catalog_set(struct catalog *c, const char *key, const char *value,
                struct err *err);

/* ---- epochs ---- */

struct catalog_epoch {
    unsigned id;    /* 1... */
    char *snapshot; /* its first id at the source */
    uint64_t lsn;   /* its log position; 0: none was promised */
};

int catalog_add_epoch(struct catalog *c, const struct catalog_epoch *e,
                      struct err *err);
/* The epoch after id (0: the first); E_NONE.  Clear it when it was found. */
int catalog_next_epoch(struct catalog *c, unsigned id,
                       struct catalog_epoch *ret, struct err *err);
void catalog_epoch_clear(struct catalog_epoch *e);

/*
 * Forget what of this epoch and those before is not wholly staged (all tables
 * of a family, all large objects, when one of them is not), what is of later
 * ones, and the sequences and skips, which are read anew.  The numbers of
 * what is forgotten are not given again.
 */
int catalog_keep_staged(struct catalog *c, unsigned epoch, struct err *err);

/* ---- tables ---- */

struct catalog_column {
    char *name;
    char *type; /* format_type(): schema-qualified where not built in */
};

enum catalog_kind {
    CATALOG_TABLE,
    CATALOG_LARGE_OBJECTS, /* these two: see large_objects.h */
    CATALOG_LARGE_OBJECT_METADATA,
};

/* "table", "large objects", "large object metadata". */
const char *catalog_kind_name(enum catalog_kind kind);
/* 0, or -1 when there is none of that name. */
int catalog_kind_parse(const char *name, enum catalog_kind *ret);

struct catalog_table {
    uint64_t id; /* 1...; given by add */
    unsigned epoch;
    uint64_t lsn; /* the epoch's; filled by the fetching calls */
    enum catalog_kind kind;
    uint32_t oid; /* at the source */
    char *schema;
    char *name;
    enum copy_format format;
    uint64_t n_bytes; /* estimate, with TOAST */
    /* SQL: of its rows those for which this is true.  NULL: all. */
    char *condition;
    /*
     * The partitioned table through which its rows go into the target, since
     * they may belong into another partition there; NULLs: they go into the
     * table itself.  All tables of one root are a family: their columns and
     * their format are the same.
     */
    char *root_schema, *root_name;
    /* Of the extension whose configuration it holds; NULL: of none.  In the
       target it has rows of the extension's own, which are not for us. */
    char *extension;
    /* What it was when it was planned: see fingerprint.h.  May be NULL. */
    char *fingerprint;
    unsigned n_columns;
    struct catalog_column *columns; /* those that COPY carries, in order */
};

struct catalog_table *catalog_table_free(struct catalog_table *t);
DEFINE_CLEANUP(struct catalog_table *, catalog_table_free)

/* Stores t and sets t->id; epoch 0 is the first. */
int catalog_add_table(struct catalog *c, struct catalog_table *t,
                      struct err *err);
/* Stores it under the number that it has. */
int catalog_put_table(struct catalog *c, struct catalog_table *t,
                      struct err *err);
int catalog_find_table(struct catalog *c, uint64_t id,
                       struct catalog_table **ret, struct err *err);
/* The table after id (0: the first) in the order of their numbers; E_NONE. */
int catalog_next_table(struct catalog *c, uint64_t id,
                       struct catalog_table **ret, struct err *err);
/* The number of the table with this oid at the source; E_NONE. */
int catalog_table_by_oid(struct catalog *c, uint32_t oid, uint64_t *ret,
                         struct err *err);
/* The table of this name, of whatever kind; E_NONE. */
int catalog_table_by_name(struct catalog *c, const char *schema,
                          const char *name, struct catalog_table **ret,
                          struct err *err);
/* Its chunks and entries are not handed out any more; the reason is kept, of
   several the first. */
int catalog_table_failed(struct catalog *c, uint64_t table,
                         const struct err *why, struct err *err);
/* Failures are forgotten when a command begins: it tries again.  Nothing may
   be in hand. */
int catalog_forget_failures(struct catalog *c, struct err *err);

/* The table of this rank by size, from 0, and how it is cut; E_NONE. */
struct catalog_cut {
    uint64_t n_chunks;
    int by_key; /* its chunks are ranges of a key, not of blocks */
};
int catalog_largest_table(struct catalog *c, uint64_t rank,
                          struct catalog_table **ret, struct catalog_cut *cut,
                          struct err *err);

/* ---- chunks ---- */

/* Blocks [lo, hi) of the table's heap, OIDs of large objects; all of it: 0,
   OPEN.  With a condition: the rows of the table for which it is true. */
#define CATALOG_OPEN_END UINT64_MAX

struct catalog_chunk {
    uint64_t id; /* 1...; given by add */
    uint64_t lo, hi;
    char *condition;             /* SQL, then lo and hi are 0, OPEN; or NULL */
    uint64_t n_bytes;            /* estimate */
    struct catalog_table *table; /* owned, filled by the fetching calls */
    /* Since it is STAGED: */
    char *file; /* "tables/<dir>/<file>" under data/ */
    uint64_t file_len;
    unsigned char sha256[32];
    struct chunk_totals totals;
};

struct catalog_chunk *catalog_chunk_free(struct catalog_chunk *k);
DEFINE_CLEANUP(struct catalog_chunk *, catalog_chunk_free)

int catalog_add_chunk(struct catalog *c, uint64_t table,
                      struct catalog_chunk *k, struct err *err);
/* Under the number that it has. */
int catalog_put_chunk(struct catalog *c, uint64_t table,
                      struct catalog_chunk *k, struct err *err);

/* The largest PLANNED chunk that is not taken; takes it.  E_NONE. */
int catalog_take_to_export(struct catalog *c, struct catalog_chunk **ret,
                           struct err *err);
/* The file is durable: now it counts.  ERR_REFUSED unless it is PLANNED. */
int catalog_chunk_staged(struct catalog *c, const struct catalog_chunk *k,
                         struct err *err);

/* The next STAGED chunk that is not loaded and not taken, of a table with
   fewer than max_per_table chunks taken; takes it.  The large objects' metadata
   wait until all of them are loaded.  E_NONE. */
int catalog_take_to_load(struct catalog *c, unsigned max_per_table,
                         struct catalog_chunk **ret, struct err *err);
/* The same for this very chunk, whatever others of its table are taken; E_NONE
   when it is none that can be loaded, E_WAITS when it cannot yet. */
int catalog_take_this_to_load(struct catalog *c, uint64_t chunk,
                              struct catalog_chunk **ret, struct err *err);
/* ERR_REFUSED unless it is STAGED; may be said again. */
int catalog_chunk_loaded(struct catalog *c, uint64_t chunk, struct err *err);

/* Bytes of files that are STAGED and can be loaded. */
int catalog_bytes_waiting(struct catalog *c, uint64_t *ret, struct err *err);

/* The STAGED chunk of this number; E_NONE. */
int catalog_find_chunk(struct catalog *c, uint64_t chunk,
                       struct catalog_chunk **ret, struct err *err);

/* All STAGED chunks of the table after chunk (0: from the first); E_NONE. */
int catalog_next_chunk(struct catalog *c, uint64_t table, uint64_t chunk,
                       struct catalog_chunk **ret, struct err *err);

/* The same whether they are STAGED or not: how the table was cut. */
int catalog_next_range(struct catalog *c, uint64_t table, uint64_t chunk,
                       struct catalog_chunk **ret, struct err *err);

/* The sum over the table's chunks; E_NONE when not all are STAGED. */
int catalog_table_totals(struct catalog *c, uint64_t table,
                         struct chunk_totals *ret, struct err *err);
/* The next table of t's family after table (0: the first); E_NONE. */
int catalog_next_of_family(struct catalog *c, const struct catalog_table *t,
                           uint64_t table, uint64_t *ret, struct err *err);

/* A chunk of this name is staged (for the sweep). */
int catalog_has_file(struct catalog *c, const char *file, int *ret,
                     struct err *err);

/*
 * Have all of the table staged again, in another format: its chunks are never
 * of two.  They are PLANNED and in nobody's hand then, and what the hands still
 * hold is STALE.  CATALOG_E_LOADED, and nothing is changed, when one of them
 * is loaded or being loaded.
 */
int catalog_restage_table(struct catalog *c, uint64_t table,
                          enum copy_format format, struct err *err);
int catalog_is_stale(struct catalog *c, const struct catalog_chunk *k, int *ret,
                     struct err *err);
/* Whether a chunk of the table is loaded, or being loaded. */
int catalog_table_is_loaded(struct catalog *c, uint64_t table, int *ret,
                            struct err *err);
/* The chunk was taken, and nothing came of it: it may be taken again. */
int catalog_put_back_chunk(struct catalog *c, uint64_t chunk, struct err *err);

/* What is staged, file by file in the order of their names, byte by byte.
   *f begins as zero; what comes after it is put in its place.  E_NONE. */
struct catalog_file {
    char *name; /* owned; below data/ */
    uint64_t len;
    unsigned char sha256[32];
};
int catalog_next_file(struct catalog *c, struct catalog_file *f,
                      struct err *err);
void catalog_file_clear(struct catalog_file *f);

/* ---- entries of the schema that are restored after the data ---- */

struct catalog_entry {
    int64_t id;     /* pg_dump's dump id */
    unsigned order; /* in the archive: dependencies come first; or one of the
                       two below */
    char *type;     /* "INDEX", "CONSTRAINT", "FK CONSTRAINT", "TRIGGER"... */
    char *schema;   /* may be "" */
    char *name;     /* pg_dump's tag */
    char *sql;
    uint64_t table; /* restored as soon as this table is loaded; 0: after all
                       tables, one by one, in order */
};

/* Orders that no archive comes to: without a table, side by side when all
   before them is done; and what comes last of all. */
enum { CATALOG_TOGETHER = 1 << 30, CATALOG_LAST };

struct catalog_entry *catalog_entry_free(struct catalog_entry *e);
DEFINE_CLEANUP(struct catalog_entry *, catalog_entry_free)

int catalog_add_entry(struct catalog *c, const struct catalog_entry *e,
                      struct err *err);
/*
 * The next entry whose time has come and which is not done nor taken; takes
 * it.  E_NONE.
 *
 *   - First those of a table whose chunks are all loaded (a table without
 *     chunks is loaded), largest table first, by order within the table, one
 *     at a time a table.  The tables of a family are loaded when all are.
 *   - The others (table 0) when all chunks are loaded and none of the first
 *     kind is left, by order, one at a time, but for those TOGETHER.
 *
 * A failed table keeps its own entries back and the others too, since they
 * may need its rows.  A failed entry keeps none back: those that need it will
 * say so themselves.
 */
int catalog_take_entry(struct catalog *c, struct catalog_entry **ret,
                       struct err *err);
/* E_NONE: there is no such entry. */
int catalog_entry_done(struct catalog *c, int64_t entry, struct err *err);
int catalog_entry_failed(struct catalog *c, int64_t entry,
                         const struct err *why, struct err *err);

/* ---- sequences ---- */

struct catalog_sequence {
    char *schema;
    char *name;
    int64_t last_value;
    int is_called;
};

struct catalog_sequence *catalog_sequence_free(struct catalog_sequence *q);
DEFINE_CLEANUP(struct catalog_sequence *, catalog_sequence_free)

int catalog_add_sequence(struct catalog *c, const struct catalog_sequence *q,
                         struct err *err);
/* In order; *cursor begins at 0. */
int catalog_next_sequence(struct catalog *c, uint64_t *cursor,
                          struct catalog_sequence **ret, struct err *err);

/* ---- what is not copied, with the reason: no silent skip ---- */

/* Of a view that has rows at the source, when it is not left out. */
#define CATALOG_VIEW "materialized view"
#define CATALOG_VIEW_REFRESHED "refreshed on the target"

struct catalog_skip {
    char *kind; /* "foreign table", CATALOG_VIEW... */
    char *schema;
    char *name;
    char *reason;
    int harmless; /* a rule of the user's, or made again in another way */
    /* The object of the schema that a load leaves out: as pg_depend names it,
       by the OID of its catalogue and its own.  0: none. */
    uint32_t class_oid, oid;
};

struct catalog_skip *catalog_skip_free(struct catalog_skip *s);
DEFINE_CLEANUP(struct catalog_skip *, catalog_skip_free)
int catalog_add_skip(struct catalog *c, const struct catalog_skip *s,
                     struct err *err);
int catalog_next_skip(struct catalog *c, uint64_t *cursor,
                      struct catalog_skip **ret, struct err *err);
/* Does a load leave this object out? */
int catalog_leaves_out(struct catalog *c, uint32_t class_oid, uint32_t oid,
                       int *ret, struct err *err);
/* Are there publications of the source's, but not in the schema's dump? */
int catalog_lacks_publications(struct catalog *c, int *ret, struct err *err);

/* ---- a new load, and what all show ---- */

/* Forget which chunks are loaded, and the entries: they are added anew. */
int catalog_forget_load(struct catalog *c, struct err *err);

/* Forget which chunks are loaded and which entries are done: the ledger is
   read anew.  Nothing may be in hand. */
int catalog_forget_marks(struct catalog *c, struct err *err);

/* How far a load is.  A stage begins when nothing of the one before is left. */
enum catalog_stage {
    CATALOG_STAGE_TABLES, /* chunks, and the entries of their tables */
    CATALOG_STAGE_REST,   /* entries without a table */
    CATALOG_STAGE_OVER,
};

/* *ret_rest_begun (may be NULL): some entry without a table is done. */
int catalog_stage(struct catalog *c, enum catalog_stage *ret,
                  int *ret_rest_begun, struct err *err);

struct catalog_counts {
    uint64_t n_tables, n_tables_failed; /* the large objects are one */
    uint64_t n_chunks, n_chunks_staged, n_chunks_loaded;
    uint64_t n_entries, n_entries_done, n_entries_failed;
    uint64_t n_skipped, n_skipped_harmful;
    uint64_t planned_bytes, staged_bytes_estimated; /* of the estimates */
    uint64_t loaded_bytes_estimated;
    uint64_t raw_bytes, file_bytes, n_rows; /* of what is STAGED */
};

/* Looks at all there is: some 0.1 s with 200,000 chunks. */
int catalog_count(struct catalog *c, struct catalog_counts *ret,
                  struct err *err);

/* The failed tables and entries, one by one, for the report; *cursor begins
   at 0.  what is "table public.t" or "entry INDEX public i", why is the error
   with DETAIL and HINT on lines of their own; the caller frees both.
   E_NONE. */
int catalog_next_failure(struct catalog *c, uint64_t *cursor, char **what,
                         char **why, struct err *err);
