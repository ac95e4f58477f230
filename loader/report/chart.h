/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Chart: one command over its time, as an inline SVG: its phases, what each
 * worker was at, and how many bytes a second came through.
 *
 * What is too narrow to be seen is drawn together with its neighbour, so the
 * size of a chart has a bound that does not depend on the number of tasks.
 */

#include <stdio.h>

#include "io/err.h"
#include "loader/report/history.h"
#include "loader/report/lines.h"

/* log is read again, from the command's first line to its last.  number makes
   its ids unique in the page. */
int chart_write(FILE *to, struct lines *log, const struct history_command *k,
                unsigned number, struct err *err);
