/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Findings whose words are put together. */

#include "loader/source/check/findings.h"

int finding_ok(struct findings *f, struct err *err, const char *name,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int finding_warning(struct findings *f, struct err *err, const char *name,
                    const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
int finding_error(struct findings *f, struct err *err, const char *name,
                  const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
