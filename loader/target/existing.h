/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Existing: rows go into tables that are there already.
 *
 *     match     every table and column by name; all misfits are told at once
 *     before    the user's SQL
 *     make room empty tables, or emptied (TRUNCATE), or with rows (APPEND)
 *     put aside triggers, and what else is in the way (aside.h)
 *       ...the chunks, as always...
 *     put back  as entries after the data (aside.h)
 *     refresh   materialized views, as well (refresh.h)
 *     check     keys that nobody checked while triggers were off (unchecked.h)
 *     after     the user's SQL
 *
 * Each but the checks is a row of the ledger, written with what it did: a load
 * that goes on does not do it twice.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/progress/progress.h"
#include "loader/target/ledger.h"

enum existing_rows {
    EXISTING_REFUSED,   /* a table that holds rows is an error */
    EXISTING_TRUNCATED, /* all are emptied first, in one statement */
    EXISTING_KEPT,      /* ours come on top */
};

/* What the user asks for. */
struct existing_wishes {
    enum existing_rows rows;
    int rebuild_indexes; /* put plain indexes aside, too */
    int no_key_check;
    int no_refresh;         /* of materialized views */
    const char *before_sql; /* files; NULL: none */
    const char *after_sql;
};

/* All borrowed. */
struct existing {
    const struct existing_wishes *wishes;
    const struct ledger *ledger;
    struct catalog *catalog;
    struct progress *progress;
};

/*
 * All before the first row.  *ret_replica: sessions of this role may load with
 * session_replication_role = replica, and must, for only what fires even so
 * was put aside.
 */
int existing_begin(const struct existing *x, struct session *s,
                   int *ret_replica, struct err *err);

/* What is to be done after the data, as entries of the catalogue. */
int existing_add_entries(const struct existing *x, struct session *s,
                         struct err *err);

/* A new session goes on after existing_begin() of another. */
int existing_resume(const struct existing *x, struct session *s,
                    struct err *err);

/* All after the last entry.  ERR_DIFFERS: keys are violated; each is named. */
int existing_finish(const struct existing *x, struct session *s, int replica,
                    struct err *err);
