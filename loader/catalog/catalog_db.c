/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/catalog_db.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int
hint_at_json(struct err *err)
{
    return err_hint(err, "If data/catalog.json is there, the export is "
                         "complete: remove run.db, and load and verify go by "
                         "that.");
}

int
catalog_db_fail(struct catalog *c, struct err *err)
{
    int sys = sqlite3_system_errno(c->db);
    enum err_class class = ERR_SYSTEM;

    switch (sqlite3_errcode(c->db) & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(err);
    case SQLITE_FULL:
        sys = ENOSPC;
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        sys = sys ? sys : EIO;
        break;
    case SQLITE_ERROR: /* the SQL is ours, so what it names is missing */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        class = ERR_CORRUPT;
        sys = 0;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        class = ERR_REFUSED;
        sys = 0;
        break;
    default:
        sys = 0;
        break;
    }
    if (sys)
        return err_sys(err, sys, "could not access run catalogue \"%s\"",
                       c->path);
    err_set(err, class, "could not access run catalogue \"%s\": %s", c->path,
            sqlite3_errmsg(c->db));
    return class == ERR_CORRUPT ? hint_at_json(err) : -1;
}

int
catalog_db_corrupt(struct catalog *c, struct err *err, const char *fmt, ...)
{
    va_list ap;

    err_set(err, ERR_CORRUPT, "run catalogue \"%s\" is damaged", c->path);
    va_start(ap, fmt);
    vsnprintf(err->detail, sizeof err->detail, fmt, ap);
    va_end(ap);
    return hint_at_json(err);
}

/* Prepared before, and not in use by a caller further up. */
static sqlite3_stmt *
find_idle(struct catalog *c, const char *sql)
{
    sqlite3_stmt *q = NULL;

    while ((q = sqlite3_next_stmt(c->db, q)))
        if (!sqlite3_stmt_busy(q) && strcmp(sqlite3_sql(q), sql) == 0)
            return q;
    return NULL;
}

static int
bind(sqlite3_stmt *q, int position, const struct catalog_value *v)
{
    switch (v->kind) {
    case CATALOG_VALUE_TEXT:
        return sqlite3_bind_text(q, position, v->data, -1, SQLITE_STATIC);
    case CATALOG_VALUE_INT:
        return sqlite3_bind_int64(q, position, v->number);
    case CATALOG_VALUE_BYTES:
        return sqlite3_bind_blob(q, position, v->data, v->len, SQLITE_STATIC);
    case CATALOG_VALUE_NULL:
    case CATALOG_VALUE_END:
        break;
    }
    return sqlite3_bind_null(q, position);
}

int
catalog_db_query_list(struct catalog *c, struct err *err, sqlite3_stmt **ret,
                      const struct catalog_value *list)
{
    const char *sql = list[0].data;

    *ret = find_idle(c, sql);
    if (!*ret && sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    ret, NULL) != SQLITE_OK)
        return catalog_db_fail(c, err);
    for (int i = 1; list[i].kind != CATALOG_VALUE_END; i++)
        if (bind(*ret, i, &list[i]) != SQLITE_OK)
            return catalog_db_fail(c, err);
    return catalog_db_next(c, err, *ret);
}

int
catalog_db_run_list(struct catalog *c, struct err *err,
                    const struct catalog_value *list)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query_list(c, err, &q, list);
    assert(r <= 0 || r == CATALOG_E_NONE);
    return r < 0 ? r : 0;
}

int
catalog_db_next(struct catalog *c, struct err *err, sqlite3_stmt *q)
{
    switch (sqlite3_step(q)) {
    case SQLITE_ROW:
        return 0;
    case SQLITE_DONE:
        return CATALOG_E_NONE;
    default:
        return catalog_db_fail(c, err);
    }
}

sqlite3_stmt *
catalog_db_end(sqlite3_stmt *q)
{
    /* Its failure, if it had one, was reported by the step. */
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return NULL;
}

uint64_t
catalog_db_u64(sqlite3_stmt *q, int column)
{
    return (uint64_t)sqlite3_column_int64(q, column);
}

char *
catalog_db_text(sqlite3_stmt *q, int column)
{
    const unsigned char *s = sqlite3_column_text(q, column);

    return s ? strdup((const char *)s) : NULL;
}

int
catalog_db_bytes(struct catalog *c, struct err *err, sqlite3_stmt *q,
                 int column, void *to, int len)
{
    const void *data = sqlite3_column_blob(q, column);

    if (!data || sqlite3_column_bytes(q, column) != len)
        return catalog_db_corrupt(c, err, "Column %s does not have %d bytes.",
                                  sqlite3_column_name(q, column), len);
    memcpy(to, data, (size_t)len);
    return 0;
}

int
catalog_db_changed(struct catalog *c, struct err *err, const char *thing,
                   int64_t id, const char *what)
{
    if (sqlite3_changes(c->db) > 0)
        return 0;
    err_set(err, ERR_REFUSED, "%s %" PRId64 " cannot be %s", thing, id, what);
    return err_detail(err,
                      "Run catalogue \"%s\" does not list it, or not in the "
                      "state before that.",
                      c->path);
}

int
catalog_db_group_begin(struct catalog *c, struct err *err)
{
    return catalog_db_run(c, err, SQL("SAVEPOINT change"));
}

int
catalog_db_group_end(struct catalog *c, struct err *err, int r)
{
    struct err lost; /* the first failure is the one to tell */

    if (r == 0)
        r = catalog_db_run(c, err, SQL("RELEASE change"));
    /* SQLite itself may have undone all, as it does when the disk is full. */
    if (r != 0 && !sqlite3_get_autocommit(c->db))
        catalog_db_script(c, &lost, "ROLLBACK TO change; RELEASE change");
    return r;
}

int
catalog_db_script(struct catalog *c, struct err *err, const char *sql)
{
    if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return catalog_db_fail(c, err);
    return 0;
}

int
catalog_db_together(struct catalog *c, struct err *err, const char *sql)
{
    int r;

    r = catalog_db_group_begin(c, err);
    if (r)
        return r;
    return catalog_db_group_end(c, err, catalog_db_script(c, err, sql));
}
