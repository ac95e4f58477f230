/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "loader/catalog/catalog_db.h"

/* As PostgreSQL prints it. */
static char *
explain(const struct err *why)
{
    char *s;

    return asprintf(&s, "%s%s%s%s%s", why->message,
                    why->detail[0] ? "\nDETAIL:  " : "", why->detail,
                    why->hint[0] ? "\nHINT:  " : "", why->hint) < 0
               ? NULL
               : s;
}

/* What can fail, and how that is written down.  The first reason stays: what
   follows from it says less. */
struct kind {
    const char *name;
    const char *mark;
    const char *note;
};

static const struct kind TABLE = {
    .name = "table",
    .mark = "UPDATE tables SET state = 'failed' WHERE id = ?",
    .note = "INSERT OR IGNORE INTO failures(table_id, why) VALUES(?, ?)",
};

static const struct kind ENTRY = {
    .name = "entry",
    .mark = "UPDATE entries SET state = 'failed' WHERE id = ?",
    .note = "INSERT OR IGNORE INTO failures(entry_id, why) VALUES(?, ?)",
};

static int
mark_and_note(struct catalog *c, const struct kind *kind, int64_t id,
              const char *why, struct err *err)
{
    int r;

    if ((r = catalog_db_run(c, err, SQL(kind->mark), INT(id))) ||
        (r = catalog_db_changed(c, err, kind->name, id, "failed")))
        return r;
    return catalog_db_run(c, err, SQL(kind->note), INT(id), TEXT(why));
}

static int
fail(struct catalog *c, const struct kind *kind, int64_t id,
     const struct err *why, struct err *err)
{
    cleanup_(freep) char *text = explain(why);
    int r;

    if (!text)
        return err_nomem(err);
    r = catalog_db_group_begin(c, err);
    if (r)
        return r;
    return catalog_db_group_end(c, err, mark_and_note(c, kind, id, text, err));
}

int
catalog_table_failed(struct catalog *c, uint64_t table, const struct err *why,
                     struct err *err)
{
    return fail(c, &TABLE, (int64_t)table, why, err);
}

int
catalog_entry_failed(struct catalog *c, int64_t entry, const struct err *why,
                     struct err *err)
{
    return fail(c, &ENTRY, entry, why, err);
}

int
catalog_forget_failures(struct catalog *c, struct err *err)
{
    return catalog_db_together(
        c, err,
        "DELETE FROM taken_chunks;"
        "DELETE FROM taken_entries;"
        "DELETE FROM failures;"
        "UPDATE tables SET state = 'ok' WHERE state = 'failed';"
        "UPDATE entries SET state = 'pending' WHERE state = 'failed'");
}

int
catalog_next_failure(struct catalog *c, uint64_t *cursor, char **what,
                     char **why, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    cleanup_(freep) char *thing = NULL;
    cleanup_(freep) char *reason = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL("SELECT f.id, coalesce('table ' || t.schema || '.' || t.name,"
            "   'entry ' || e.type || iif(e.schema = '', '', ' ' || e.schema)"
            "   || ' ' || e.name),"
            " f.why FROM failures f"
            " LEFT JOIN tables t ON t.id = f.table_id"
            " LEFT JOIN entries e ON e.id = f.entry_id"
            " WHERE f.id > ? ORDER BY f.id LIMIT 1"),
        INT(*cursor));
    if (r)
        return r;
    thing = catalog_db_text(q, 1);
    reason = catalog_db_text(q, 2);
    if (!thing || !reason)
        return err_nomem(err);
    *cursor = catalog_db_u64(q, 0);
    *what = take(thing);
    *why = take(reason);
    return 0;
}
