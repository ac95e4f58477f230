/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Keys: the recipients that something is encrypted to, and the identities that
 * open it, from where the user keeps them.
 *
 * A recipient is public and may stand on a command line.  A secret comes out of
 * a file, which nobody else may read, or out of what a command prints; it is
 * in no argument, message or environment, and is wiped with what holds it.
 *
 * Nobody but its owner may have a right to such a file; one that is root's may be
 * readable by a group.  A pipe (/dev/fd/N) will do.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "io/stop.h"

/* All borrowed; NULL and 0: not given. */
struct keys_params {
    const char *const *recipients; /* "age1..." */
    unsigned n_recipients;
    const char *recipients_file;
    const char *const *identities; /* files */
    unsigned n_identities;
    const char *identity_command; /* for /bin/sh; prints an identity file */
    /* Its first line.  To write: instead of recipients. */
    const char *passphrase_file;
    const struct stop *stop; /* of the command */
};

/*
 * Both: *ret is NULL when nothing was given that names one.  ERR_USAGE: what
 * was given is no key; ERR_REFUSED: a file that others may read, a command that
 * failed; ERR_SYSTEM: a file cannot be read.
 */
int keys_recipients(struct age_recipients **ret, const struct keys_params *p,
                    struct err *err);
int keys_identities(struct age_identities **ret, const struct keys_params *p,
                    struct err *err);
