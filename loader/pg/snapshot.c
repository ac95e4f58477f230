/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct snapshot {
    struct session *session; /* borrowed */
    char *id;
};

#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

int
snapshot_share(struct snapshot **ret, struct session *s, struct err *err)
{
    cleanup_(snapshot_freep) struct snapshot *n = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    n = calloc(1, sizeof *n);
    if (!n)
        return err_nomem(err);
    n->session = s;
    r = session_query(s, "SELECT pg_catalog.pg_export_snapshot()", &res, err);
    if (r)
        return r;
    n->id = strdup(PQgetvalue(res, 0, 0));
    if (!n->id)
        return err_nomem(err);

    *ret = take(n);
    return 0;
}

int
snapshot_take(struct snapshot **ret, struct session *s, struct err *err)
{
    int r = session_exec(s, BEGIN_READING, err);

    return r ? r : snapshot_share(ret, s, err);
}

struct snapshot *
snapshot_free(struct snapshot *n)
{
    struct err ignored;

    if (!n)
        return NULL;
    if (n->session)
        session_exec(n->session, "ROLLBACK", &ignored);
    free(n->id);
    free(n);
    return NULL;
}

const char *
snapshot_id(const struct snapshot *n)
{
    return n->id;
}

struct session *
snapshot_session(const struct snapshot *n)
{
    return n->session;
}

/* "LOCK TABLE ONLY a, ONLY b ... IN ACCESS SHARE MODE" */
static char *
lock_statement(const char *const *tables, unsigned n_tables, unsigned wait_s)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    fprintf(f, "SET LOCAL lock_timeout = '%us'; LOCK TABLE ", wait_s);
    for (unsigned i = 0; i < n_tables; i++)
        fprintf(f, "%sONLY %s", i ? ", " : "", tables[i]);
    fprintf(f, " IN ACCESS SHARE MODE; SET LOCAL lock_timeout = 0");
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

int
snapshot_lock(struct snapshot *n, const char *const *tables, unsigned n_tables,
              unsigned wait_s, struct err *err)
{
    char *sql;
    int r;

    sql = lock_statement(tables, n_tables, wait_s);
    if (!sql)
        return err_nomem(err);
    r = session_exec(n->session, sql, err);
    free(sql);
    if (!r)
        return 0;

    if (strcmp(err->sqlstate, "55P03") == 0) { /* lock_not_available */
        err->class = ERR_REFUSED;
        return err_hint(err, "Another session holds a stronger lock on one of "
                             "the tables: see pg_locks at the source.  Wait "
                             "until it is done and run this again.");
    }
    return r;
}

static int
import_snapshot(struct session *s, const char *id, struct err *err)
{
    cleanup_(session_freememp) char *literal = session_literal(s, id);
    int r;

    if (!literal)
        return err_nomem(err);
    r = session_execf(s, err, BEGIN_READING "; SET TRANSACTION SNAPSHOT %s",
                      literal);
    /* invalid_parameter_value or, since 18, undefined_object: no such one */
    if (r && (strcmp(err->sqlstate, "22023") == 0 ||
              strcmp(err->sqlstate, "42704") == 0)) {
        err->class = ERR_REFUSED;
        err_detail(err, "The session that held the snapshot is gone.");
    }
    return r;
}

int
snapshot_join(struct session **s, const struct session_params *p,
              const char *id, struct err *err)
{
    int r = *s ? session_reopen(*s, err) : session_open(s, p, err);

    return r ? r : import_snapshot(*s, id, err);
}

int
snapshot_is_joined(struct session *s)
{
    return PQtransactionStatus(session_conn(s)) == PQTRANS_INTRANS;
}
