/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What options say of an object store.  Where archives lie is the environment's
 * to say (io/object/object_config.h), so that is where it is put: before there are
 * threads, once.
 */

#include "io/err.h"
#include "loader/cli/options.h"

#define OBJECTS_OPTIONS (OPTION_SET(s3_endpoint) | OPTION_SET(s3_ca))
#define OBJECTS_PUT_OPTIONS                                                    \
    (OBJECTS_OPTIONS | OPTION_SET(s3_lock) | OPTION_SET(s3_hold))

/* ERR_USAGE: a lock that is none. */
int objects_choose(const struct options *o, struct err *err);
