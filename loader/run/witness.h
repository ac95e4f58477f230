/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Who does something, where, and when, for records that outlive it. */

#include <jansson.h>

enum { WITNESS_TIME = 32 };

/* "2031-05-04T03:02:01.123Z", of now. */
const char *witness_time(char to[WITNESS_TIME]);

/* Set "time", "user" (of the system), "host" and "pghaul", its version. */
void witness_add(json_t *to);
