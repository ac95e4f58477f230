/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the commands that write a report have in common, and that one which
 * only shows its verdict.
 */

#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"
#include "loader/report/report.h"

int reporting_make(struct report **ret, const struct workplace *w,
                   const struct facts *f, struct err *err);
/* For its verdict alone. */
int reporting_judge(struct report **ret, const struct workplace *w,
                    const struct facts *f, struct err *err);

/* RUN/report.html and RUN/report.json, over older ones. */
int reporting_write(const struct workplace *w, const struct facts *f,
                    struct err *err);

/* To the file of this path, over an older one; "-": to standard output. */
int reporting_html_to(struct report *r, const char *path, struct err *err);
int reporting_json_to(struct report *r, const char *path, struct err *err);
