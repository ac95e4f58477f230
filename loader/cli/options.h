/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Options: one table, options.def, expanded into all that speaks of options.
 *
 * Names are exact: "--sou" is not "--source" today and something else after
 * the next release.  An option is given once, or, when it is a list, as often
 * as one likes (of one that is in the file and on the command line, the latter's
 * are taken, and none of the file's).  What one command does not take, or two options that contradict each other, is an error, not ignored.
 *
 * What stands in the file of --config goes the same way, with the names as
 * keys; the command line wins over it, and what only another command takes is
 * checked and passed over, so that one file serves all commands of a run.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/err.h"

struct command;
struct config;

enum option_id {
#define OPTION(field, ...) OPTION_ID_##field,
#include "loader/cli/options.def"
    N_OPTIONS
};

/* Sets of options: OPTION_SET(source) | OPTION_SET(dir).  There are more than
   64 of them, and gcc and clang know wider numbers. */
__extension__ typedef unsigned __int128 option_set;
#define OPTION_SET_MAX 128
#define OPTION_BIT(id) ((option_set)1 << (id))
#define OPTION_SET(field) OPTION_BIT(OPTION_ID_##field)

/* The choices, in the order of the words in the table. */
enum option_format {
    OPTION_FORMAT_AUTO,
    OPTION_FORMAT_BINARY,
    OPTION_FORMAT_TEXT,
};
enum option_compress { OPTION_COMPRESS_LZ4, OPTION_COMPRESS_NONE };
enum option_io { OPTION_IO_AUTO, OPTION_IO_URING, OPTION_IO_SYNC };
enum option_plugin {
    OPTION_PLUGIN_PGOUTPUT,
    OPTION_PLUGIN_TEST_DECODING,
    OPTION_PLUGIN_WAL2JSON,
    OPTION_PLUGIN_DECODERBUFS,
};
enum option_replica_identity {
    OPTION_REPLICA_IDENTITY_REFUSE,
    OPTION_REPLICA_IDENTITY_FULL,
    OPTION_REPLICA_IDENTITY_SKIP,
};
enum option_verify {
    OPTION_VERIFY_COUNTS,
    OPTION_VERIFY_ROWS,
    OPTION_VERIFY_NONE,
};
enum option_writers {
    OPTION_WRITERS_WAIT,
    OPTION_WRITERS_TERMINATE,
    OPTION_WRITERS_REFUSE,
};
enum option_on_limit {
    OPTION_ON_LIMIT_SLOW,
    OPTION_ON_LIMIT_PAUSE,
    OPTION_ON_LIMIT_STOP,
};
/* Bits. */
enum option_layer {
    OPTION_LAYER_COUNTS = 1,
    OPTION_LAYER_AGGREGATES = 2,
    OPTION_LAYER_ROWS = 4,
    OPTION_LAYER_SCHEMA = 8,
    OPTION_LAYER_SEQUENCES = 16,
};
enum option_on_target_full {
    OPTION_ON_TARGET_FULL_WAIT,
    OPTION_ON_TARGET_FULL_STOP,
};
enum option_to {
    OPTION_TO_JSON,
    OPTION_TO_SUBSCRIPTION,
    OPTION_TO_DEBEZIUM,
    OPTION_TO_DMS,
    OPTION_TO_PEERDB,
    OPTION_TO_FLINK,
    OPTION_TO_PGCOPYDB,
    OPTION_TO_PG_RECVLOGICAL,
};
enum option_profile { OPTION_PROFILE_MIGRATE, OPTION_PROFILE_ARCHIVE };
enum option_progress {
    OPTION_PROGRESS_AUTO,
    OPTION_PROGRESS_PLAIN,
    OPTION_PROGRESS_NONE,
};

/* The nth of so many; of 0: all. */
struct option_part {
    unsigned n, of;
};

/* One that may be given several times; in the order given. */
struct option_list {
    const char **texts; /* owned, not what it points to */
    unsigned n;
};

/* What an option of each kind becomes. */
#define OPTION_FIELD_slot(field) const char *field
#define OPTION_FIELD_seconds(field) unsigned field
#define OPTION_FIELD_hours(field) unsigned field
#define OPTION_FIELD_conninfo(field) const char *field
#define OPTION_FIELD_path(field) const char *field
#define OPTION_FIELD_name(field) const char *field
#define OPTION_FIELD_jobs(field) unsigned field
#define OPTION_FIELD_size(field) uint64_t field
#define OPTION_FIELD_duration(field) uint64_t field /* milliseconds */
#define OPTION_FIELD_count(field) uint64_t field
#define OPTION_FIELD_share(field) uint32_t field /* of a million */
#define OPTION_FIELD_date(field) const char *field
#define OPTION_FIELD_part(field) struct option_part field
#define OPTION_FIELD_choice(field) enum option_##field field
#define OPTION_FIELD_layers(field) unsigned field /* set of option_layer */
#define OPTION_FIELD_flag(field) int field
#define OPTION_FIELD_list(field) struct option_list field

/* Texts point into argv or the file; those not given and without a default are
   NULL. */
struct options {
#define OPTION(field, letter, name, argument, standard, kind, ...)             \
    OPTION_FIELD_##kind(field);
#include "loader/cli/options.def"
    option_set given; /* set of those on the command line or in the file */
    const char *texts[N_OPTIONS]; /* as they were given last, or NULL */
    struct config *file;          /* owned; NULL without --config */
    char *const *operands;        /* what is not an option; ends in NULL */
};

/* A row of the table. */
struct option_row {
    const char *name;
    const char *argument; /* NULL: a flag */
    const char *standard; /* the default, or NULL */
    const char *help;
    char letter; /* or 0 */
    option_set not_with;
    option_set only_with; /* one of these; 0: it needs no other */
    size_t offset;        /* of its field in struct options */
    int (*parse)(const struct option_row *row, const char *text, void *field,
                 struct err *err);
};

extern const struct option_row option_rows[N_OPTIONS];

/* What the command takes in all: --help goes everywhere, --config almost. */
option_set options_of(const struct command *c);

/*
 * Parse the words after the command's name, and the file that they name.  With
 * --help nothing is required or read.  <0: ERR_USAGE, or the file cannot be
 * read (ERR_SYSTEM) or trusted (ERR_REFUSED).  Not for two threads at once:
 * getopt(3) has a state.
 */
int options_parse(struct options *ret, const struct command *c, int argc,
                  char **argv, struct err *err);

/* Frees what it owns; any texts of it are gone. */
void options_clear(struct options *o);
