/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Findings, shown: lines for people, or an array for programs. */

#include <jansson.h>

#include "loader/source/check/findings.h"

/* On standard output.  quiet: without those that are ok. */
void findings_print(const struct findings *f, int quiet);
/* [{"name", "level", "seen", "advice"}, ...]; the caller's. */
json_t *findings_json(const struct findings *f);
