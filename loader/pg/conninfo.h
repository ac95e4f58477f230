/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Connection strings: shown without secrets, and given to child processes
 * without showing a secret.
 */

#include "io/cleanup.h"
#include "io/err.h"

/* "postgresql://user@host:5432/db": never a password or a key's passphrase.
   The caller frees. */
int conninfo_display(char **ret, const char *conninfo, struct err *err);

/*
 * The string that a child (pg_dump, pg_restore) gets as its argument: all
 * parameters but the secrets.  A password is put into an unnamed file in
 * memory (memfd, 0600) which the child inherits and finds as its passfile; it
 * never stands in an argument, an environment variable or a file on disk.
 */
struct conninfo_child {
    char *conninfo;
    int passfile_fd; /* -1: none needed; to be inherited by the child */
};

int conninfo_child_new(struct conninfo_child *ret, const char *conninfo,
                       struct err *err);
void conninfo_child_free(struct conninfo_child *c);
