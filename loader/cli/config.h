/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Config: the YAML file of --config, as a list of keys and their values with
 * the places where they stand; what they mean is not its business.
 *
 *     jobs: 4                      one value
 *     exclude-table: [a, "b.*"]    several
 *     tables:                      what is said of tables, together
 *       include: [a, b]            is --table
 *       exclude: c                 is --exclude-table
 *       where:                     is --where, a pair each
 *         a: year >= 2024
 *
 * One document, a mapping, of at most CONFIG_MAX bytes.  Anchors, aliases and
 * tags are refused, so nothing grows while it is read; so are keys that are
 * given twice.  Values are texts: whether "4" is a number says who asks.
 *
 * Every error says where: in "pghaul.yaml", line 3, column 7: ...
 */

#include <stddef.h>

#include "io/cleanup.h"
#include "io/err.h"

enum { CONFIG_MAX = 1 << 20 };

struct config_place {
    size_t line, column; /* from 1 */
};

struct config_value {
    char *text;
    struct config_place at;
    int quoted; /* "true" in quotes is a text */
};

struct config_entry {
    char *key;              /* "jobs", "tables.where" */
    const char *option;     /* what it stands for: the key, or a constant */
    struct config_place at; /* of the key */
    struct config_value *values;
    size_t n_values;
    int is_list; /* else n_values is 1 */
    int takes_pairs;
};

struct config {
    char *path;
    struct config_entry *entries; /* in the order of the file */
    size_t n_entries;
    int is_private;           /* nobody but its owner may read the file */
    unsigned char sha256[32]; /* of the file */
};

/* ERR_USAGE: what stands in it; ERR_SYSTEM: it cannot be read. */
int config_read(struct config **ret, const char *path, struct err *err);
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* Put the place before the message that *err has, or fill it with one.
   Return -1. */
int config_blame(const struct config *c, struct config_place at,
                 struct err *err);
int config_fail(const struct config *c, struct config_place at, struct err *err,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));
