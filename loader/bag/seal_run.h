/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to the seal: the run that is sealed. */

#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/run/run_dir.h"

/* All borrowed. */
struct seal_run {
    struct catalog *catalog;
    const struct facts *facts;
    const struct run_dir *dir;
};
