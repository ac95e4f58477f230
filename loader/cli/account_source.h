/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What status says of a run's hold on its source: the keeper and what it
 * measures, and how fast an export goes that is at work.
 */

#include <jansson.h>

#include "loader/run/run_dir.h"

/* Lines on standard output. */
void account_source_print(const struct run_dir *dir);

/* The same as members of the object: "pace" and "keeper", objects or
   null. */
void account_source_json(const struct run_dir *dir, json_t *to);
