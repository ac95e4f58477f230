/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "loader/catalog/catalog_db.h"

int
catalog_table_is_loaded(struct catalog *c, uint64_t table, int *ret,
                        struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT 1 FROM chunks WHERE table_id = ?1"
                             "  AND state = 'loaded'"
                             " UNION ALL SELECT 1 FROM taken_chunks"
                             "  WHERE table_id = ?1 AND loading LIMIT 1"),
                         INT(table));
    if (r < 0)
        return r;
    *ret = r == 0;
    return 0;
}

/* The trigger on the state takes the chunks out of all hands. */
static int
reset(struct catalog *c, uint64_t table, enum copy_format format,
      struct err *err)
{
    int r;

    r = catalog_db_run(c, err, SQL("UPDATE tables SET format = ? WHERE id = ?"),
                       TEXT(copy_format_name(format)), INT(table));
    if (r)
        return r;
    return catalog_db_run(
        c, err,
        SQL("UPDATE chunks SET state = 'planned', file = NULL,"
            " file_len = NULL, sha256 = NULL, n_rows = NULL, digest = NULL,"
            " raw_len = NULL, n_frames = NULL WHERE table_id = ?"),
        INT(table));
}

int
catalog_restage_table(struct catalog *c, uint64_t table,
                      enum copy_format format, struct err *err)
{
    int loaded, r;

    r = catalog_table_is_loaded(c, table, &loaded, err);
    if (r || loaded)
        return r ? r : CATALOG_E_LOADED;
    r = catalog_db_group_begin(c, err);
    if (r)
        return r;
    return catalog_db_group_end(c, err, reset(c, table, format, err));
}

int
catalog_is_stale(struct catalog *c, const struct catalog_chunk *k, int *ret,
                 struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT 1 FROM tables WHERE id = ?"
                             " AND format = ?"),
                         INT(k->table->id),
                         TEXT(copy_format_name(k->table->format)));
    if (r < 0)
        return r;
    *ret = r == CATALOG_E_NONE;
    return 0;
}

int
catalog_put_back_chunk(struct catalog *c, uint64_t chunk, struct err *err)
{
    return catalog_db_run(
        c, err, SQL("DELETE FROM taken_chunks WHERE chunk_id = ?"), INT(chunk));
}
