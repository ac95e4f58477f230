/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/conninfo.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A silent peer is noticed after two minutes.  There is no tcp_user_timeout
 * among these: it would also end a COPY into a table on which somebody holds a
 * lock, for then the server's window is closed (tcp(7)).  What is sent and
 * never acknowledged ends after a quarter of an hour (tcp_retries2).
 */
static const struct {
    const char *keyword;
    const char *value;
} defaults[] = {
    {"connect_timeout", "30"},
    {"keepalives_idle", "60"},
    {"keepalives_interval", "10"},
    {"keepalives_count", "6"},
};

PQconninfoOption *
conninfo_options_free(PQconninfoOption *o)
{
    PQconninfoFree(o);
    return NULL;
}

static PQconninfoOption *
find(PQconninfoOption *options, const char *keyword)
{
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o;
    }
    return NULL;
}

const char *
conninfo_value(PQconninfoOption *options, const char *keyword)
{
    const PQconninfoOption *o = find(options, keyword);

    return o && o->val && *o->val ? o->val : NULL;
}

static int
set_value(PQconninfoOption *options, const char *keyword, const char *value,
          struct err *err)
{
    PQconninfoOption *o = find(options, keyword);
    char *copy = strdup(value);

    if (!copy)
        return err_nomem(err);
    if (!o) { /* unknown to this libpq: it does without */
        free(copy);
        return 0;
    }
    free(o->val); /* libpq's strings are malloc's */
    o->val = copy;
    return 0;
}

/* libpq quotes what it does not understand, and that may be a password. */
static int
refuse(const char *why, struct err *err)
{
    const char *from = why ? strchr(why, '"') : NULL;
    const char *to = why ? strrchr(why, '"') : NULL;

    err_set(err, ERR_USAGE, "could not read the connection string");
    if (from && to > from)
        err_detail(err, "%.*s\"...\"%.*s", (int)(from - why), why,
                   (int)strcspn(to + 1, "\n"), to + 1);
    else if (why)
        err_detail(err, "%.*s", (int)strcspn(why, "\n"), why);
    return err_hint(err, "Give keywords (host=... dbname=...), a URI "
                         "(postgresql://...) or service=...; quote values "
                         "with spaces: password='two words'.");
}

static int
parse(PQconninfoOption **ret, const char *conninfo, struct err *err)
{
    char *why = NULL;

    *ret = PQconninfoParse(conninfo, &why);
    if (*ret)
        return 0;
    if (!why)
        return err_nomem(err);
    refuse(why, err);
    PQfreemem(why);
    return -1;
}

/* libpq resolves a connection attempt's parameters before it looks at them;
   this one it then refuses, before it opens a socket. */
static PGconn *
begin_and_stop(PQconninfoOption *options, const char *stopper)
{
    const char **keywords, **values;
    PGconn *conn;
    unsigned n = 0;

    for (PQconninfoOption *o = options; o->keyword; o++)
        n++;
    keywords = calloc(2 * (n + 2), sizeof *keywords);
    if (!keywords)
        return NULL;
    values = keywords + n + 2;

    n = 0;
    for (PQconninfoOption *o = options; o->keyword; o++) {
        keywords[n] = o->keyword;
        values[n++] = o->val;
    }
    keywords[n] = stopper;
    values[n] = "only resolve";
    conn = PQconnectStartParams(keywords, values, 0);
    free(keywords);
    return conn;
}

/* What libpq would use: environment, services and its own defaults added. */
static int
resolve_with(PQconninfoOption **ret, char **ret_password,
             PQconninfoOption *options, struct err *err)
{
    static const char stopper[] = "channel_binding";
    PGconn *conn = begin_and_stop(options, stopper);
    const char *why = PQerrorMessage(conn);

    *ret = NULL;
    if (conn && !strstr(why, stopper)) {
        /* Something else is wrong: a service that is not there... */
        err_set(err, ERR_USAGE, "could not use the connection string");
        err_detail(err, "%.*s", (int)strcspn(why, "\n"), why);
        PQfinish(conn);
        return -1;
    }
    *ret = PQconninfo(conn);
    /* A passfile's has no place among the parameters. */
    if (ret_password)
        *ret_password = strdup(PQpass(conn));
    PQfinish(conn);
    return *ret && (!ret_password || *ret_password) ? 0 : err_nomem(err);
}

static int
resolve(PQconninfoOption **ret, PQconninfoOption *options, struct err *err)
{
    return resolve_with(ret, NULL, options, err);
}

static int
is_local(const char *host, size_t len)
{
    static const char *const names[] = {"", "localhost", "127.0.0.1", "::1"};

    if (*host == '/' || *host == '@')
        return 1;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], host, len) == 0)
            return 1;
    }
    return 0;
}

/* One host elsewhere is enough. */
static int
is_elsewhere(const char *hosts)
{
    size_t len;

    for (;; hosts += len + 1) {
        len = strcspn(hosts, ",");
        if (!is_local(hosts, len))
            return 1;
        if (!hosts[len])
            return 0;
    }
}

/* libpq's own default, "prefer", lets whoever sits in between read all by
   saying that the server has no TLS. */
static int
choose_sslmode(PQconninfoOption *options, PQconninfoOption *resolved,
               struct err *err)
{
    const char *mode = conninfo_value(resolved, "sslmode");
    const char *hosts = conninfo_value(resolved, "hostaddr");

