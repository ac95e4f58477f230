/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reading what pg_restore prints: its list of entries (-l) and its SQL (-v),
 * where a comment stands over each entry.  Memory to memory.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

/* ---- the list: "3236; 2606 16419 CONSTRAINT public c uq owner" ---- */

enum toc_kind {
    TOC_OTHER,
    TOC_TABLE,
    TOC_INDEX,
    TOC_KEY,
    TOC_PUBLICATION,
    TOC_MEMBER, /* what a publication publishes */
};

/* pg_restore's, but that it has the last two as one: event triggers would fire
   at what comes after them. */
enum toc_pass {
    TOC_PASS_MAIN,
    TOC_PASS_ACL,
    TOC_PASS_LATE, /* what reads rows through the rights of others */
    TOC_PASS_EVENT_TRIGGERS,
};

struct toc_item {
    int64_t id;         /* dump id */
    uint32_t oid;       /* of the object at the source; 0: none */
    uint32_t class_oid; /* of the catalogue that it stands in; 0: none */
    int left_out;       /* for who leaves it out */
    enum toc_kind kind;
    enum toc_pass pass;
    unsigned n_seen; /* for who compares */
    unsigned line;   /* in the list, from 0 */
};

struct toc {
    struct toc_item *items; /* by id */
    size_t n_items;
};

/* Parse the output of pg_restore -l. */
int toc_parse(struct toc *ret, const char *list, size_t len, struct err *err);
void toc_free(struct toc *t);

/* The major version of the pg_dump that wrote what is listed; 0: not said. */
int toc_dumped_by(const char *list);

/* NULL when it is not in the list. */
struct toc_item *toc_find(const struct toc *t, int64_t id);

/* ---- the SQL ---- */

/* A part of the text; nothing is copied. */
struct toc_text {
    const char *at;
    size_t len;
};

struct toc_entry {
    int64_t id;
    struct toc_text dependencies; /* "218 3227", may be empty */
    struct toc_text type, schema, name;
    struct toc_text sql;
    /* SET statements that stood before the entry and hold for it. */
    struct toc_text tablespace, access_method;
};

struct toc_scan {
    const char *at, *end;
    struct toc_text tablespace, access_method; /* in force */
};

/* Begin at the top of what "pg_restore -v -f -" has printed. */
void toc_scan_begin(struct toc_scan *s, const char *sql, size_t len);

/* The next entry: 1, or 0 when there is none. */
int toc_scan_next(struct toc_scan *s, struct toc_entry *ret);
