/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Session: one connection to PostgreSQL on which everything that could change
 * the meaning of a byte is pinned, whatever ALTER ROLE, ALTER DATABASE,
 * PGOPTIONS or the service file say: empty search_path, datestyle,
 * intervalstyle, timezone, extra_float_digits, bytea_output, lc_monetary,
 * xmloption, row_security off, all time-outs 0, synchronize_seqscans off,
 * client_encoding = the database's own, quote_all_identifiers off,
 * restrict_nonsystem_relation_kind where the server knows it, and more; a
 * setting that the server does not have is passed over only when its version
 * does not have it.
 *
 *     CLOSED --open--> READY --server or network gone--> BROKEN --reopen--> READY
 *
 * The settings are made again by every reopen, before anything else.  Waits
 * end when the run is stopped (STOP_NOW): the statement is cancelled on the
 * server first.
 *
 * One thread owns a session.
 */

#include <libpq-fe.h>
#include <stddef.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

struct session;

enum session_side { SESSION_SOURCE, SESSION_TARGET };

struct session_params {
    const char *conninfo;    /* string, URI or "service=..."; copied */
    enum session_side side;  /* "source" or "target" in messages */
    const char *purpose;     /* in application_name: "pghaul: <purpose>" */
    const struct stop *stop; /* may be NULL; borrowed */
    int replication;         /* a replication=database connection: no pins */
};

/* What to do about an ERR_SERVER. */
enum session_retry {
    SESSION_RETRY_NEVER,
    SESSION_RETRY_SAME, /* the statement may be tried again: 40001, 40P01... */
    SESSION_RETRY_RECONNECT, /* 08xxx, 57P0x, 53300, or no answer at all */
};

int session_open(struct session **ret, const struct session_params *p,
                 struct err *err);
struct session *session_free(struct session *s);
DEFINE_CLEANUP(struct session *, session_free)

/* Close and connect anew, pinning everything again. */
int session_reopen(struct session *s, struct err *err);

/* The class of an error, by its SQLSTATE and the state of the connection. */
enum session_retry session_retry_class(const struct err *err);

/* 150018 for 15.18. */
int session_server_version(const struct session *s);
/* The database's own encoding, which is the session's too: "UTF8". */
const char *session_encoding(const struct session *s);

/* Run statements that return nothing of interest. */
int session_exec(struct session *s, const char *sql, struct err *err);
int session_execf(struct session *s, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Run one query; *ret is the caller's (PQclear). */
int session_query(struct session *s, const char *sql, PGresult **ret,
                  struct err *err);

/* The same with text parameters ($1...; NULL is SQL's). */
int session_query_params(struct session *s, const char *sql, int n,
                         const char *const *values, PGresult **ret,
                         struct err *err);

/*
 * The same for many rows, handed over one by one so that memory stays
 * bounded; a row's visit that is not 0 ends it and is returned.
 */
int session_each(struct session *s, const char *sql,
                 int (*visit)(void *arg, const PGresult *row, struct err *err),
                 void *arg, struct err *err);

/* Quoting by libpq for this connection; the caller frees with PQfreemem. */
char *session_ident(struct session *s, const char *name);
char *session_literal(struct session *s, const char *text);
/* "schema"."name" */
char *session_qualified(struct session *s, const char *schema,
                        const char *name);

/* Fill *err from a failed result, or from the connection (res NULL). */
int session_fail(struct session *s, const PGresult *res, struct err *err,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Wait until the socket can be read, or the run is stopped. */
int session_wait(struct session *s, struct err *err);

PGconn *session_conn(struct session *s);

/* NULL-safe, returns NULL: for cleanup_(). */
PGresult *session_clear(PGresult *r);
DEFINE_CLEANUP(PGresult *, session_clear)
char *session_freemem(char *s);
DEFINE_CLEANUP(char *, session_freemem)