    if (!hosts)
        hosts = conninfo_value(resolved, "host");
    if (conninfo_value(options, "sslmode") || getenv("PGSSLMODE") || !mode ||
        strcmp(mode, "prefer") != 0 || !hosts || !is_elsewhere(hosts))
        return 0;
    return set_value(options, "sslmode", "require", err);
}

int
conninfo_options(PQconninfoOption **ret, const char *conninfo, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    cleanup_(conninfo_options_freep) PQconninfoOption *resolved = NULL;
    int r;

    r = parse(&options, conninfo, err);
    if (r)
        return r;
    r = resolve(&resolved, options, err);
    if (r)
        return r;

    for (unsigned i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        if (conninfo_value(resolved, defaults[i].keyword))
            continue;
        r = set_value(options, defaults[i].keyword, defaults[i].value, err);
        if (r)
            return r;
    }
    r = choose_sslmode(options, resolved, err);
    if (r)
        return r;
    *ret = take(options);
    return 0;
}

static void
put_percent(FILE *f, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (isalnum((unsigned char)text[i]) || strchr("-._~", text[i]))
            fputc(text[i], f);
        else
            fprintf(f, "%%%02X", (unsigned char)text[i]);
    }
}

/* "a:1,b:2"; a single port is all hosts'. */
static void
put_hosts(FILE *f, const char *hosts, const char *ports)
{
    size_t host_len, port_len;

    for (;; hosts += host_len + 1) {
        host_len = strcspn(hosts, ",");
        port_len = strcspn(ports, ",");
        if (memchr(hosts, ':', host_len))
            fprintf(f, "[%.*s]", (int)host_len, hosts);
        else
            put_percent(f, hosts, host_len);
        if (port_len)
            fprintf(f, ":%.*s", (int)port_len, ports);
        if (!hosts[host_len])
            return;
        fputc(',', f);
        if (ports[port_len])
            ports += port_len + 1;
    }
}

static void
put_uri(FILE *f, PQconninfoOption *resolved)
{
    const char *user = conninfo_value(resolved, "user");
    const char *host = conninfo_value(resolved, "host");
    const char *port = conninfo_value(resolved, "port");
    const char *dbname = conninfo_value(resolved, "dbname");

    if (!host)
        host = conninfo_value(resolved, "hostaddr");
    fputs("postgresql://", f);
    if (user)
        put_percent(f, user, strlen(user));
    fputc('@', f);
    put_hosts(f, host ? host : "", port ? port : "");
    fputc('/', f);
    if (dbname)
        put_percent(f, dbname, strlen(dbname));
}

int
conninfo_display(char **ret, const char *conninfo, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    cleanup_(conninfo_options_freep) PQconninfoOption *resolved = NULL;
    size_t len;
    FILE *f;
    int r;

    r = parse(&options, conninfo, err);
    if (r)
        return r;
    r = resolve(&resolved, options, err);
    if (r)
        return r;
    f = open_memstream(ret, &len);
    if (!f)
        return err_nomem(err);
    put_uri(f, resolved);
    return fclose(f) ? err_nomem(err) : 0;
}

/* ---- for another server ---- */

static const char *const portable[] = {
    "host",       "hostaddr",   "port",
    "dbname",     "user",       "sslmode",
    "gssencmode", "keepalives", "target_session_attrs",
};

void
conninfo_put(FILE *f, const char *keyword, const char *value)
{
    fprintf(f, "%s='", keyword);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            fputc('\\', f);
        fputc(*value, f);
    }
    fputs("' ", f);
}

static void
put_word(FILE *f, const char *keyword, const char *value)
{
    if (value && *value)
        conninfo_put(f, keyword, value);
}

static int
put_words(char **ret, PQconninfoOption *resolved, const char *password,
          struct err *err)
{
    size_t len;
    FILE *f = open_memstream(ret, &len);

    if (!f)
        return err_nomem(err);
    for (unsigned i = 0; i < sizeof portable / sizeof *portable; i++)
        put_word(f, portable[i], conninfo_value(resolved, portable[i]));
    put_word(f, "password", password);
    return fclose(f) ? err_nomem(err) : 0;
}

/* Wiped, for cleanup_(). */
static void
forget(char **password)
{
    if (*password)
        explicit_bzero(*password, strlen(*password));
    free(*password);
}

int
conninfo_for_server(char **ret, const char *conninfo, int with_password,
                    struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    cleanup_(conninfo_options_freep) PQconninfoOption *resolved = NULL;
    cleanup_(forget) char *password = NULL;
    int r;

    r = conninfo_options(&options, conninfo, err);
    if (!r)
        r = resolve_with(&resolved, &password, options, err);
    if (r)
        return r;
    return put_words(ret, resolved, with_password ? password : NULL, err);
}

int
conninfo_is_local(int *ret, const char *conninfo, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    cleanup_(conninfo_options_freep) PQconninfoOption *resolved = NULL;
    const char *hosts;
    int r = parse(&options, conninfo, err);

    if (!r)
        r = resolve(&resolved, options, err);
    if (r)
        return r;
    hosts = conninfo_value(resolved, "hostaddr");
    if (!hosts)
        hosts = conninfo_value(resolved, "host");
    *ret = !hosts || !is_elsewhere(hosts);
    return 0;
}
