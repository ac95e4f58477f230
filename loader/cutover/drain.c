/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/drain.h"

#include <stdlib.h>

#include "loader/catalog/capture.h"

static int
read_lsn(const PGresult *res, uint64_t *ret, struct err *err)
{
    if (PQntuples(res) == 1 &&
        capture_parse_lsn(PQgetvalue(res, 0, 0), ret) == 0)
        return 0;
    return err_set(err, ERR_SERVER,
                   "the server does not say how far its log is");
}

/* The answer is where the message ends; its commit, which lies behind it, is
   durable when this returns. */
int
drain_mark(struct session *s, uint64_t *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(s,
                          "SELECT pg_catalog.pg_logical_emit_message(true,"
                          " 'pghaul', 'cut-over')",
                          &res, err);

    return r ? r : read_lsn(res, ret, err);
}

/* The first byte of a message says what it is: I, U, D and T change rows, O
   names the server that the transaction came from. */
int
drain_strays(struct session *s, const char *slot, const char *publication,
             uint64_t *ret, uint64_t *ret_first, struct err *err)
{
    const char *const values[] = {slot, publication};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(
        s,
        "SELECT pg_catalog.count(*), coalesce(pg_catalog.min(lsn), '0/0') FROM"
        " (SELECT xid::text, pg_catalog.min(lsn) AS lsn"
        "  FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, NULL, NULL,"
        "   'proto_version', '1', 'publication_names',"
        "   pg_catalog.quote_ident($2))"
        "  GROUP BY xid::text HAVING pg_catalog.bool_or("
        "   pg_catalog.get_byte(data, 0) IN (73, 85, 68, 84))"
        "  AND NOT pg_catalog.bool_or(pg_catalog.get_byte(data, 0) = 79)) AS x",
        2, values, &res, err);

    if (r)
        return r;
    *ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    capture_parse_lsn(PQgetvalue(res, 0, 1), ret_first);
    return 0;
}

int
drain_skip(struct session *s, const char *slot, uint64_t *ret, struct err *err)
{
    const char *const values[] = {slot};
    cleanup_(session_clearp) PGresult *res = NULL;
    uint64_t mark;
    int r = drain_mark(s, &mark, err);

    if (!r)
        r = session_query_params(
            s,
            "SELECT end_lsn FROM pg_catalog.pg_replication_slot_advance($1,"
            " pg_catalog.pg_current_wal_flush_lsn())",
            1, values, &res, err);
    return r ? r : read_lsn(res, ret, err);
}
