/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The kinds of options: how the text of one becomes its field in struct
 * options.  Where the text comes from, the command line or a file, is nothing
 * to them.  <0: ERR_USAGE.
 */

#include "loader/cli/options.h"

#define OPTION_KIND(kind)                                                      \
    int option_parse_##kind(const struct option_row *row, const char *text,    \
                            void *field, struct err *err)
OPTION_KIND(conninfo);
OPTION_KIND(path);
OPTION_KIND(name);
OPTION_KIND(jobs);
OPTION_KIND(size);
OPTION_KIND(duration);
OPTION_KIND(count);
OPTION_KIND(share);
OPTION_KIND(part);
OPTION_KIND(date);
OPTION_KIND(choice);
OPTION_KIND(flag);
OPTION_KIND(slot);
OPTION_KIND(seconds);
OPTION_KIND(hours);
OPTION_KIND(layers);
OPTION_KIND(list);
#undef OPTION_KIND

/* May it be given several times? */
int option_is_list(const struct option_row *row);

/* The parameter of a connection string that is a secret ("password"), or NULL
   when it has none, or is no connection string. */
const char *option_secret(const struct option_row *row, const char *text);
