/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Options as the log has them: a member for each that was given, on the
 * command line or in the file, with its text; a flag is true, a list an array
 * of its first texts.  Connection strings are shown without secrets.
 */

#include <jansson.h>

#include "loader/cli/options.h"

/* The caller's; NULL: no memory. */
json_t *options_json(const struct options *o);
