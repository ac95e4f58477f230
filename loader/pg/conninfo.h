/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Connection strings: understood, shown without secrets, and given to child
 * processes without showing a secret.
 *
 * Where neither the string nor the environment nor a service says otherwise,
 * a peer that has gone silent is noticed (connect_timeout, keepalives), and a
 * server elsewhere is spoken to with encryption only (sslmode=require).
 */

#include <libpq-fe.h>
#include <stdio.h>

#include "io/cleanup.h"
#include "io/err.h"

/*
 * The parameters that the string names, and those just said.  What the string
 * leaves to the environment, to a service or to libpq stays NULL.  A string
 * that libpq cannot read is ERR_USAGE; no part of it is repeated in *err,
 * since any part may be a password.
 */
int conninfo_options(PQconninfoOption **ret, const char *conninfo,
                     struct err *err);
PQconninfoOption *conninfo_options_free(PQconninfoOption *o);
DEFINE_CLEANUP(PQconninfoOption *, conninfo_options_free)

/* Writes keyword='value' and a space, quoted as libpq reads it. */
void conninfo_put(FILE *f, const char *keyword, const char *value);

/* The value of one, NULL when it has none. */
const char *conninfo_value(PQconninfoOption *options, const char *keyword);

/* "postgresql://user@host:5432/db", with what libpq would really use: never a
   password or a key's passphrase.  The caller frees. */
int conninfo_display(char **ret, const char *conninfo, struct err *err);

/*
 * What another server can use to connect there: host, port, database, user and
 * how, but no file of this machine's.  With the password, from wherever libpq
 * would take it for this string, only when that is asked for: it will be
 * stored there.  The caller frees, and wipes.
 */
int conninfo_for_server(char **ret, const char *conninfo, int with_password,
                        struct err *err);

/* All hosts are this machine's own: sockets, localhost. */
int conninfo_is_local(int *ret, const char *conninfo, struct err *err);

/*
 * What a child (pg_dump, pg_restore) gets: all parameters but the secrets as
 * its argument.  A password, from the string or from PGPASSWORD, is put into
 * an unnamed file in memory (memfd, 0600) which the child inherits and finds
 * as its passfile; it never stands in an argument, an environment variable or
 * a file on disk.  A secret that has no such way, a key's passphrase
 * (sslpassword), is refused.  A child that connects to nothing (conninfo is
 * NULL) gets the environment.
 */
struct conninfo_child {
    char *conninfo;
    char **env;      /* ours without PGPASSWORD; borrows our strings */
    int passfile_fd; /* -1: none needed.  Close-on-exec here: the child clears
                        that, under the same number, before it executes */
};

int conninfo_child_new(struct conninfo_child *ret, const char *conninfo,
                       struct err *err);
void conninfo_child_free(struct conninfo_child *c);
