/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* A SHA-256 of what passes by, used for one file after the other; and whether
   all this is to end. */

#include "io/cleanup.h"
#include "io/err.h"
#include "io/stop.h"

struct digesting;

int digesting_new(struct digesting **ret, struct err *err);
struct digesting *digesting_free(struct digesting *d);
DEFINE_CLEANUP(struct digesting *, digesting_free)

int digesting_begin(struct digesting *d, struct err *err);
int digesting_add(struct digesting *d, const void *data, size_t len,
                  struct err *err);
/* ERR_CORRUPT, with the name, when it was something else. */
int digesting_expect(struct digesting *d, const unsigned char sha256[32],
                     const char *name, struct err *err);

/* ERR_CANCELLED from the first request on: nothing is lost by ending early. */
int archive_stop_check(const struct stop *stop, struct err *err);
