/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Private to the seal: README.txt, for who has the bag and not pghaul.
 *
 * Lines indented by four spaces are commands for a shell.  They are meant to
 * be copied, and a test runs them as they stand; so what comes from the source
 * stands in them quoted, for the shell and for SQL.
 */

#include "io/bytes.h"
#include "io/err.h"
#include "loader/bag/seal_run.h"

int seal_readme_write(const struct seal_run *run, const struct bytes_out *out,
                      struct err *err);
