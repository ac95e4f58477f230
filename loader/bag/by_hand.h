/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Commands that people are told, to be copied into a shell as they stand:
   whatever a name holds is quoted, and none ends a line. */

#include <stdio.h>

#include "loader/catalog/catalog.h"

/* "COPY "public"."t" ("a", "b") FROM STDIN (FORMAT text)", to free; NULL: no
   memory. */
char *by_hand_copy(const struct catalog_table *t);

/* Text as one word of a shell. */
void by_hand_quoted(FILE *f, const char *text);
