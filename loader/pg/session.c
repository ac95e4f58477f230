/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/session_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/connection.h"
#include "loader/pg/encoding.h"
#include "loader/pg/pins.h"
#include "loader/pg/server_error.h"

const char *
session_side_name(const struct session *s)
{
    return s->side == SESSION_SOURCE ? "source" : "target";
}

enum session_state
session_state(struct session *s)
{
    if (PQstatus(s->conn) != CONNECTION_OK)
        s->state = SESSION_BROKEN;
    return s->state;
}

int
session_fail(struct session *s, const PGresult *res, struct err *err,
             const char *fmt, ...)
{
    char what[512], where[32];
    va_list ap;

    snprintf(where, sizeof where, " on the %s", session_side_name(s));
    va_start(ap, fmt);
    vsnprintf(what, sizeof what - sizeof where, fmt, ap);
    va_end(ap);
    return server_error_fill(err, s->conn, res, strcat(what, where));
}

enum session_retry
session_retry_class(const struct err *err)
{
    static const struct {
        const char *sqlstate; /* or its beginning */
        enum session_retry retry;
    } classes[] = {
        {"40001", SESSION_RETRY_SAME},      /* serialization, recovery */
        {"40P01", SESSION_RETRY_SAME},      /* deadlock */
        {"55P03", SESSION_RETRY_SAME},      /* lock time-out */
        {"08P01", SESSION_RETRY_NEVER},     /* what was sent is malformed */
        {"08", SESSION_RETRY_RECONNECT},    /* connection */
        {"57P01", SESSION_RETRY_RECONNECT}, /* terminated, shutting down */
        {"57P02", SESSION_RETRY_RECONNECT}, /* crashed */
        {"57P03", SESSION_RETRY_RECONNECT}, /* starting up */
        {"57P05", SESSION_RETRY_RECONNECT}, /* was idle for too long */
        {"25P03", SESSION_RETRY_RECONNECT}, /* the same, in a transaction */
        {"53300", SESSION_RETRY_RECONNECT}, /* too many connections */
    };

    if (err->class != ERR_SERVER)
        return SESSION_RETRY_NEVER;
    if (!err->sqlstate[0])
        return SESSION_RETRY_RECONNECT; /* no answer at all */
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(err->sqlstate, classes[i].sqlstate,
                    strlen(classes[i].sqlstate)) == 0)
            return classes[i].retry;
    }
    return SESSION_RETRY_NEVER;
}

static int
pin(struct session *s, struct err *err)
{
    const char *encoding =
        s->client_encoding[0] ? s->client_encoding : s->encoding;
    char *sql;
    int r;

    r = pins_sql(&sql, s->version, encoding, s->side == SESSION_SOURCE, err);
    if (r)
        return r;
    r = session_exec(s, sql, err);
    free(sql);
    return r;
}

static int
connect_now(struct session *s, struct err *err)
{
    const struct connection_params params = {
        .conninfo = s->conninfo,
        .application_name = s->application_name,
        .side = session_side_name(s),
        .stop = s->stop,
        .replication = s->replication,
    };
    const char *encoding;
    int r;

    r = connection_open(&s->conn, &params, err);
    if (r)
        return r;
    encoding = PQparameterStatus(s->conn, "server_encoding");
    snprintf(s->encoding, sizeof s->encoding, "%s", encoding ? encoding : "");
    if (s->stores && encoding_require(s->encoding, s->client_encoding, err))
        return -1; /* and no conversion for the pins to set */
    s->version = PQserverVersion(s->conn);
    s->state = SESSION_READY;
    if (s->replication || s->bare)
        return 0;
    r = pin(s, err);
    if (r)
        s->state = SESSION_BROKEN; /* never use it half pinned */
    return r;
}

/* The name may come from a file: it must not reach SQL as anything else. */
static int
set_encoding(struct session *s, const char *name, struct err *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    if (!name)
        return 0;
    if (!name[0] || name[strspn(name, letters)] ||
        strlen(name) >= sizeof s->client_encoding)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not an encoding", name);
    strcpy(s->client_encoding, name);
    return 0;
}

int
session_open(struct session **ret, const struct session_params *p,
             struct err *err)
{
    cleanup_(session_freep) struct session *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return err_nomem(err);
    s->state = SESSION_BROKEN;
    s->side = p->side;
    s->replication = p->replication;
    s->stores = p->stores;
    s->bare = p->bare;
    s->stop = p->stop;
    s->conninfo = strdup(p->conninfo);
    if (!s->conninfo ||
        asprintf(&s->application_name, "pghaul: %s", p->purpose) < 0)
        return err_nomem(err);

    r = set_encoding(s, p->encoding, err);
    if (!r)
        r = connect_now(s, err);
    if (r)
        return r;
    *ret = take(s);
    return 0;
}

int
session_reopen(struct session *s, struct err *err)
{
    s->conn = connection_close(s->conn);
    s->state = SESSION_BROKEN;
    return connect_now(s, err);
}

struct session *
session_free(struct session *s)
{
    if (!s)
        return NULL;
    connection_close(s->conn);
    if (s->conninfo)
        explicit_bzero(s->conninfo, strlen(s->conninfo));
    free(s->conninfo);
    free(s->application_name);
    free(s);
    return NULL;
}

int
session_server_version(const struct session *s)
{
    return s->version;
}

const char *
session_encoding(const struct session *s)
{
    return s->encoding;
}

PGconn *
session_conn(struct session *s)
{
    return s->conn;
}

/* NULL: not valid in this encoding, or no memory.  Text that cannot be part of
   a statement stands in for it, so that the statement fails. */
static char *
or_unusable(char *quoted)
{
    return quoted ? quoted : strdup("'");
}

char *
session_ident(struct session *s, const char *name)
{
    return or_unusable(PQescapeIdentifier(s->conn, name, strlen(name)));
}

char *
session_literal(struct session *s, const char *text)
{
    return or_unusable(PQescapeLiteral(s->conn, text, strlen(text)));
}

char *
session_qualified(struct session *s, const char *schema, const char *name)
{
    cleanup_(session_freememp) char *a = session_ident(s, schema);
    cleanup_(session_freememp) char *b = session_ident(s, name);
    char *both;

    return asprintf(&both, "%s.%s", a, b) < 0 ? NULL : both;
}

PGresult *
session_clear(PGresult *r)
{
    PQclear(r);
    return NULL;
}

char *
session_freemem(char *s)
{
    PQfreemem(s);
    return NULL;
}
