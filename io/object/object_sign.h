/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Signature version 4 of AWS for one request: what object stores want to see
 * instead of a password.  The secret key never leaves the program.
 *
 * libcurl could sign, too.  But until 8.12 it orders headers by their lines
 * instead of their names, so that a request with both headers of SSE-KMS is
 * refused, and what it does to paths and queries differs from release to
 * release.
 */

#include <time.h>

#include "io/err.h"

struct object_keys {
    char *id;
    char *secret;
    char *token; /* NULL: the keys are not temporary */
};

enum { OBJECT_DATE_SIZE = sizeof "20130524T000000Z" };

struct object_signing {
    const struct object_keys *keys;
    const char *region;
    const char *date;   /* as object_date() */
    const char *method; /* "GET" */
    const char *path;   /* escaped */
    const char *query;  /* escaped and sorted, each with "="; "": none */
    /* Lines "Name: value", all of which are signed: Host, X-Amz-Date and
       X-Amz-Content-Sha256 among them. */
    const char *const *headers;
    unsigned n_headers;
    const char *payload_sha256; /* hex */
};

void object_date(char ret[OBJECT_DATE_SIZE], time_t now);

/* *ret is the header's line, "Authorization: ...", to be freed. */
int object_sign(char **ret, const struct object_signing *s, struct err *err);

/*
 * Escape as the signature wants it: all but letters, digits and "-._~"; "/"
 * only where slashes is 0.  To be freed; NULL: out of memory.
 */
char *object_escape(const char *text, int slashes);
