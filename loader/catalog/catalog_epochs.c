/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "loader/catalog/catalog_db.h"

int
catalog_add_epoch(struct catalog *c, const struct catalog_epoch *e,
                  struct err *err)
{
    return catalog_db_run(c, err,
                          SQL("INSERT INTO epochs VALUES(?, ?, ?)"
                              " ON CONFLICT(id) DO UPDATE SET"
                              " snapshot = excluded.snapshot,"
                              " lsn = excluded.lsn"),
                          INT(e->id), TEXT(e->snapshot), INT(e->lsn));
}

int
catalog_next_epoch(struct catalog *c, unsigned id, struct catalog_epoch *ret,
                   struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL("SELECT id, snapshot, lsn FROM epochs"
                                 " WHERE id > ? ORDER BY id LIMIT 1"),
                             INT(id));

    if (r)
        return r;
    *ret = (struct catalog_epoch){
        .id = (unsigned)catalog_db_u64(q, 0),
        .snapshot = catalog_db_text(q, 1),
        .lsn = catalog_db_u64(q, 2),
    };
    return ret->snapshot ? 0 : err_nomem(err);
}

void
catalog_epoch_clear(struct catalog_epoch *e)
{
    free(e->snapshot);
    *e = (struct catalog_epoch){0};
}

/* What a table stands or falls with: itself, its family, all large objects. */
#define COMPANY(t)                                                             \
    "CASE WHEN " t ".kind <> 'table' THEN 'large objects'"                     \
    " WHEN " t ".root_name IS NULL THEN " t ".id"                              \
    " ELSE quote(" t ".root_schema) || '.' || quote(" t ".root_name) END"

/* In one place, for it is asked for rows of three tables. */
static const char find_unstaged[] =
    "CREATE TEMP TABLE unstaged AS SELECT t.id FROM tables t"
    " WHERE t.epoch > ? OR " COMPANY("t") " IN (SELECT " COMPANY(
        "u") "  FROM tables u WHERE u.state = 'failed' OR EXISTS("
             "   SELECT 1 FROM chunks WHERE table_id = u.id AND state = "
             "'planned'))";

static int
forget_unstaged(struct catalog *c, unsigned epoch, struct err *err)
{
    int r = catalog_db_run(c, err, SQL(find_unstaged), INT(epoch));

    if (!r)
        r = catalog_db_script(c, err,
                              "DELETE FROM taken_chunks;"
                              "DELETE FROM taken_entries;"
                              "DELETE FROM failures;"
                              "DELETE FROM entries;"
                              "DELETE FROM chunks WHERE table_id IN unstaged;"
                              "DELETE FROM columns WHERE table_id IN unstaged;"
                              "DELETE FROM tables WHERE id IN unstaged;"
                              "DELETE FROM sequences;"
                              "DELETE FROM skips;"
                              "DROP TABLE temp.unstaged");
    return r ? r
             : catalog_db_run(c, err, SQL("DELETE FROM epochs WHERE id > ?"),
                              INT(epoch));
}

int
catalog_keep_staged(struct catalog *c, unsigned epoch, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, forget_unstaged(c, epoch, err));
}
