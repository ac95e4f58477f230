/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Session: one connection to PostgreSQL on which everything that could change
 * the meaning of a byte is pinned, whatever ALTER ROLE, ALTER DATABASE,
 * PGOPTIONS or the service file say: empty search_path, client_encoding = the
 * database's own, row_security off, all time-outs 0, and what loader/pg/pins.h
 * lists.  On a source, views and foreign tables are not read where the server
 * can refuse that (restrict_nonsystem_relation_kind).
 *
 *     CLOSED --open--> READY --server or network gone--> BROKEN --reopen--> READY
 *
 * The settings are made again by every reopen, before anything else.  Waits
 * end when the run is stopped (STOP_NOW): the statement is cancelled on the
 * server first.
 *
 * The connection is in libpq's non-blocking mode; PQexec() and its like wait
 * nevertheless, but nothing ends their waits.  One thread owns a session.
 */

#include <libpq-fe.h>
#include <stddef.h>

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

struct session;

enum session_side { SESSION_SOURCE, SESSION_TARGET };

struct session_params {
    const char *conninfo;   /* string, URI or "service=..."; copied */
    enum session_side side; /* "source" or "target" in messages */
    const char *purpose;    /* in application_name: "pghaul: <purpose>" */
    const char *encoding;   /* of the text that is exchanged; copied.  NULL:
                                the database's own */
    int stores; /* text in this encoding is to be stored: ERR_REFUSED unless
                   the database can hold all of it */
    const struct stop *stop; /* may be NULL; borrowed */
    int replication;         /* a replication=database connection: no pins */
    int bare; /* no pins either: for who only looks (loader/pg/pooler.h) */
};

/* What to do about an ERR_SERVER. */
enum session_retry {
    SESSION_RETRY_NEVER,
    SESSION_RETRY_SAME, /* the statement may be tried again: 40001, 40P01... */
    SESSION_RETRY_RECONNECT, /* 08xxx, 57P0x, 53300, or no answer at all */
};

/*
 * ERR_USAGE: the string cannot be read.  ERR_SERVER: no connection; the detail
 * names host, port and database, nothing ever the password.
 */
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
/* The database's own encoding: "UTF8". */
const char *session_encoding(const struct session *s);

/*
 * Run statements that return nothing of interest.
 *
 * Errors of this and the next functions begin "could not execute LOCK TABLE
 * on the source: ": the statement's first words only, since the others may
 * hold a password (CREATE SUBSCRIPTION).
 */
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

/* Run a statement with parameters in the server's binary form, whose answer is
   of no interest. */
struct session_value {
    const void *data;
    size_t len;
};
enum { SESSION_VALUES_MAX = 8 };

int session_exec_binary(struct session *s, const char *sql, unsigned n,
                        const struct session_value *values, struct err *err);

/* The same for a query; its answer is text. */
int session_query_binary(struct session *s, const char *sql, unsigned n,
                         const struct session_value *values, PGresult **ret,
                         struct err *err);

/*
 * A query for many rows, handed over one by one so that memory stays
 * bounded; a row's visit that is not 0 ends it and is returned.
 */
int session_each(struct session *s, const char *sql,
                 int (*visit)(void *arg, const PGresult *row, struct err *err),
                 void *arg, struct err *err);

/*
 * Quoting by libpq for this connection; the caller frees with PQfreemem.  What
 * cannot be quoted, because it is not valid in the session's encoding, becomes
 * text that no statement accepts.
 */
char *session_ident(struct session *s, const char *name);
char *session_literal(struct session *s, const char *text);
/* "schema"."name" */
char *session_qualified(struct session *s, const char *schema,
                        const char *name);

/* Fill *err with "<fmt> on the source: <the server's words>", from a failed
   result or from the connection (res NULL).  Returns -1. */
int session_fail(struct session *s, const PGresult *res, struct err *err,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- step by step: for COPY, and what else takes long ---- */

/* Send statements; their results are fetched by the functions below. */
int session_send(struct session *s, const char *sql, struct err *err);

/* Wait until all that libpq holds back has been sent. */
int session_flush(struct session *s, struct err *err);

/* Wait until the socket can be read, or the run is stopped.  It may come back
   early: ask libpq first, and again afterwards. */
int session_wait(struct session *s, struct err *err);

/* 1: it can be read now; 0: it cannot; <0: the run is stopped. */
int session_readable(struct session *s, struct err *err);

/* Wait for the next result; *ret is the caller's, NULL after the last. */
int session_next(struct session *s, PGresult **ret, struct err *err);

/* session_send() for a COPY; direction is PGRES_COPY_IN or PGRES_COPY_OUT. */
int session_copy(struct session *s, const char *sql, ExecStatusType direction,
                 struct err *err);
/* Its second half: wait until the COPY that was sent has begun. */
int session_copy_begun(struct session *s, ExecStatusType direction,
                       struct err *err);

/* All results that are left: the first failure is the error; else the last
   result is the caller's (ret may be NULL). */
int session_finish(struct session *s, PGresult **ret, struct err *err);

/* Cancel what runs on the server and read what is left, so that the session
   can be used or closed.  Never fails: the session is READY or BROKEN. */
void session_abandon(struct session *s);

PGconn *session_conn(struct session *s);

/* NULL-safe, returns NULL: for cleanup_(). */
PGresult *session_clear(PGresult *r);
DEFINE_CLEANUP(PGresult *, session_clear)
char *session_freemem(char *s);
DEFINE_CLEANUP(char *, session_freemem)
