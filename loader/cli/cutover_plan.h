/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* The plan of a cut-over, shown: what each step does, and how long it would
   take. */

#include <jansson.h>

#include "loader/cli/options.h"
#include "loader/cutover/survey.h"

void cutover_plan_print(const struct options *o,
                        const struct survey_estimate *e);
/* {"lag_bytes", "sessions", ..., "read_only_ms"}; the caller's. */
json_t *cutover_plan_json(const struct survey_estimate *e);
