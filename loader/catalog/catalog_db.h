/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The catalogue's way to talk to SQLite, private to catalog*.c.
 *
 * A statement and its values stand in one list:
 *
 *     catalog_db_run(c, err, SQL("DELETE FROM t WHERE id = ?"), INT(id))
 *
 * It is prepared once: SQLite keeps the list of a connection's statements,
 * and we look there first.
 */

#include <sqlite3.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"

struct catalog {
    sqlite3 *db;
    char *path; /* for messages */
};

/* catalog_schema.c: what is in the file, what is this process's alone. */
extern const char catalog_schema[], catalog_schema_rest[];
extern const char catalog_capture_schema[];
extern const char catalog_temp_schema[];

/* A statement, a value. */
struct catalog_value {
    enum {
        CATALOG_VALUE_END,
        CATALOG_VALUE_TEXT,
        CATALOG_VALUE_INT,
        CATALOG_VALUE_BYTES,
        CATALOG_VALUE_NULL,
    } kind;
    int64_t number;
    const void *data; /* borrowed until the statement has ended */
    int len;
};

#define SQL(s) TEXT(s)
#define TEXT(s)                                                                \
    ((struct catalog_value){.kind = CATALOG_VALUE_TEXT, .data = (s)})
/* Unsigned numbers keep their 64 bits: SQLite shows the upper half of them
   as negative. */
#define INT(n)                                                                 \
    ((struct catalog_value){.kind = CATALOG_VALUE_INT, .number = (int64_t)(n)})
#define BYTES(p, n)                                                            \
    ((struct catalog_value){                                                   \
        .kind = CATALOG_VALUE_BYTES, .data = (p), .len = (n)})
/* A reference: 0 refers to nothing. */
#define REF(n)                                                                 \
    ((struct catalog_value){.kind =                                            \
                                (n) ? CATALOG_VALUE_INT : CATALOG_VALUE_NULL,  \
                            .number = (int64_t)(n)})

/* Run a statement that answers nothing.  (c, err, SQL(...), values...) */
#define catalog_db_run(c, err, ...)                                            \
    catalog_db_run_list(c, err,                                                \
                        (const struct catalog_value[]){__VA_ARGS__, {0}})

/* Run a query up to its first row; E_NONE: it has none.  The caller ends *ret
   whatever the answer is.  (c, err, ret, SQL(...), values...) */
#define catalog_db_query(c, err, ret, ...)                                     \
    catalog_db_query_list(c, err, ret,                                         \
                          (const struct catalog_value[]){__VA_ARGS__, {0}})

int catalog_db_run_list(struct catalog *c, struct err *err,
                        const struct catalog_value *list);
int catalog_db_query_list(struct catalog *c, struct err *err,
                          sqlite3_stmt **ret, const struct catalog_value *list);

/* The next row of a query; E_NONE. */
int catalog_db_next(struct catalog *c, struct err *err, sqlite3_stmt *q);

/* The statement is ready for its next use. */
sqlite3_stmt *catalog_db_end(sqlite3_stmt *q);
DEFINE_CLEANUP(sqlite3_stmt *, catalog_db_end)

/*
 * A field of the row at hand.  text is a copy for the caller to free, NULL
 * when there is no memory.  bytes fails as corrupt unless there are len.
 */
uint64_t catalog_db_u64(sqlite3_stmt *q, int column);
char *catalog_db_text(sqlite3_stmt *q, int column);
int catalog_db_bytes(struct catalog *c, struct err *err, sqlite3_stmt *q,
                     int column, void *to, int len);

/* <0 (ERR_REFUSED, "chunk 7 cannot be loaded") when the last statement changed
   no row: there is no such thing, or it is not in the state for that. */
int catalog_db_changed(struct catalog *c, struct err *err, const char *thing,
                       int64_t id, const char *what);

/*
 * Statements that take effect together, within the caller's begin or not.
 * end takes the answer of what was done between: 0 keeps it, else it is
 * undone and the answer is passed on.
 */
int catalog_db_group_begin(struct catalog *c, struct err *err);
int catalog_db_group_end(struct catalog *c, struct err *err, int r);

/* Several statements without values or rows, not kept; together: as a group. */
int catalog_db_script(struct catalog *c, struct err *err, const char *sql);
int catalog_db_together(struct catalog *c, struct err *err, const char *sql);

/* Fill *err from what SQLite says, or with damage that only we can see. */
int catalog_db_fail(struct catalog *c, struct err *err);
int catalog_db_corrupt(struct catalog *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
