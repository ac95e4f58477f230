/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Whose requests these are.  The keys come from the first of these that has
 * some:
 *
 *     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *     the profile (object_profile.h)
 *     the role of the container: AWS_CONTAINER_CREDENTIALS_FULL_URI or
 *         _RELATIVE_URI
 *     the role of the machine (IMDSv2), unless AWS_EC2_METADATA_DISABLED=true
 *
 * A role's keys are temporary, and fetched anew five minutes before they
 * expire.  None are ever part of a message.
 *
 * One thread owns them; getting some may wait.
 */

#include <time.h>

#include "io/cleanup.h"
#include "io/object/object_sign.h"

struct object_credentials;

int object_credentials_new(struct object_credentials **ret, struct err *err);
struct object_credentials *object_credentials_free(struct object_credentials *);
DEFINE_CLEANUP(struct object_credentials *, object_credentials_free)

/* Those of now; they stay valid until the next call. */
int object_credentials_get(struct object_credentials *c,
                           const struct object_keys **ret, struct err *err);

/* The server says that they have expired.  Whether others may be had. */
int object_credentials_expire(struct object_credentials *c);
